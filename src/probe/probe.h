/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-probe tries what a command should not be able to do and says what it could. It runs
 * inside a sandbox, this one's or another's, and has nothing to hide and nothing to protect: it is
 * started with a few paths and writes lines.
 *
 *   airlock-probe 1
 *   check NAME
 *   found DETAIL          none: the check found nothing
 *   more NUMBER           findings past PROBE_FOUND_MAX
 *   end NUMBER            of checks; what has no such line died on the way
 *
 * It leaves nothing behind: files it makes have no name, sockets it connects to get no byte, and
 * what could change a namespace is tried in a child.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/bytes.h"

enum { PROBE_FOUND_MAX = 12, PROBE_PATHS_MAX = 64 };

struct probe {
    const char *const *environment;
    const char *home;                   /* "" when there is none */
    const char *stage[PROBE_PATHS_MAX]; /* what may be written, with everything below */
    size_t stage_count;
    const char *hidden[PROBE_PATHS_MAX]; /* what must not be reached; "@name": abstract sockets */
    size_t hidden_count;
    unsigned found_count; /* of the present check */
};

/* A finding; control characters become '?'. */
[[gnu::format(printf, 2, 3)]]
void probe_found(struct probe *probe, const char *format, ...);
/* Runs a try in a child and answers whether it returned true. */
bool probe_try(bool (*attempt)(const void *context), const void *context);
/* Opens and closes. */
bool probe_can_open(const char *path, int flags);
/* The first bytes of a file as text; the number of bytes, -1 when it cannot be read. */
ssize_t probe_read(const char *path, char *text, size_t capacity);
/* Whether the path is one of these or below one. */
bool probe_is_below(const char *path, const char *const *folders, size_t count);
/* Whether NAME, or NAME=VALUE, is called like a secret, and has a value. */
bool probe_is_secret_name(const char *entry);
/* Whether a process is this one or one of its parents. */
bool probe_is_family(pid_t pid);
/* Calls `each` for the processes that /proc shows. */
void probe_each_process(struct probe *probe, void (*each)(struct probe *probe, pid_t pid));

#define PROBE(function, name, title) void function(struct probe *probe);
#include "probes.def"
#undef PROBE
