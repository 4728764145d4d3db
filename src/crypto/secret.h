/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for keys. Its pages are locked (never swapped), left out of core dumps, absent in a child
 * after fork(), between two pages that fault on any touch, and wiped when freed. Nothing formats,
 * compares or copies a secret as text; comparing goes through digest_equal_constant().
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

enum { SECRET_BYTES_MAX = 4096 }; /* one page, the smallest there is */

struct secret;

/* Room for `size` bytes, 1..SECRET_BYTES_MAX, zero. Its end stands against the guard page behind
 * it, less what 16-byte alignment needs. ERROR_NO_MEMORY; ERROR_LIMIT when the memory cannot be
 * locked. */
status_t secret_new(size_t size, struct secret **ret_secret, struct error *err);
void secret_free(struct secret *secret); /* wipes; nullptr is fine */
void secret_freep(struct secret **secret);

/* Aligned to 16 bytes; lives as long as the secret. A child after fork() must not use it: touching
 * it there is a fault, on purpose. */
void *secret_data(struct secret *secret);
const void *secret_data_const(const struct secret *secret);
size_t secret_size(const struct secret *secret);
