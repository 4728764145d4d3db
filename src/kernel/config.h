/* SPDX-License-Identifier: Apache-2.0
 *
 * The user's config.yaml (store/config.h says where): sections of keys, listed in
 * schema/config.def. A file that is not there configures nothing; one that cannot be used is an
 * error, because going on without it would do what was not configured.
 */
#pragma once

#include "base/limits.h"
#include "crypto/secret.h"
#include "store/state.h"

enum config_key : uint8_t {
#define CONFIG(name, section, key, kind, meaning) CONFIG_##name,
#include "config.def"
#undef CONFIG
    CONFIG_COUNT,
};

struct yaml_tree;
struct config {
    char path[LIMIT_PATH_BYTES];      /* of the file, whether it is there or not */
    struct yaml_tree *tree;           /* owns the values */
    const char *values[CONFIG_COUNT]; /* nullptr: not given */
};

/* Reads it, strictly: a key that is not in the table, a value that is not of the key's kind, a file
 * that others can write. Without HOME and XDG_CONFIG_HOME there is none. ERROR_CONFIG_INVALID
 * begins FILE:LINE:COLUMN; ERROR_IO, ERROR_NO_MEMORY. */
status_t config_read(struct config *ret_config, struct error *err);
void config_deinit(struct config *config);

/* Opens a file that the user keeps: theirs, regular, and without the permissions in `forbidden`.
 * Links are followed, into their dotfiles; what counts is what they lead to. The error has `code`,
 * and ENOENT when there is none. */
status_t config_open_own(const char *path, unsigned forbidden, enum error_code code, int *ret_fd,
                         struct error *err);

/* Reads a key file: exactly 32 bytes, a regular file of the caller's that nobody else can read.
 * ERROR_AUDIT_KEY; ERROR_LIMIT when memory cannot be locked. */
status_t config_read_key(const char *path, struct secret **ret_key, struct error *err);

bool config_is_on(const struct config *config, enum config_key key); /* of a SWITCH; default off */

/* state_open(), the log's key when one is configured, and whether second signatures are on. */
status_t config_state_open(struct state *ret_state, struct error *err);
/* The same for commands that do not open the log: without its key. */
status_t config_state_open_keyless(struct state *ret_state, struct error *err);
