/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/buffer.h"

#include "audit/entry.h"
#include "audit/log_file.h"
#include "base/assert.h"
#include "base/cleanup.h"

/* Checked on the way in, so that what waits can never make a later append fail. */
static status_t fits(enum audit_event event, const struct json *fields, struct error *err) {
    TRY(entry_check(event, fields, err));
    struct builder bytes;
    builder_init(&bytes, (size_t)LIMIT_ENTRY_BYTES - ENTRY_LOG_FIELDS_BYTES_MAX);
    json_write_canonical(fields, &bytes);
    bool is_short = builder_is_ok(&bytes);
    builder_deinit(&bytes);
    if (!is_short) {
        limit_hit(LIMIT_ID_ENTRY_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "an operational entry of the log is too long");
    }
    return STATUS_OK;
}

static void drop(struct audit_log *log) {
    limit_hit(LIMIT_ID_BUFFER_ENTRIES);
    if (log->buffer.dropped == 0) {
        log->buffer.dropped_since_ms = clock_wall_ms(log->clock);
    }
    log->buffer.dropped++;
}

status_t audit_buffer_add(struct audit_log *log, enum audit_event event, struct json *fields,
                          struct error *err) {
    ASSERT(audit_event_is_operational(event));
    CLEANUP(json_freep) struct json *owned = fields;
    struct audit_buffer *buffer = &log->buffer;
    struct error ignored = {0}; /* what cannot be written waits, or is counted */
    TRY(fits(event, owned, err));
    if (buffer->count == (size_t)LIMIT_BUFFER_ENTRIES || audit_buffer_due_ms(log) == 0) {
        (void)!status_is_ok(audit_buffer_flush(log, &ignored));
    }
    if (buffer->count == (size_t)LIMIT_BUFFER_ENTRIES) {
        drop(log);
        return STATUS_OK;
    }
    if (buffer->count == 0) {
        buffer->since_ns = clock_monotonic_ns(log->clock);
    }
    buffer->entries[buffer->count++] =
        (struct audit_waiting){event, TAKE(owned), clock_wall_ms(log->clock)};
    return STATUS_OK;
}

status_t audit_buffer_flush(struct audit_log *log, struct error *err) {
    return log->buffer.count == 0 && log->buffer.dropped == 0
               ? STATUS_OK
               : audit_log_write(log, nullptr, 0, nullptr, err);
}

int64_t audit_buffer_due_ms(const struct audit_log *log) {
    if (log->buffer.count == 0) {
        return AUDIT_BUFFER_IDLE;
    }
    uint64_t waited_ms = (clock_monotonic_ns(log->clock) - log->buffer.since_ns) / 1000000;
    return waited_ms >= (uint64_t)LIMIT_BUFFER_MS ? 0 : LIMIT_BUFFER_MS - (int64_t)waited_ms;
}

uint64_t audit_buffer_dropped(const struct audit_log *log) {
    return log->buffer.dropped;
}

void audit_buffer_written(struct audit_log *log) {
    for (size_t i = 0; i < log->buffer.count; i++) {
        json_freep(&log->buffer.entries[i].fields);
    }
    log->buffer.count = 0;
    log->buffer.dropped = 0;
}
