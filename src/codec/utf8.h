/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 (RFC 3629), one code point at a time. Inside codec only.
 */
#pragma once

#include "base/bytes.h"

/* The length of the code point at `offset`, which is below bytes.size; 0 when it is no valid,
 * shortest-form UTF-8 or a surrogate. */
size_t utf8_next(struct slice bytes, size_t offset, uint32_t *ret_point);

/* Code points that change what a terminal or an editor shows without being seen: C0 and C1
 * controls, line and paragraph separators, bidirectional controls, zero-width ones. */
bool utf8_is_hostile(uint32_t point);
