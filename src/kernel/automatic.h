/* SPDX-License-Identifier: Apache-2.0
 *
 * An apply that nobody is asked about: whether policy permits that for every path, how much
 * changes, and everything that leaves it to a person after all. Nothing here is in the way of a
 * person's own apply.
 *
 * Reasons are collected, not stopped at: who reads them wants to know all that has to change.
 */
#pragma once

#include "kernel/obliged.h"
#include "sandbox/merge_check.h"

enum automatic_reason : uint8_t {
    AUTOMATIC_COMMAND,     /* it did not succeed, or left something behind */
    AUTOMATIC_PARENT,      /* it stands on changes that wait */
    AUTOMATIC_REVIEW,      /* policy wants a person to look */
    AUTOMATIC_DENIED,      /* by policy */
    AUTOMATIC_UNPERMITTED, /* allowed, but by no rule that permits it without a person */
    AUTOMATIC_REFUSED,     /* the stage holds what is never applied */
    AUTOMATIC_CONFLICT,
    AUTOMATIC_UNREADABLE, /* not a matter of lines */
    AUTOMATIC_LINES,      /* more than the rules permit */
    AUTOMATIC_FILES,
    AUTOMATIC_OTHER, /* one of the whole, or what went wrong */
    AUTOMATIC_REASON_COUNT,
};
const char *automatic_reason_slug(enum automatic_reason reason); /* "review", "lines" ... */

/* Of one kind, as many as there are; a few of them in words. */
struct automatic_row {
    uint64_t count;
    struct builder text; /* owned; escaped */
};

struct automatic {
    struct automatic_row rows[AUTOMATIC_REASON_COUNT];
    struct policy_auto_apply permitted; /* of all paths the strictest; its rule is borrowed */
    uint64_t changed_lines;
    uint32_t changed_files; /* folders do not count */
    bool is_admitted;       /* its intent is in the log */
};

void automatic_init(struct automatic *automatic);
void automatic_deinit(struct automatic *automatic);

/* `what`, or the path in it, is any bytes; `why` is nullptr when the kind says it all. */
void automatic_hold(struct automatic *automatic, enum automatic_reason reason, const char *what,
                    const char *why);
/* What policy says of one path, or of the whole (`path` nullptr; that no rule speaks of it is no
 * reason). Does nothing without `automatic`. */
void automatic_judge(struct automatic *automatic_or_null, const char *path,
                     const struct policy_decision *decision);
/* What stands in the way in the workspace and the stage, the lines against what is permitted, and
 * what else the rules ask of the whole. Every path was judged; policy's own verdicts in the plan
 * were seen then. POLICY_REVIEW when there is any reason. */
status_t automatic_weigh(struct automatic *automatic, const struct merge *merge,
                         const struct merge_plan *plan, const struct obliged *obliged,
                         struct error *err);
/* A part of that: the totals. */
void automatic_weigh_totals(struct automatic *automatic);
/* Adds to an intent or its outcome that nobody was asked, by which rule, and how much changed. */
void automatic_record(const struct automatic *automatic_or_null, struct json *fields);
/* Somebody has to decide. */
bool automatic_is_held(const struct automatic *automatic);
/* One kind in words, "" when there is none of it: "a person has to look at: a, b and 3 more".
 * Valid until the next call about `automatic`. */
const char *automatic_text(struct automatic *automatic, enum automatic_reason reason,
                           struct builder *scratch);
