/* SPDX-License-Identifier: Apache-2.0
 *
 * keys/last_checkpoint, and keys/last_checkpoint_pq: the highest checkpoint that a key signed, and
 * the one before it. `name` is the file's.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { SLOT_BYTES = 8192, SLOT_COUNT = 2 };

enum { SLOT_NONE = -1 }; /* there is no file, or one of an earlier version */

/* Appends the text of the newest checkpoint to `out`. *ret_found is false when there is no file.
 * ERROR_AUDIT_DAMAGED when the file is there and no slot of it is whole. */
status_t slots_read(int folder_fd, const char *name, struct builder *out, bool *ret_found,
                    struct error *err);
/* The same, and which slot it is, for slots_write(). */
status_t slots_read_newest(int folder_fd, const char *name, struct builder *out, bool *ret_found,
                           int *ret_newest, struct error *err);
/* Makes a checkpoint the newest; durable on return, and whenever power fails the file holds it or
 * the one before. The caller holds the lock, and has read `newest` since it has. The text has less
 * than SLOT_BYTES - 32 bytes. */
status_t slots_write(int folder_fd, const char *name, struct slice text, int newest,
                     struct error *err);
