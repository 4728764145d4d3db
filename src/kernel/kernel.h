/* SPDX-License-Identifier: Apache-2.0
 *
 * The one path: request -> policy -> intent entry -> service -> outcome entry -> receipt. The
 * command line hosts it in its own process.
 */
#pragma once

#include "audit/log.h"
#include "keys/client.h"
#include "sandbox/launcher.h"
#include "sandbox/stage.h"
#include "store/state.h"

struct kernel {
    struct clock clock;
    struct state state;
    struct audit_log *log;
    struct keys_client *keys; /* started on first need; nullptr before */
};

/* Opens state and log, finishes what a crash cut short (applies, lost runs). */
status_t kernel_open(struct kernel *ret_kernel, struct error *err);
void kernel_close(struct kernel *kernel);
/* The key process, started when it is not there yet. */
status_t kernel_keys(struct kernel *kernel, struct keys_client **ret_keys, struct error *err);

status_t kernel_apply(struct kernel *kernel, struct run *run, const char *const *paths,
                      bool skip_refused, struct apply_result *ret_result, uint64_t *ret_seq,
                      struct error *err);
status_t kernel_discard(struct kernel *kernel, struct run *run, struct error *err);
