/* SPDX-License-Identifier: Apache-2.0
 *
 * Values out of an engine's JSON (RFC 8259), without building any: an inspection is long, has
 * numbers that fit no integer, and six values of it matter. The whole text is checked; what is
 * asked for twice, or is of another kind than asked, is malformed.
 */
#pragma once

#include "base/bytes.h"

enum { SCAN_TEXT_BYTES = 512, SCAN_DEPTH_MAX = 32 };

enum scan_kind : uint8_t { SCAN_TEXT, SCAN_INTEGER, SCAN_BOOL };

/* `path` names members from the outermost object on: "State/OOMKilled"; "RepoDigests/0" is the
 * first of an array. null counts as absent. */
struct scan_want {
    const char *path;
    enum scan_kind kind;
    bool is_found;
    bool flag;
    int64_t number;             /* a fraction is cut off, what fits no int64 is the nearest */
    char text[SCAN_TEXT_BYTES]; /* UTF-8, cut when longer */
};

/* False for what is no JSON, or breaks the above. */
bool scan_json(struct slice text, struct scan_want *wants, size_t count);
