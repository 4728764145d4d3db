/* SPDX-License-Identifier: Apache-2.0
 *
 * What an entry of each type must and may hold. Inside audit only.
 */
#pragma once

#include "audit/log.h"

/* More than v, seq, time_ms, type and prev_hash ever take. */
enum { ENTRY_LOG_FIELDS_BYTES_MAX = 256 };

/* Refuses fields that the table does not know, that are missing, or that have another type. What
 * the log itself adds (v, seq, time_ms, type, prev_hash) must not be among them. */
status_t entry_check(enum audit_event event, const struct json *fields, struct error *err);

/* The hash that entry 0 names as the one before it. */
void entry_genesis(uint64_t time_ms, struct digest *ret_hash);
