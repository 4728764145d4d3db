/* SPDX-License-Identifier: Apache-2.0
 *
 * What the writer and the reader of a JSONL export agree on. Inside audit only.
 */
#pragma once

#include "codec/json.h"

#define JSONL_COMMITMENT "commitment:"
#define JSONL_KIND_CALLER "caller"
enum { JSONL_LINE_BYTES_MAX = 8 * 65536 };

/* The member "facts" of an entry, to be changed; nullptr when it has none. */
struct json *jsonl_facts(struct json *entry);
