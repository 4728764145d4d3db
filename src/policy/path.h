/* SPDX-License-Identifier: Apache-2.0
 *
 * Paths as a careless filesystem would read them. A workspace may be checked out on a filesystem
 * that folds case or drops trailing dots, so names are compared in the form such a filesystem
 * gives them: what is protected is protected in every spelling.
 */
#pragma once

#include <stddef.h>

enum { POLICY_COMPONENT_COUNT_MAX = 256, POLICY_PATH_BYTES_MAX = 8192 };

struct policy_path {
    char text[POLICY_PATH_BYTES_MAX];
    const char *component[POLICY_COMPONENT_COUNT_MAX]; /* folded; point into text */
    size_t count;
    bool overflow; /* more than fits: callers deny */
    bool escapes;  /* `..` left the top */
};

/* Splits and folds a path relative to the workspace. "." and empty components go; ".." takes one
 * away. ASCII case is folded; trailing dots and spaces, what follows a colon (NTFS streams) and
 * code points that HFS+ ignores are dropped; "git~1" is ".git". */
void policy_path_parse(const char *path, struct policy_path *ret_path);

/* Follows `target` from the folder that holds `path`, by text. Absolute targets are taken relative
 * to `workspace` when they lie below it; others escape. */
void policy_path_resolve_link(const char *path, const char *target, const char *workspace_or_null,
                              struct policy_path *ret_path);
