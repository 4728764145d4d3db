/* SPDX-License-Identifier: Apache-2.0
 *
 * What this machine gives a sandbox, found out by trying it. Every wall is tried alone, in a child
 * process that is thrown away, so that a sandbox that cannot be made can name the one that is to
 * blame and the knob behind it. Nothing is concluded from a version number where it can be tried.
 */
#pragma once

#include "base/error.h"
#include "sandbox/launcher.h"
#include "store/state.h"

enum { WALL_COUNT_MAX = 24, WALL_LEVEL_BYTES = 96 };

enum wall_state : uint8_t {
    WALL_THERE,
    WALL_LESS,    /* there, and there is a better level; `how` says how to get that */
    WALL_MISSING, /* no sandbox without it; `how` names the knob */
    WALL_UNTRIED, /* something it stands on is missing */
};
const char *wall_state_text(enum wall_state state); /* "there", "less", "missing", "untried" */

struct wall {
    const char *name;
    enum wall_state state;
    enum error_code code; /* of what a run would say when it is missing */
    char level[WALL_LEVEL_BYTES];
    char how[ERROR_HINT_BYTES_MAX]; /* "" when there is nothing to say */
};

struct wall_report {
    struct wall wall[WALL_COUNT_MAX];
    size_t count;
};

/* Tries every wall. `state` is where overlays will stand: their filesystem is tried, in a folder
 * that is removed again. nullptr: there is none, and what needs it stays untried. */
void walls_try(const struct state *state, struct wall_report *ret_report);
/* Adds a row, with level and `how` empty; ends the program when the report is full. */
struct wall *wall_add(struct wall_report *report, const char *name);
[[gnu::format(printf, 2, 3)]]
void wall_level(struct wall *wall, const char *format, ...);
[[gnu::format(printf, 2, 3)]]
void wall_how(struct wall *wall, const char *format, ...);
/* The row of that name, or nullptr. */
const struct wall *wall_find(const struct wall_report *report, const char *name);
/* A row that is missing because of this error. */
void wall_fail(struct wall *wall, const struct error *err);

/* Makes a complete sandbox of a template, as a run would, and has it run `true`. */
struct wall_sandbox {
    struct sandbox_levels levels;
    uint64_t setup_ns;
    int exit_status;
};
status_t wall_try_sandbox(const struct state *state, const struct template_row *row,
                          struct wall_sandbox *ret_sandbox, struct error *err);
