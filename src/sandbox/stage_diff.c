/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sandbox/diff_file.h"
#include "sandbox/diff_lines.h"
#include "sandbox/diff_names.h"

enum { ONE_DIFF_BYTES_MAX = 512 << 20 };

/* A letter as in `git status`. */
static char change_letter(const struct change *change) {
    if (change->refusal != REFUSAL_NONE) {
        return '!';
    }
    if (change->before.kind == ENTRY_NONE) {
        return 'A';
    }
    if (change->after.kind == ENTRY_NONE) {
        return 'D';
    }
    return change->before.kind != change->after.kind ? 'T' : 'M';
}

static const char *kind_text(enum entry_kind kind) {
    switch (kind) {
    case ENTRY_NONE:
        return "none";
    case ENTRY_FILE:
        return "file";
    case ENTRY_FOLDER:
        return "folder";
    case ENTRY_LINK:
        return "link";
    case ENTRY_OTHER:
        return "other";
    }
    return "other";
}

static void state_to_json(const struct entry_state *state, const char *key, struct json *object) {
    struct json *side = json_object_new();
    char mode[8];
    json_set_text(side, "kind", kind_text(state->kind));
    if (state->kind == ENTRY_FILE || state->kind == ENTRY_FOLDER) {
        (void)snprintf(mode, sizeof mode, "%04o", state->mode & 07777);
        json_set_text(side, "mode", mode);
    }
    if (state->kind == ENTRY_FILE) {
        CLEANUP(builder_deinit) struct builder hex;
        builder_init(&hex, 2 * DIGEST_BYTES + 1);
        text_hex(slice_of(state->digest.bytes, DIGEST_BYTES), &hex);
        json_set_integer(side, "bytes", (int64_t)state->size);
        json_set_text(side, "sha256", builder_c_string(&hex));
    }
    json_set(object, key, side);
}

static status_t print_json(const struct merge *merge, const struct change *change, bool moved,
                           struct json *list, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    struct diff_counts counts = {0};
    builder_init(&text, ONE_DIFF_BYTES_MAX);
    TRY(diff_file(merge, change, false, &text, &counts, err));
    builder_reset(&text);
    text_escape(slice_of_string(change->path), &text);
    char letter[2] = {change_letter(change), '\0'};
    struct json *object = json_object_new();
    json_set_text(object, "path", builder_c_string(&text));
    json_set_text(object, "change", letter);
    state_to_json(&change->before, "before", object);
    state_to_json(&change->after, "after", object);
    json_set_integer(object, "lines_added", counts.added);
    json_set_integer(object, "lines_deleted", counts.deleted);
    json_set_bool(object, "binary", counts.binary);
    json_set_bool(object, "conflict", moved);
    if (change->is_relisted) {
        json_set_bool(object, "access_list_not_carried", true);
    }
    if (change->refusal != REFUSAL_NONE) {
        json_set_text(object, "refused", refusal_text(change->refusal));
    }
    json_append(list, object);
    return STATUS_OK;
}

static status_t print_one(const struct merge *merge, const struct change *change, bool moved,
                          const struct diff_options *options, FILE *out, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, ONE_DIFF_BYTES_MAX);
    if (moved) {
        builder_text(&text, "# conflict: the workspace changed at ");
        diff_name("", change->path, &text);
        builder_u8(&text, '\n');
    }
    if (options->names_only) {
        builder_reset(&text);
        builder_format(&text, "%c ", change_letter(change));
        diff_name("", change->path, &text);
        builder_text(&text, change->after.kind == ENTRY_FOLDER ? "/" : "");
        builder_text(&text, moved ? "  (conflict)\n" : "\n");
    } else {
        TRY(diff_file(merge, change, options->color, &text, nullptr, err));
    }
    CLEANUP(builder_deinit) struct builder shown;
    builder_init(&shown, (size_t)8 * ONE_DIFF_BYTES_MAX);
    if (options->for_terminal && !options->color) {
        diff_escape(builder_slice(&text), &shown);
        builder_deinit(&text);
        text = shown;
        shown = (struct builder){0};
    }
    if (text.size > 0 && fwrite(text.data, 1, text.size, out) != text.size) {
        return error_set(err, ERROR_IO, errno, "cannot write the diff");
    }
    return STATUS_OK;
}

/* As `git diff --stat`: the name, the number of changed lines, and a bar of at most 40 signs. */
static status_t print_stat(const struct merge *merge, const struct change *change,
                           const struct diff_options *options, FILE *out, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    struct diff_counts counts = {0};
    builder_init(&text, ONE_DIFF_BYTES_MAX);
    TRY(diff_file(merge, change, false, &text, &counts, err));
    builder_reset(&text);
    diff_name("", change->path, &text);
    int width = text.size < 40 ? (int)(40 - text.size) : 0;
    builder_format(&text, "%*s | ", width, "");
    if (counts.binary) {
        builder_text(&text, "binary\n");
    } else {
        unsigned total = counts.added + counts.deleted;
        unsigned signs = total < 40 ? total : 40;
        unsigned plus = total == 0 ? 0 : (unsigned)((uint64_t)counts.added * signs / total);
        builder_format(&text, "%5u ", total);
        builder_text(&text, options->color ? "\033[32m" : "");
        for (unsigned i = 0; i < signs; i++) {
            builder_text(&text, i == plus && options->color ? "\033[31m" : "");
            builder_u8(&text, i < plus ? '+' : '-');
        }
        builder_text(&text, options->color ? "\033[m\n" : "\n");
    }
    if (fwrite(text.data, 1, text.size, out) != text.size) {
        return error_set(err, ERROR_IO, errno, "cannot write the diff");
    }
    return STATUS_OK;
}

static status_t diff_print(const struct merge *merge, const struct diff_options *options,
                           struct json *list, FILE *out, struct error *err) {
    for (size_t i = 0; i < merge->list.count; i++) {
        const struct change *change = &merge->list.items[i];
        enum merge_relation relation = MERGE_CLEAN;
        struct entry_state current;
        if (!merge_is_selected(change->path, options->paths)) {
            continue;
        }
        if (merge->workspace_fd >= 0) {
            TRY(merge_relate(merge, change, &current, &relation, err));
        }
        if (relation == MERGE_DONE && change->refusal == REFUSAL_NONE) {
            continue; /* a part that was applied before */
        }
        bool moved = relation == MERGE_CONFLICT;
        if (list != nullptr) {
            TRY(print_json(merge, change, moved, list, err));
        } else if (options->stat) {
            TRY(print_stat(merge, change, options, out, err));
        } else {
            TRY(print_one(merge, change, moved, options, out, err));
        }
    }
    return STATUS_OK;
}

status_t stage_diff(const struct state *state, const struct run *run,
                    const struct diff_options *options, FILE *out, struct error *err) {
    CLEANUP(merge_close) struct merge merge = {0};
    TRY(merge_open(state, run, &merge, err));
    if (!options->json) {
        return diff_print(&merge, options, nullptr, out, err);
    }
    CLEANUP(json_freep) struct json *document = json_object_new();
    struct json *list = json_array_new();
    json_set_text(document, "run", run->id);
    json_set(document, "changes", list);
    TRY(diff_print(&merge, options, list, out, err));
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, ONE_DIFF_BYTES_MAX);
    json_write_pretty(document, &text);
    if (!builder_is_ok(&text) || fwrite(text.data, 1, text.size, out) != text.size) {
        return error_set(err, ERROR_IO, errno, "cannot write the diff");
    }
    return STATUS_OK;
}
