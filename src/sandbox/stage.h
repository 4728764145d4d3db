/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs on disk and their stages: runs/<id>/{lock, meta, plan.json, upper, work, tmp, home, base,
 * output}. A stage is sealed when its run ends and never written again.
 */
#pragma once

#include <stdio.h>

#include "base/clock.h"
#include "crypto/hash.h"
#include "store/state.h"
#include "sys/random.h"

enum run_state : uint8_t {
    RUN_LIVE,  /* its lock is held */
    RUN_OPEN,  /* sealed, with changes that wait */
    RUN_EMPTY, /* sealed, without changes */
    RUN_APPLIED,
    RUN_DISCARDED,
    RUN_LOST, /* its command died; what it staged is sealed by the collector */
};
const char *run_state_text(enum run_state state);

/* What is kept of a run in runs/<id>/meta. Texts are escaped for showing. */
struct run {
    char id[ID_TEXT_BYTES];
    enum run_state state;
    char workspace[LIMIT_PATH_BYTES];
    char command[256];          /* shortened, for lists */
    char parent[ID_TEXT_BYTES]; /* the run it stands on, or "" */
    uint64_t started_ms;
    uint64_t finished_ms; /* 0 while live */
    int exit_status;
    uint64_t intent_seq;
    uint64_t outcome_seq; /* UINT64_MAX while none */
    uint32_t change_count;
    struct digest stage_digest;
    int fd;      /* runs/<id>; owned by the struct, -1 when not open */
    int lock_fd; /* held exclusively while the run is live; -1 otherwise */
};

struct run_create_options {
    const char *id; /* of a UUID; nullptr: a fresh one */
    const char *workspace;
    const char *parent; /* the id of the run it stands on; nullptr or "": none */
    uint32_t host_uid, host_gid;
};
/* Makes runs/<id> with its folders (upper, work, tmp, home owned by host_uid:host_gid when root
 * runs for another uid) and its held lock. */
status_t run_create(const struct state *state, const struct clock *clock,
                    const struct run_create_options *options, struct run *ret_run,
                    struct error *err);
status_t run_open(const struct state *state, const char *id, struct run *ret_run,
                  struct error *err);
/* Writes meta, atomically. */
status_t run_save(struct run *run, bool durable, struct error *err);
void run_close(struct run *run);
/* Takes a live run back that nobody knows of yet: its folder goes, and with it that it was. Closes
 * it. What cannot be removed is left to the collector. */
void run_remove(const struct state *state, struct run *run);

/* The run a user means: a full id, "@1" (latest), its last 6 or more hex digits, or nullptr for
 * the newest finished run of this workspace with an open stage. RUN_UNKNOWN, RUN_AMBIGUOUS. */
status_t run_find(const struct state *state, const char *name_or_null, const char *workspace,
                  struct run *ret_run, struct error *err);
/* All runs, newest first; the caller frees *ret_runs. Their fds are closed. */
status_t run_list(const struct state *state, struct run **ret_runs, size_t *ret_count,
                  struct error *err);
/* The stages a new run standing on `run` uses as layers: absolute paths of upper folders, newest
 * first, nullptr-terminated; one allocation, freed by the caller. RUN_UNFINISHED for a live run. */
status_t run_layers(const struct state *state, const struct run *run, char ***ret_layers,
                    struct error *err);
/* Layers are chosen before the new run exists, and until it does nothing keeps their stages. Called
 * once it does: RUN_STAGE_CLOSED when they are not what run_layers() gives now, BUSY when an apply
 * or discard is under way. From then on the live run itself keeps them. */
status_t run_layers_check(const struct state *state, const struct run *run, char *const *layers,
                          struct error *err);
/* Collects what dead commands left: runs whose lock is free but whose meta says live become LOST;
 * work, tmp and home of finished runs are removed. Cheap when there is nothing to do. */
typedef status_t run_lost(void *context, struct run *run, struct error *err);
struct run_collector {
    /* Called first for every live run whose command is gone: ends what may still write to its
     * stage. When that fails the run stays as it is, for a later command. May be nullptr. */
    run_lost *each_dead;
    /* Called when it is sealed, so that the caller can close its intent in the log. */
    run_lost *each_lost;
    void *context;
};
status_t run_collect(const struct state *state, const struct run_collector *collector,
                     struct error *err);

/* What a run's files take on disk, without meta and plan. Counting ends past `bytes_max`. */
uint64_t run_disk_bytes(const struct state *state, const char *id, uint64_t bytes_max);
/* Removes the files of a run that has ended and has no open stage: its output, and what a stage
 * that was closed or empty left. Meta, plan and facts stay, so the run can still be listed and
 * proved. BUSY when the run lives or its stage is open. */
status_t run_prune(const struct state *state, const char *id, struct error *err);

