/* SPDX-License-Identifier: Apache-2.0
 *
 * A pull answers with one JSON object a line while it goes on: {"id": LAYER, "status": TEXT,
 * "progressDetail": {"current": N, "total": N}}, and {"error": TEXT} when it failed, all with
 * status 200. The percentage is the mean over the layers that were named so far; one that comes
 * later may lower it, so that what is told only ever grows.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "engine/api.h"
#include "engine/scan.h"

enum { LAYER_NAME_BYTES = 24, LINE_BYTES = 65536 };

struct layer {
    char name[LAYER_NAME_BYTES];
    unsigned percent;
};

struct pulling {
    const struct api_pull *pull;
    struct builder line;
    struct layer layers[LIMIT_ENGINE_LAYERS];
    size_t layer_count;
    unsigned told; /* percent */
    bool has_failed;
    char *text; /* why it failed; ENGINE_TEXT_BYTES */
};

/* nullptr when there are too many; they count for nothing then. */
static struct layer *layer_find(struct pulling *pulling, const char *name) {
    for (size_t i = 0; i < pulling->layer_count; i++) {
        if (strncmp(pulling->layers[i].name, name, LAYER_NAME_BYTES - 1) == 0) {
            return &pulling->layers[i];
        }
    }
    if (pulling->layer_count == (size_t)LIMIT_ENGINE_LAYERS) {
        limit_hit(LIMIT_ID_ENGINE_LAYERS);
        return nullptr;
    }
    struct layer *layer = &pulling->layers[pulling->layer_count++];
    (void)snprintf(layer->name, sizeof layer->name, "%.23s", name);
    return layer;
}

static void tell(struct pulling *pulling) {
    uint64_t sum = 0;
    for (size_t i = 0; i < pulling->layer_count; i++) {
        sum += pulling->layers[i].percent;
    }
    unsigned percent = pulling->layer_count == 0 ? 0 : (unsigned)(sum / pulling->layer_count);
    if (percent > pulling->told) {
        pulling->told = percent;
        pulling->pull->progress(pulling->pull->context, percent);
    }
}

static bool is_complete(const char *status) {
    static const char *const WORDS[] = {"Pull complete", "Already exists", "Download complete"};
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (strcmp(status, WORDS[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool take_line(struct pulling *pulling, struct slice line) {
    struct scan_want wants[] = {
        {.path = "id", .kind = SCAN_TEXT},
        {.path = "status", .kind = SCAN_TEXT},
        {.path = "progressDetail/current", .kind = SCAN_INTEGER},
        {.path = "progressDetail/total", .kind = SCAN_INTEGER},
        {.path = "error", .kind = SCAN_TEXT},
    };
    if (!scan_json(line, wants, sizeof wants / sizeof wants[0])) {
        return false;
    }
    if (wants[4].is_found && wants[4].text[0] != '\0') {
        pulling->has_failed = true;
        text_printable(slice_of_string(wants[4].text), pulling->text, ENGINE_TEXT_BYTES);
    }
    bool is_layer = wants[0].is_found && wants[1].is_found &&
                    (is_complete(wants[1].text) || strcmp(wants[1].text, "Downloading") == 0 ||
                     strcmp(wants[1].text, "Pulling fs layer") == 0);
    struct layer *layer = is_layer ? layer_find(pulling, wants[0].text) : nullptr;
    if (layer != nullptr) {
        int64_t current = wants[2].is_found ? wants[2].number : 0;
        int64_t total = wants[3].is_found ? wants[3].number : 0;
        bool is_known = current > 0 && total > 0 && total <= INT64_MAX / 100;
        if (is_complete(wants[1].text) || (is_known && current >= total)) {
            layer->percent = 100;
        } else if (is_known) {
            layer->percent = (unsigned)(current * 100 / total);
        }
        tell(pulling);
    }
    return true;
}

static bool is_blank(struct slice line) {
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] != ' ' && line.data[i] != '\r') {
            return false;
        }
    }
    return true;
}

static bool take_piece(void *context, struct slice piece) {
    struct pulling *pulling = context;
    for (size_t i = 0; i < piece.size; i++) {
        if (piece.data[i] != '\n') {
            builder_u8(&pulling->line, piece.data[i]);
            continue;
        }
        struct slice line = builder_slice(&pulling->line);
        if (!builder_is_ok(&pulling->line) || (!is_blank(line) && !take_line(pulling, line))) {
            return false;
        }
        builder_reset(&pulling->line);
    }
    return builder_is_ok(&pulling->line);
}

/* Without a tag an engine would fetch every one there is. */
static void write_path(const char *image, struct builder *path) {
    const char *slash = strrchr(image, '/');
    const char *last = slash != nullptr ? slash + 1 : image;
    bool is_tagged = strchr(last, ':') != nullptr || strchr(last, '@') != nullptr;
    builder_init(path, API_PATH_BYTES);
    builder_text(path, "/images/create?fromImage=");
    text_percent(image, path);
    builder_text(path, is_tagged ? "" : ":latest");
}

void api_pull(struct program *program, const char *image, const struct api_pull *pull,
              struct answer *answer, char ret_text[static ENGINE_TEXT_BYTES]) {
    CLEANUP(builder_deinit) struct builder path;
    CLEANUP(memory_freep) struct pulling *pulling = calloc(1, sizeof *pulling);
    write_path(image, &path);
    if (pulling == nullptr || !builder_is_ok(&path)) {
        answer->outcome = ENGINE_INTERNAL;
        return;
    }
    pulling->pull = pull;
    pulling->text = ret_text;
    builder_init(&pulling->line, LINE_BYTES);
    struct call call = {
        .method = "POST",
        .path = builder_c_string(&path),
        .deadline_ms = (uint32_t)LIMIT_ENGINE_PULL_MS,
        .sink = take_piece,
        .context = pulling,
    };
    call_put(program, &call, answer);
    (void)limit_past(answer->outcome == ENGINE_TIMEOUT, LIMIT_ID_ENGINE_PULL_MS);
    struct slice rest = builder_slice(&pulling->line);
    if (answer->outcome == ENGINE_DONE && !is_blank(rest) && !take_line(pulling, rest)) {
        answer->outcome = ENGINE_MALFORMED;
    }
    if (answer->outcome == ENGINE_DONE && pulling->has_failed) {
        answer->outcome = ENGINE_REFUSED;
    }
    builder_deinit(&pulling->line);
}
