/* SPDX-License-Identifier: Apache-2.0
 *
 * Which folder a command is about, and whether it can be a workspace.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "store/state.h"

/* The workspace a command means, absolute and with symbolic links resolved: the option (--workspace
 * DIR) when it is given, else the nearest parent of the current folder with .airlock or .git, else
 * the current folder. WORKSPACE_UNUSABLE when it is no folder. */
status_t workspace_find(const char *option_or_null, char ret_path[static LIMIT_PATH_BYTES],
                        struct error *err);

/* The identity a sandbox is held to. */
struct workspace_identity {
    uint64_t dev;
    uint64_t ino;
};

/* Whether runs may work on it. Refuses `/`, a folder that holds the state folder or lies in it, one
 * that is not the caller's, one with other mounts below it, and filesystems that overlayfs cannot
 * stand on. `path` is from workspace_find(). */
status_t workspace_check(const struct state *state, const char *path,
                         struct workspace_identity *ret_identity, struct error *err);
