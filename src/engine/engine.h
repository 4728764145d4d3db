/* SPDX-License-Identifier: Apache-2.0
 *
 * Container engines, podman and docker, behind one interface. Both answer the Docker Engine API on
 * a Unix socket; airlock-engine speaks it, confined, and this is the kernel's side of it.
 *
 * One struct engine serves one container at a time. Order: open, version, image (and pull), volume,
 * create, start, the gate, messages until the end, remove, volume remove, close. Closing it at any
 * moment removes the container and the volume that were made and not removed yet; so does the death
 * of this process.
 */
#pragma once

#include "base/error.h"
#include "base/limits.h"
#include "engine/container.h"

enum engine_kind : uint8_t { ENGINE_PODMAN, ENGINE_DOCKER, ENGINE_KIND_NAMES };
/* "podman", "docker". */
const char *engine_kind_text(enum engine_kind kind);
/* False for another name. */
bool engine_kind_find(const char *text, enum engine_kind *ret_kind);

struct engine;

struct engine_options {
    enum engine_kind kind;
    const char *socket; /* absolute path */
    const char *state;  /* what the label airlock.state is to say */
    bool is_brief;      /* engine_ping() waits LIMIT_ENGINE_PING_MS only */
};
/* Starts airlock-engine; nothing is asked of the engine yet. ENGINE_PROGRAM when it is missing or
 * fails. */
status_t engine_open(const struct engine_options *options, struct engine **ret_engine,
                     struct error *err);
void engine_close(struct engine *engine); /* nullptr is fine */
void engine_closep(struct engine **engine);

/* Errors of all that follow: ENGINE_UNREACHABLE, ENGINE_REFUSED with what the engine said,
 * ENGINE_MALFORMED for an answer that is none, ENGINE_PROGRAM. */
struct engine_version {
    char name[64], version[64]; /* as the engine calls itself */
    bool is_podman, is_rootless, has_cgroup_v2;
};
status_t engine_ping(struct engine *engine, struct engine_version *ret_version, struct error *err);

struct engine_image {
    bool is_found;
    char id[80];      /* "sha256:..." */
    char digest[512]; /* NAME@sha256:... at its registry, or "" */
};
status_t engine_image_status(struct engine *engine, const char *image,
                             struct engine_image *ret_image, struct error *err);
/* Has the engine fetch it; `progress` (may be nullptr) is told the percentage as it grows. */
struct engine_pull {
    void (*progress)(void *context, unsigned percent);
    void *context;
};
status_t engine_image_pull(struct engine *engine, const char *image, const struct engine_pull *pull,
                           struct error *err);

/* A volume of the engine's local driver that is an overlay with these mount options. Its name is
 * "airlock-" and the run's id. */
status_t engine_volume_create(struct engine *engine, const char *name, const char *overlay_options,
                              struct error *err);
/* One that is not there is fine. */
status_t engine_volume_remove(struct engine *engine, const char *name, struct error *err);

/* `run_lock`: a descriptor that carries the lock of the run, which airlock-engine keeps as long as
 * it lives; it stays the caller's. */
status_t engine_create(struct engine *engine, const struct engine_container *container,
                       int run_lock, struct error *err);
/* The container as bytes, for a commitment to it; the builder shows a failure. */
struct builder;
void engine_encode(const struct engine_container *container, struct builder *out);

struct engine_start {
    const char *name;
    uint64_t wall_ms; /* 0: no limit of time */
    bool terminal;
    int streams[3]; /* input, output, errors; a terminal has one socket, the first. Borrowed */
};
/* Past this the container's gate waits for its go: engine/gate.h. */
status_t engine_start(struct engine *engine, const struct engine_start *start, struct error *err);

/* How a container ended. */
struct engine_end {
    int status; /* as the engine tells it: 128 + n for signal n */
    bool is_oom, is_timeout;
    uint64_t wall_ns;           /* without pauses */
    uint64_t paused_ns;         /* time in pauses, which counts against no limit */
    uint64_t memory_peak_bytes; /* the most that a sample saw; 0: it ended before one came */
    uint64_t cpu_user_us, cpu_system_us;
};
/* Readable when a message waits; borrowed. */
int engine_fd(const struct engine *engine);
/* One waits that was received already. */
bool engine_has_message(const struct engine *engine);
/* Waits for the end. ENGINE_LOST when the engine is gone, or knows nothing of the container. */
status_t engine_receive(struct engine *engine, struct engine_end *ret_end, struct error *err);

/* Of a container that runs; one that has ended meanwhile is fine. */
status_t engine_kill(struct engine *engine, const char *name, int signal_number, struct error *err);
/* SIGTERM, and SIGKILL after the grace. */
status_t engine_stop(struct engine *engine, const char *name, unsigned grace_s, struct error *err);
status_t engine_pause(struct engine *engine, const char *name, struct error *err);
status_t engine_resume(struct engine *engine, const char *name, struct error *err);
status_t engine_resize(struct engine *engine, const char *name, unsigned rows, unsigned columns,
                       struct error *err);

struct engine_status {
    bool is_found, is_running, is_paused, is_oom;
    int exit_code;
    char status[32];
};
status_t engine_inspect(struct engine *engine, const char *name, struct engine_status *ret_state,
                        struct error *err);
/* What it wrote, to `fd` (a pipe or a socket), where the engine keeps it. */
status_t engine_logs(struct engine *engine, const char *name, int fd, struct error *err);
/* Kills and removes it; one that is not there is fine. */
status_t engine_remove(struct engine *engine, const char *name, struct error *err);
