/* SPDX-License-Identifier: Apache-2.0
 *
 * Turning bytes into text and back: hex, base64 (RFC 4648, canonical only), and escaping of names
 * that may hold anything.
 */
#pragma once

#include "base/bytes.h"

/* Lower-case hex of every byte. */
void text_hex(struct slice bytes, struct builder *out);
/* false unless `text` is exactly 2 * size lower- or upper-case hex digits. */
bool text_unhex(struct slice text, uint8_t *ret, size_t size);

/* Standard alphabet with padding. */
void text_base64(struct slice bytes, struct builder *out);
/* Appends the decoded bytes; false for any other character, wrong padding, or non-zero bits in the
 * last character (non-canonical forms are refused, so that a flipped bit never goes unseen). */
bool text_unbase64(struct slice text, struct builder *out);

/* The alphabet for addresses and tokens (RFC 4648, section 5), without padding. */
void text_base64url(struct slice bytes, struct builder *out);
/* Decodes into `ret`, of `size_max` bytes, without allocating. Refuses what text_unbase64()
 * refuses, any padding, and what does not fit. */
bool text_unbase64url(struct slice text, uint8_t *ret, size_t size_max, size_t *ret_size);

bool text_is_utf8(struct slice bytes);
/* UTF-8 that shows as what it is, on one line: none of what text_escape() makes visible, but for
 * backslashes. For texts that are printed without being escaped. */
bool text_is_plain(struct slice bytes);
/* Any bytes as printable UTF-8: control characters, invalid UTF-8, backslash and bidirectional
 * controls become \n \t \\ \xHH. Used wherever a name from outside is shown or logged. */
void text_escape(struct slice bytes, struct builder *out);
/* The same of what fits into `size` bytes of output, never half a character; "..." behind it when
 * something was left out. */
void text_escape_short(struct slice bytes, size_t size, struct builder *out);
/* Appends the bytes behind what text_escape() wrote; false, with any of them appended, for a
 * backslash that begins no escape of its. */
bool text_unescape(struct slice text, struct builder *out);
