/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls of the Docker Engine API that Airlock needs; Podman answers the same ones. Paths carry
 * no version: an engine then takes its newest, and what is used here is in all since 2019.
 */
#pragma once

#include "engine/call.h"

enum { API_PATH_BYTES = 4096, API_BODY_BYTES = 2 * LIMIT_PLAN_BYTES };

struct api_version {
    char name[64]; /* "Podman Engine", "Engine" */
    char version[64];
    bool is_podman;
    bool is_rootless;
    bool has_cgroup_v2;
};
void api_version(struct program *program, uint32_t deadline_ms, struct api_version *ret_version,
                 struct answer *answer);

struct api_image {
    char id[80];                    /* "sha256:..." */
    char digest[ENGINE_TEXT_BYTES]; /* NAME@sha256:..., or "" when it came from no registry */
};
void api_image(struct program *program, const char *image, struct api_image *ret_image,
               struct answer *answer);
/* Has the engine fetch an image. `progress` is called when the percentage has changed. */
struct api_pull {
    void (*progress)(void *context, unsigned percent);
    void *context;
};
void api_pull(struct program *program, const char *image, const struct api_pull *pull,
              struct answer *answer, char ret_text[static ENGINE_TEXT_BYTES]);

struct api_labels {
    const char *run, *state;
};
void api_volume_create(struct program *program, const char *name, const char *options,
                       const struct api_labels *labels, struct answer *answer);
void api_volume_remove(struct program *program, const char *name, struct answer *answer);
void api_create(struct program *program, const struct engine_container *container,
                const char *state, struct answer *answer);
/* POST /containers/NAME/ACTION: start, pause, unpause. */
void api_act(struct program *program, const char *name, const char *action, struct answer *answer);
void api_kill(struct program *program, const char *name, int signal_number, struct answer *answer);
void api_stop(struct program *program, const char *name, uint32_t grace_s, struct answer *answer);
void api_resize(struct program *program, const char *name, const int64_t size[2],
                struct answer *answer);
/* Kills it first. */
void api_remove(struct program *program, const char *name, struct answer *answer);
/* What it wrote, to `fd`, both streams in the order they came. */
void api_logs(struct program *program, const char *name, int fd, struct answer *answer);

struct api_state {
    char status[32]; /* "created", "running", "exited" ... */
    char error[ENGINE_TEXT_BYTES];
    bool is_running, is_paused, is_oom;
    int64_t exit_code;
};
void api_inspect(struct program *program, const char *name, struct api_state *ret_state,
                 struct answer *answer);
