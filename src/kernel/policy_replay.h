/* SPDX-License-Identifier: Apache-2.0
 *
 * History judged again, newest first: what each decision of the log would have been under another
 * policy. Decisions are those of run_started, apply_started (and of each of its paths, from
 * runs/<id>/facts), stage_discarded and decision. Each is judged by the user's file asked about,
 * the file that now stands in the workspace it was about, and the built-in rules; time windows by
 * the time it was made at.
 *
 * What is not judged again, because the log does not hold it: how often and how much (a decision
 * that a rate or a sum refused stays as it was while the rule still asks for that), what kind of
 * thing stood at a refused path (a refusal by a built-in rule stays), and extensions.
 */
#pragma once

#include "audit/log.h"
#include "kernel/policy_files.h"

struct policy_replay_change {
    uint64_t seq, time_ms;
    const char *run;       /* "" when it was about none */
    const char *workspace; /* "" likewise; any bytes, as is the path */
    const char *operation;
    const char *path; /* nullptr: about the whole */
    enum policy_outcome was, now;
    const char *was_rule;
    const struct policy_decision *decision; /* the new one */
    bool is_breaking;                       /* allow > deny */
};

enum { POLICY_OUTCOME_COUNT = POLICY_REVIEW + 1 };

struct policy_replay_options {
    const struct state *state;
    struct audit_log *log;
    const struct clock *clock;
    const struct slice *text; /* of a user's file; nullptr: what is in force */
    const char *name;         /* of that file, in positions */
    uint64_t entry_count_max; /* 0: all */
    uint64_t budget_ms;       /* 0: LIMIT_REPLAY_MS */
    /* Called for each changed outcome; everything is borrowed for the call. */
    void (*changed)(void *context, const struct policy_replay_change *change);
    void (*progress)(void *context, uint64_t done, uint64_t total); /* may be nullptr */
    void *context;
};

struct policy_replay_result {
    uint64_t entries;       /* looked at */
    uint64_t decisions;     /* judged again */
    uint64_t changed_count; /* of them */
    uint64_t breaking_count;
    uint64_t changed[POLICY_OUTCOME_COUNT][POLICY_OUTCOME_COUNT]; /* [was][now] */
    uint64_t without_facts;   /* decisions whose entry holds none: older than facts are */
    uint64_t expired_lists;   /* applies whose list of paths is gone, or a later apply's */
    uint64_t expired_entries; /* that retention took the bytes of */
    uint64_t unreadable;      /* decisions in a workspace whose policy file is now invalid */
    bool is_cut_short;        /* the budget ended: entries before first_seq were not looked at */
    uint64_t first_seq;       /* the oldest that was looked at */
};

/* POLICY_INVALID when the policy itself cannot be loaded, AUDIT_DAMAGED for an entry that is not
 * canonical. */
status_t policy_replay(const struct policy_replay_options *options,
                       struct policy_replay_result *ret_result, struct error *err);

/* How many outcomes changed, as {"allow>deny":3, ...}; those that did not are left out. Owned by
 * the caller. */
struct json *policy_replay_changed(const struct policy_replay_result *result);
