/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/api.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"
#include "engine/demux.h"
#include "engine/scan.h"
#include "sys/fd.h"

enum { DIGEST_CHARACTERS = 64 };

/* PREFIX NAME SUFFIX, with NAME encoded. */
static void path_make(struct builder *path, const char *prefix, const char *name,
                      const char *suffix) {
    builder_init(path, API_PATH_BYTES);
    builder_text(path, prefix);
    text_percent(name, path);
    builder_text(path, suffix);
}

static void put(struct program *program, const char *method, struct builder *path,
                struct answer *answer) {
    if (!builder_is_ok(path)) {
        answer->outcome = ENGINE_INTERNAL;
        return;
    }
    struct call call = {.method = method, .path = builder_c_string(path)};
    call_put(program, &call, answer);
}

/* Puts it and consumes the JSON. */
static void put_json(struct program *program, const char *path, struct json *consumed,
                     struct answer *answer) {
    CLEANUP(json_freep) struct json *json = consumed;
    CLEANUP(builder_deinit) struct builder body;
    builder_init(&body, API_BODY_BYTES);
    json_write_canonical(json, &body);
    if (!builder_is_ok(&body)) {
        answer->outcome = ENGINE_INTERNAL;
        return;
    }
    struct call call = {.method = "POST", .path = path, .body = builder_slice(&body)};
    call_put(program, &call, answer);
}

/* What was asked for must be in the answer; else it is malformed. */
static bool read_answer(struct answer *answer, struct scan_want *wants, size_t count) {
    if (answer->outcome == ENGINE_DONE && !scan_json(builder_slice(&answer->body), wants, count)) {
        answer->outcome = ENGINE_MALFORMED;
    }
    return answer->outcome == ENGINE_DONE;
}

static void require(struct answer *answer, bool is_there) {
    if (answer->outcome == ENGINE_DONE && !is_there) {
        answer->outcome = ENGINE_MALFORMED;
    }
}

void api_version(struct program *program, uint32_t deadline_ms, struct api_version *ret_version,
                 struct answer *answer) {
    static const char PODMAN[] = "Podman";
    static const char ROOTLESS[] = "\"name=rootless\"";
    struct scan_want wants[] = {
        {.path = "Version", .kind = SCAN_TEXT},
        {.path = "Components/0/Name", .kind = SCAN_TEXT},
    };
    struct call call = {.method = "GET", .path = "/version", .deadline_ms = deadline_ms};
    call_put(program, &call, answer);
    if (!read_answer(answer, wants, 2)) {
        return;
    }
    require(answer, wants[0].is_found);
    text_printable(slice_of_string(wants[0].text), ret_version->version,
                   sizeof ret_version->version);
    text_printable(slice_of_string(wants[1].is_found ? wants[1].text : ""), ret_version->name,
                   sizeof ret_version->name);
    ret_version->is_podman = strncmp(ret_version->name, PODMAN, sizeof PODMAN - 1) == 0;
    if (answer->outcome != ENGINE_DONE) {
        return;
    }
    call.path = "/info";
    call_put(program, &call, answer);
    struct scan_want cgroups = {.path = "CgroupVersion", .kind = SCAN_TEXT};
    if (read_answer(answer, &cgroups, 1)) {
        ret_version->has_cgroup_v2 = cgroups.is_found && strcmp(cgroups.text, "2") == 0;
        struct slice body = builder_slice(&answer->body);
        ret_version->is_rootless =
            memmem(body.data, body.size, ROOTLESS, sizeof ROOTLESS - 1) != nullptr;
    }
}

/* "sha256:" and 64 hex digits; Podman's older answers leave the prefix out. */
static bool id_take(const char *text, char ret_id[static 80]) {
    static const char PREFIX[] = "sha256:";
    bool has_prefix = strncmp(text, PREFIX, sizeof PREFIX - 1) == 0;
    const char *digits = has_prefix ? text + sizeof PREFIX - 1 : text;
    (void)snprintf(ret_id, 80, "%s%.64s", PREFIX, digits);
    return strlen(digits) == DIGEST_CHARACTERS &&
           strspn(digits, "0123456789abcdef") == DIGEST_CHARACTERS;
}

void api_image(struct program *program, const char *image, struct api_image *ret_image,
               struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    struct scan_want wants[] = {
        {.path = "Id", .kind = SCAN_TEXT},
        {.path = "RepoDigests/0", .kind = SCAN_TEXT},
    };
    path_make(&path, "/images/", image, "/json");
    put(program, "GET", &path, answer);
    if (read_answer(answer, wants, 2)) {
        require(answer, wants[0].is_found && id_take(wants[0].text, ret_image->id));
        const char *digest = wants[1].is_found ? wants[1].text : "";
        text_printable(slice_of_string(digest), ret_image->digest, sizeof ret_image->digest);
    }
}