struct stage_summary {
    uint32_t added, modified, deleted, other; /* files; `other`: folders, links, modes */
    uint64_t bytes;
    uint32_t refused;   /* entries that are never applied: devices, sockets, setuid ... */
    uint32_t conflicts; /* lower files that moved during the run */
    struct digest digest;
};
/* Seals the stage of a run that has ended: reads the upper, records base, computes the digest. The
 * caller sets the run's other fields and calls run_save(). */
status_t stage_seal(const struct state *state, struct run *run, struct stage_summary *ret_summary,
                    struct error *err);

struct diff_options {
    const char *const *paths; /* nullptr-terminated globs or path prefixes; nullptr for all */
    bool color;
    bool for_terminal; /* control characters are shown, not printed; always so with colours */
    bool names_only;
    bool stat; /* one line per path, with counts of lines */
    bool json;
};
/* Prints the stack's changes in git's diff format. */
status_t stage_diff(const struct state *state, const struct run *run,
                    const struct diff_options *options, FILE *out, struct error *err);

struct json;
/* The digest of a run's own stage, what it is computed from, and both as in-toto resource
 * descriptors; owned by the caller. RUN_UNFINISHED, RUN_STAGE_CLOSED, STAGE_DAMAGED. */
status_t stage_digest_json(const struct run *run, struct json **ret, struct error *err);

struct apply_result;
enum apply_verdict : uint8_t { APPLY_ALLOW, APPLY_REFUSE };
/* What is to stand at a path. */
struct apply_subject {
    const char *path;        /* below the workspace */
    uint32_t mode;           /* st_mode; 0: it is deleted */
    const char *link_target; /* of a symbolic link; nullptr otherwise */
    uint64_t size;           /* of a regular file; 0 otherwise */
};
struct apply_choices; /* sandbox/choices.h */
struct merge;         /* sandbox/merge.h */
struct merge_plan;    /* sandbox/merge_check.h */
struct apply_options {
    const char *const *paths; /* nullptr for all */
    /* What is taken instead: exactly these paths, some maybe in part; nullptr: `paths` says. */
    const struct apply_choices *choices;
    bool skip_refused;
    /* Asked for every final path: policy decides. A refusal sets reason. */
    enum apply_verdict (*decide)(void *context, const struct apply_subject *subject,
                                 const char **ret_reason);
    /* Called when every path was checked, with what came of that, before anything is refused or
     * admitted: who wants to judge the whole does it here. May be nullptr. */
    status_t (*planned)(void *context, const struct merge *merge, const struct merge_plan *plan,
                        struct error *err);
    /* Called when everything is checked and before the first change of the workspace: the intent
     * entry is written here. `digest` is over the list of steps. */
    status_t (*admitted)(void *context, uint32_t step_count, const struct digest *digest,
                         struct error *err);
    /* Called once all is done for each path whose access list was not carried over; may be nullptr.
     */
    void (*not_carried)(void *context, const char *path);
    /* Called when every step is done, before the last trace of the apply goes: the outcome entry is
     * written here, so that whatever kills us, recovery still knows that one is owed. */
    status_t (*finished)(void *context, const struct apply_result *result, struct error *err);
    void *context;
};
struct apply_result {
    uint32_t applied, skipped;
    uint32_t parts;              /* of the applied: files of which something stays in the stage */
    bool stage_is_closed;        /* nothing is left in it */
    struct digest before, after; /* over the touched paths */
};
/* Merges a stage's whole stack into the workspace: check everything, temporaries, syncfs, step
 * list, renames, syncfs. Crash-safe: stage_recover() finishes or undoes. */
status_t stage_apply(const struct state *state, struct run *run,
                     const struct apply_options *options, struct apply_result *ret_result,
                     struct error *err);
/* Finishes applies that a crash cut short, in every workspace. Cheap when there is none. `each`
 * (may be nullptr) is called for every one of them before its last trace goes, so that the caller
 * can close its intent in the log; when it fails, a later command recovers again. */
struct stage_recovery {
    bool is_committed; /* its steps were executed; else nothing of the workspace had changed */
    uint32_t step_count;
    uint32_t left_count; /* steps that found something else in their place */
};
typedef status_t stage_recovered(void *context, const struct run *run,
                                 const struct stage_recovery *recovery, struct error *err);
status_t stage_recover(const struct state *state, stage_recovered *each, void *context,
                       struct error *err);
/* RUN_UNFINISHED, RUN_STAGE_CLOSED, BUSY when another open stage stands on it or another command
 * works on the workspace. `admitted` (may be nullptr) is called when nothing stands in the way any
 * more and before the effect: the entry is written there, so that the log never tells of what did
 * not happen. */
typedef status_t stage_admitted(void *context, struct error *err);
status_t stage_discard(const struct state *state, struct run *run, stage_admitted *admitted,
                       void *context, struct error *err);
