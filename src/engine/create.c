/* SPDX-License-Identifier: Apache-2.0
 *
 * The container that is asked for. What stands here is the wall, together with what every engine
 * does of itself: its own namespaces but the user namespace, its seccomp profile, its masks over
 * /proc and /sys. Nothing of the host is in it but the workspace's overlay, the gate with its
 * socket, and certificates to trust.
 */
#include <string.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"
#include "engine/api.h"
#include "engine/gate.h"
#include "engine/scan.h"

static bool list_json(const char *const *list, struct json *array) {
    bool is_utf8 = true;
    for (size_t i = 0; list[i] != nullptr && is_utf8; i++) {
        is_utf8 = text_is_utf8(slice_of_string(list[i]));
        if (is_utf8) {
            json_append_text(array, list[i]);
        }
    }
    return is_utf8;
}

static struct json *one_text(const char *text) {
    struct json *array = json_array_new();
    json_append_text(array, text);
    return array;
}

static void limit_add(struct json *limits, const char *name, uint64_t value) {
    struct json *limit = json_object_new();
    json_set_text(limit, "Name", name);
    json_set_integer(limit, "Soft", (int64_t)value);
    json_set_integer(limit, "Hard", (int64_t)value);
    json_append(limits, limit);
}

/* All that engines would set higher by themselves, which fails where they may not raise a limit. */
static struct json *process_limits(const struct engine_container *container) {
    struct json *limits = json_array_new();
    limit_add(limits, "core", 1); /* with 0 a core_pattern that is a program would still run */
    limit_add(limits, "fsize", container->file_bytes);
    limit_add(limits, "nofile", container->open_files);
    limit_add(limits, "nproc", container->pid_count);
    return limits;
}

static struct json *temporary(const struct engine_container *container) {
    struct builder options;
    struct json *mounts = json_object_new();
    builder_init(&options, 128);
    builder_format(&options, "rw,nosuid,nodev,mode=1777,size=%llu",
                   (unsigned long long)container->tmp_bytes);
    json_set_text(mounts, "/tmp", builder_c_string(&options));
    builder_deinit(&options);
    return mounts;
}

static void bind_add(struct json *binds, const char *from, const char *to, const char *options) {
    struct builder bind;
    builder_init(&bind, 2 * LIMIT_PATH_BYTES + ENGINE_NAME_BYTES);
    builder_format(&bind, "%s:%s:%s", from, to, options);
    json_append_text(binds, builder_c_string(&bind));
    builder_deinit(&bind);
}

/* `nocopy`: nothing of the image is copied into the workspace. */
static struct json *binds_json(const struct engine_container *container) {
    struct json *binds = json_array_new();
    bind_add(binds, container->volume, container->target, "rw,nocopy");
    bind_add(binds, container->gate, GATE_PATH, "ro");
    bind_add(binds, container->gate_socket, GATE_SOCKET_PATH, "ro");
    if (container->trust[0] != '\0') {
        bind_add(binds, container->trust, container->trust_target, "ro");
    }
    return binds;
}

static struct json *host_json(const struct engine_container *container) {
    struct json *host = json_object_new();
    json_set(host, "Binds", binds_json(container));
    json_set(host, "CapDrop", one_text("ALL"));
    json_set(host, "SecurityOpt", one_text("no-new-privileges"));
    json_set_bool(host, "Privileged", false);
    json_set_bool(host, "ReadonlyRootfs", true);
    json_set_bool(host, "AutoRemove", false);
    json_set_text(host, "NetworkMode", "none");
    json_set_text(host, "IpcMode", "private");
    json_set(host, "Tmpfs", temporary(container));
    json_set(host, "Ulimits", process_limits(container));
    json_set_integer(host, "Memory", (int64_t)container->memory_bytes);
    json_set_integer(host, "MemorySwap", (int64_t)container->memory_bytes);
    json_set_integer(host, "PidsLimit", (int64_t)container->pid_count);
    json_set_integer(host, "CpuShares", (int64_t)container->cpu_shares);
    if (container->cpu_nano > 0) {
        json_set_integer(host, "NanoCpus", (int64_t)container->cpu_nano);
    }
    struct json *log = json_object_new(); /* what it writes is kept in the run's folder */
    json_set_text(log, "Type", "none");
    json_set(host, "LogConfig", log);
    struct json *restart = json_object_new();
    json_set_text(restart, "Name", "no");
    json_set(host, "RestartPolicy", restart);
    return host;
}

static bool texts_are_utf8(const struct engine_container *container) {
    const char *const texts[] = {
        container->image,  container->user,         container->folder,
        container->volume, container->target,       container->gate,
        container->trust,  container->trust_target, container->gate_socket};
    bool is_utf8 = true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        is_utf8 = is_utf8 && text_is_utf8(slice_of_string(texts[i]));
    }
    return is_utf8;
}

static struct json *container_json(const struct engine_container *container, const char *state) {
    struct json *labels = json_object_new();
    json_set_text(labels, "airlock.run", container->run_id);
    json_set_text(labels, "airlock.state", state);
    struct json *json = json_object_new();
    json_set_text(json, "Image", container->image);
    json_set_text(json, "User", container->user);
    json_set_text(json, "WorkingDir", container->folder);
    json_set_text(json, "Hostname", "airlock");
    json_set_bool(json, "Tty", container->terminal);
    json_set_bool(json, "OpenStdin", true);
    json_set_bool(json, "StdinOnce", true);
    json_set_bool(json, "AttachStdin", true);
    json_set_bool(json, "AttachStdout", true);
    json_set_bool(json, "AttachStderr", !container->terminal);
    json_set_bool(json, "NetworkDisabled", true);
    json_set(json, "Labels", labels);
    json_set(json, "HostConfig", host_json(container));
    /* A command of the image's that the engine would run beside ours, without our filter. */
    struct json *health = json_object_new();
    json_set(health, "Test", one_text("NONE"));
    json_set(json, "Healthcheck", health);
    return json;
}

void api_create(struct program *program, const struct engine_container *container,
                const char *state, struct answer *answer) {
    CLEANUP(builder_deinit) struct builder path;
    CLEANUP(builder_deinit) struct builder body;
    CLEANUP(json_freep) struct json *json = nullptr;
    struct json *command = json_array_new();
    struct json *environment = json_array_new();
    answer->outcome = ENGINE_INTERNAL;
    bool is_utf8 = list_json(container->argv, command) &&
                   list_json(container->environment, environment) && texts_are_utf8(container);
    if (!is_utf8) {
        json_free(command);
        json_free(environment);
        return;
    }
    json = container_json(container, state);
    json_set(json, "Entrypoint", one_text(GATE_PATH)); /* the image's own is not run */
    json_set(json, "Cmd", command);
    json_set(json, "Env", environment);
    builder_init(&body, API_BODY_BYTES);
    builder_init(&path, API_PATH_BYTES);
    json_write_canonical(json, &body);
    builder_text(&path, "/containers/create?name=");
    text_percent(container->name, &path);
    if (builder_is_ok(&body) && builder_is_ok(&path)) {
        struct call call = {
            .method = "POST",
            .path = builder_c_string(&path),
            .body = builder_slice(&body),
        };
        call_put(program, &call, answer);
    }
    struct scan_want id = {.path = "Id", .kind = SCAN_TEXT};
    if (answer->outcome == ENGINE_DONE &&
        (!scan_json(builder_slice(&answer->body), &id, 1) || !id.is_found)) {
        answer->outcome = ENGINE_MALFORMED;
    }
}
