/* SPDX-License-Identifier: Apache-2.0
 *
 * Changed outcomes of a replay as a person reads them: grouped by what became what, BREAKING first.
 */
#pragma once

#include "cli/cli.h"
#include "kernel/policy_replay.h"

struct replay_row;

struct replay_view {
    const struct cli *cli;
    FILE *out;
    bool color;
    struct replay_group {
        struct replay_row *rows; /* owned */
        uint64_t count;          /* past LIMIT_REPLAY_SHOWN they are only counted */
    } groups[POLICY_OUTCOME_COUNT][POLICY_OUTCOME_COUNT];
};

void replay_view_deinit(struct replay_view *view);
/* Keeps a change for the table. */
void replay_view_add(struct replay_view *view, const struct policy_replay_change *change);
/* The tables, then what was looked at and what could not be. */
void replay_view_print(const struct replay_view *view, const struct policy_replay_result *result);

/* One change, or the end of a replay, as a JSON object; the caller owns it. */
struct json *replay_change_json(const struct policy_replay_change *change);
struct json *replay_result_json(const struct policy_replay_result *result);
