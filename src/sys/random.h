/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Fills with bytes from getrandom(2); aborts if the kernel has none, because nothing of ours may
 * go on with a guess. */
void random_fill(void *data, size_t size);

enum { ID_TEXT_BYTES = 37 }; /* 36 characters and a NUL */

/* A UUIDv7 (RFC 9562, section 5.7) in lower-case text, for the wall clock `time_ms`. */
void id_generate(uint64_t time_ms, char ret_id[static ID_TEXT_BYTES]);

/* The form of a UUID in lower case; any version. */
bool id_is_valid(const char *text);
