/* SPDX-License-Identifier: Apache-2.0
 *
 * Operational entries, which may wait a moment so that many share one commit. They are written
 * when the first of them has waited LIMIT_BUFFER_MS, when LIMIT_BUFFER_ENTRIES wait, when the log
 * is closed, and always before a synchronous append of the same log, in the same commit: what came
 * first stands first. A crash loses those that wait and nothing else. Each keeps the time at which
 * it was handed in.
 *
 * When the buffer is full and cannot be written (a full disk, a lock held too long), what comes
 * then is dropped and counted, and the next commit holds an audit_gap entry that says how many.
 */
#pragma once

#include "audit/log.h"

/* Takes one operational entry; fields are consumed, even on failure. Fails only when the entry
 * itself is not in order. A caller with an event loop asks audit_buffer_due_ms() how long to
 * sleep, then calls audit_buffer_flush(). */
status_t audit_buffer_add(struct audit_log *log, enum audit_event event, struct json *fields,
                          struct error *err);
/* Writes what waits. On failure it goes on waiting. */
status_t audit_buffer_flush(struct audit_log *log, struct error *err);

enum { AUDIT_BUFFER_IDLE = -1 };
/* Milliseconds until a flush is due: 0 when it is, AUDIT_BUFFER_IDLE when nothing waits. */
int64_t audit_buffer_due_ms(const struct audit_log *log);

/* Entries that were dropped since the last audit_gap entry was written. */
uint64_t audit_buffer_dropped(const struct audit_log *log);
