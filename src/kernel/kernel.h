/* SPDX-License-Identifier: Apache-2.0
 *
 * The one path: request -> policy -> intent entry -> service -> outcome entry -> receipt. The
 * command line hosts it in its own process.
 */
#pragma once

#include "audit/log.h"
#include "keys/client.h"
#include "policy/policy.h"
#include "sandbox/launcher.h"
#include "sandbox/stage.h"
#include "store/state.h"

/* Something policy wants a person to look at. */
struct kernel_review_item {
    const char *path;   /* escaped for showing; for a run its command */
    const char *reason; /* of the rule, which lives as long as the policy */
};

/* Asks a person at the terminal; false: no, or nobody is there. */
typedef bool kernel_ask_review(void *context, const struct kernel_review_item *items, size_t count);

struct policy_in_force; /* kernel/policy_files.h */

struct kernel {
    struct clock clock;
    struct state state;
    struct audit_log *log;
    struct keys_client *keys;      /* started on first need; nullptr before */
    char caller[32];               /* "uid:1000" */
    kernel_ask_review *ask_review; /* nullptr: nobody can be asked */
    void *ask_context;
    bool client_agrees; /* the caller agrees to what a client may agree to; a person is not asked */
    struct policy_in_force *policy; /* owned; nullptr until kernel_policy() is first called */
    char policy_workspace[LIMIT_PATH_BYTES];
    /* Told about each applied path whose access list was not carried over, escaped; or nullptr. */
    void (*not_carried)(const char *path);
};

/* Opens state and log, finishes what a crash cut short (applies, lost runs). The kernel must stay
 * where it is while it is open. */
status_t kernel_open(struct kernel *ret_kernel, struct error *err);
void kernel_close(struct kernel *kernel);
/* The key process, started when it is not there yet. */
status_t kernel_keys(struct kernel *kernel, struct keys_client **ret_keys, struct error *err);
/* Has the log signed up to entry `seq`. A key process that died meanwhile is started again, once:
 * the work is done and only its receipt is missing. */
status_t kernel_checkpoint(struct kernel *kernel, uint64_t seq, struct error *err);

struct automatic; /* kernel/automatic.h */
struct kernel_apply_options {
    const char *const *paths;            /* nullptr: all */
    const struct apply_choices *choices; /* what is taken instead; nullptr: `paths` says */
    bool skip_refused;
    /* Nobody asked for it: applied only when policy permits that, and what leaves it to a person is
     * added here; POLICY_REVIEW then, without an entry. Not with any of the above. nullptr:
     * somebody asked. */
    struct automatic *automatic;
};
/* Applies the stage of a run and its parents. What policy wants reviewed is asked through
 * ask_review once everything is checked and before anything is touched: POLICY_REVIEW when the
 * answer is no. *ret_seq is the outcome's entry, which the last checkpoint covers. */
status_t kernel_apply(struct kernel *kernel, struct run *run,
                      const struct kernel_apply_options *options, struct apply_result *ret_result,
                      uint64_t *ret_seq, struct error *err);
status_t kernel_discard(struct kernel *kernel, struct run *run, struct error *err);
