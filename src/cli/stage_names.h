/* SPDX-License-Identifier: Apache-2.0
 *
 * The operands that diff, apply and discard share: [RUN] [PATH...].
 */
#pragma once

#include "cli/cli.h"
#include "sandbox/stage.h"

struct stage_operands {
    char workspace[LIMIT_PATH_BYTES];
    struct run run;
    bool is_named; /* the user named the run */
    char **paths;  /* owned; relative to the run's workspace, nullptr-terminated; nullptr: all */
};

struct stage_query {
    const char *workspace; /* --workspace, or nullptr */
    int count;             /* operands */
    char **operands;
    bool must_be_single; /* with no RUN named: refuse when unrelated stages are open */
};

/* The first operand is a RUN when it has the form of one and is one; all others are paths, relative
 * to the current folder. */
status_t stage_operands_find(const struct state *state, const struct stage_query *query,
                             struct stage_operands *ret, struct error *err);
void stage_operands_deinit(struct stage_operands *operands);

/* The last 8 digits of an id, as lists show it. */
const char *run_short_id(const char *id);

/* Finishes what a crash cut short before something is shown: applies, lost runs. What cannot be
 * finished (a read-only state folder) is left for the next command that writes and says why. */
void stage_settle(void);
