/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <sys/stat.h>

#include "store/state.h"

/* A folder that a policy names for an extension to see: a folder, and nobody else's to write, like
 * the policy file itself. *ret_status is its identity. ERROR_POLICY_EXTENSION. */
status_t extension_folder_check(const char *path, struct stat *ret_status, struct error *err);

/* Makes extensions/<id> with all a sandbox needs, for a payload with these ids outside, and removes
 * what others left there that live no more. *ret_fd carries its lock. */
status_t extension_folder_make(const struct state *state, const char *id, uint32_t uid,
                               uint32_t gid, int *ret_fd, struct error *err);
void extension_folder_remove(const struct state *state, const char *id);
