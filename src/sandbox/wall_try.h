/* SPDX-License-Identifier: Apache-2.0
 *
 * What the wall_*.c files share. An attempt runs in a child and answers 0 or an errno.
 */
#pragma once

#include "sandbox/wall.h"

typedef int wall_attempt(void *context);

/* Runs an attempt in a child process of its own. EIO when the child died. */
int wall_run(wall_attempt *attempt, void *context);
/* Into a new user namespace, with the caller's ids mapped to themselves, and the others named in
 * `flags` (CLONE_NEW*). 0 or an errno. */
int wall_enter(int flags);
/* A detached mount of a filesystem that needs no source; -1 with errno. */
int wall_mount(const char *filesystem, const char *option, const char *value);
bool wall_write_text(const char *path, const char *text);
/* The number a file of /proc/sys holds; `missing` when there is no such file. */
long wall_read_number(const char *path, long missing);
/* Whether a seccomp filter was in force before we came, as in a container. */
bool wall_is_filtered(void);

void wall_try_namespaces(struct wall_report *report);
void wall_try_mounts(struct wall_report *report);
void wall_try_overlay(const struct state *state, struct wall_report *report);
void wall_try_idmap(const struct state *state, struct wall_report *report);
void wall_try_landlock(struct wall_report *report);
void wall_try_seccomp(struct wall_report *report);