static struct json *labels_json(const struct api_labels *labels) {
    struct json *object = json_object_new();
    json_set_text(object, "airlock.run", labels->run);
    json_set_text(object, "airlock.state", labels->state);
    return object;
}

void api_volume_create(struct program *program, const char *name, const char *options,
                       const struct api_labels *labels, struct answer *answer) {
    if (!text_is_utf8(slice_of_string(options))) {
        answer->outcome = ENGINE_INTERNAL;
        return;
    }
    struct json *mount = json_object_new();
    json_set_text(mount, "type", "overlay");
    json_set_text(mount, "device", "overlay");
    json_set_text(mount, "o", options);
    struct json *volume = json_object_new();
    json_set_text(volume, "Name", name);
    json_set_text(volume, "Driver", "local");
    json_set(volume, "DriverOpts", mount);
    json_set(volume, "Labels", labels_json(labels));
    put_json(program, "/volumes/create", volume, answer);
    struct scan_want made = {.path = "Name", .kind = SCAN_TEXT};
    if (read_answer(answer, &made, 1)) {
        require(answer, made.is_found && strcmp(made.text, name) == 0);
    }
}

void api_volume_remove(struct program *program, const char *name, struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    path_make(&path, "/volumes/", name, "");
    put(program, "DELETE", &path, answer);
}

void api_act(struct program *program, const char *name, const char *action, struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    path_make(&path, "/containers/", name, "/");
    builder_text(&path, action);
    put(program, "POST", &path, answer);
}

void api_kill(struct program *program, const char *name, int signal_number, struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    path_make(&path, "/containers/", name, "/kill");
    builder_format(&path, "?signal=%d", signal_number);
    put(program, "POST", &path, answer);
}

void api_stop(struct program *program, const char *name, uint32_t grace_s, struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    path_make(&path, "/containers/", name, "/stop");
    builder_format(&path, "?t=%u", grace_s);
    struct call call = {
        .method = "POST",
        .path = builder_c_string(&path),
        .deadline_ms = grace_s * 1000 + (uint32_t)LIMIT_ENGINE_CALL_MS,
    };
    call_put(program, &call, answer);
}

void api_resize(struct program *program, const char *name, const int64_t size[2],
                struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    path_make(&path, "/containers/", name, "/resize");
    builder_format(&path, "?h=%u&w=%u", (unsigned)size[0], (unsigned)size[1]);
    put(program, "POST", &path, answer);
}

void api_remove(struct program *program, const char *name, struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    /* Podman would first ask it to stop, and wait; v: volumes that the image asked for. */
    api_kill(program, name, SIGKILL, answer);
    path_make(&path, "/containers/", name, "?force=1&v=1&timeout=0");
    put(program, "DELETE", &path, answer);
}

struct logs {
    struct demux demux;
    int fd;
};

static bool take_logs(void *context, struct slice bytes) {
    struct logs *logs = context;
    struct error ignored;
    struct slice piece;
    bool is_error;
    bool is_ours = true;
    while (is_ours && bytes.size > 0) {
        is_ours = demux_feed(&logs->demux, &bytes, &piece, &is_error) &&
                  status_is_ok(fd_write_all(logs->fd, piece, "the logs", &ignored));
    }
    return is_ours;
}

void api_logs(struct program *program, const char *name, int fd, struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    struct logs logs = {.fd = fd};
    path_make(&path, "/containers/", name, "/logs?stdout=1&stderr=1");
    struct call call = {
        .method = "GET",
        .path = builder_c_string(&path),
        .sink = take_logs,
        .context = &logs,
    };
    call_put(program, &call, answer);
    require(answer, demux_is_between(&logs.demux));
}

void api_inspect(struct program *program, const char *name, struct api_state *ret_state,
                 struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    struct scan_want wants[] = {
        {.path = "State/Status", .kind = SCAN_TEXT},
        {.path = "State/Running", .kind = SCAN_BOOL},
        {.path = "State/Paused", .kind = SCAN_BOOL},
        {.path = "State/OOMKilled", .kind = SCAN_BOOL},
        {.path = "State/ExitCode", .kind = SCAN_INTEGER},
        {.path = "State/Error", .kind = SCAN_TEXT},
    };
    path_make(&path, "/containers/", name, "/json");
    put(program, "GET", &path, answer);
    if (!read_answer(answer, wants, sizeof wants / sizeof wants[0])) {
        return;
    }
    require(answer, wants[0].is_found && wants[4].is_found);
    text_printable(slice_of_string(wants[0].text), ret_state->status, sizeof ret_state->status);
    ret_state->is_running = wants[1].flag;
    ret_state->is_paused = wants[2].flag;
    ret_state->is_oom = wants[3].flag;
    ret_state->exit_code = wants[4].number;
    text_printable(slice_of_string(wants[5].text), ret_state->error, sizeof ret_state->error);
}
