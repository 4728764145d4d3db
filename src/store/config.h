/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the user keeps what they configure.
 */
#pragma once

#include "base/error.h"
#include "base/limits.h"

/* $XDG_CONFIG_HOME/airlock/NAME, else $HOME/.config/airlock/NAME (XDG Base Directory
 * Specification: a relative XDG_CONFIG_HOME is ignored). Whether it exists is not looked at.
 * ERROR_STATE_UNUSABLE when neither is an absolute path, or the path is too long. */
status_t config_path(const char *name, char ret_path[static LIMIT_PATH_BYTES], struct error *err);
