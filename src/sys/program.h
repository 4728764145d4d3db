/* SPDX-License-Identifier: Apache-2.0
 *
 * Where our own helper programs are.
 */
#pragma once

#include "base/error.h"
#include "base/limits.h"

/* Beside the running program (a build folder, or one folder with everything), else in libexec of
 * the same prefix. The path comes from the kernel, not from PATH or the environment. *ret_found is
 * false when it is in neither place. ERROR_IO. */
status_t program_find(const char *name, char ret_path[static LIMIT_PATH_BYTES], bool *ret_found,
                      struct error *err);
