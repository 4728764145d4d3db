/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit log: entries in canonical JSON, hash-chained, in a Merkle tree, in audit.db.
 */
#pragma once

#include "base/clock.h"
#include "codec/json.h"
#include "crypto/merkle.h"
#include "store/state.h"

enum audit_event : uint8_t {
#define EVENT(name, text, meaning) AUDIT_EVENT_##name,
#include "events.def"
#undef EVENT
    AUDIT_EVENT_COUNT,
};
const char *audit_event_text(enum audit_event event);
bool audit_event_find(const char *text, enum audit_event *ret_event);
/* Operational entries may wait in the buffer of audit/buffer.h, and a crash may lose them. All
 * others are evidence: durable before anything that rests on them happens. */
bool audit_event_is_operational(enum audit_event event);

struct audit_log;

struct audit_position {
    uint64_t seq;
    struct digest leaf; /* also the chain's hash of the entry */
};

struct audit_head {
    uint64_t size;
    struct digest root;
};

struct audit_log_options {
    const struct state *state; /* borrowed for the log's life */
    const struct clock *clock; /* borrowed for the log's life */
};

/* Opens audit.db, making it when it is not there, and checks the last entry, the frontier and
 * keys/last_checkpoint against each other. ERROR_AUDIT_DAMAGED, ERROR_AUDIT_ROLLED_BACK. */
status_t audit_log_open(const struct audit_log_options *options, struct audit_log **ret_log,
                        struct error *err);
void audit_log_close(struct audit_log *log); /* nullptr is fine */
void audit_log_closep(struct audit_log **log);

/* Appends entries in one durable commit. The caller gives type and fields (objects; consumed, even
 * on failure); the log adds v, seq, time_ms, type and prev_hash. Several processes may append at
 * once. On return the entries are on disk. */
struct audit_append {
    enum audit_event event;
    struct json *fields;
};
status_t audit_log_append(struct audit_log *log, struct audit_append *entries, size_t count,
                          struct audit_position *ret_positions, struct error *err);

/* The tree as it is now. */
status_t audit_log_head(struct audit_log *log, struct audit_head *ret_head, struct error *err);
/* The bytes of an entry, appended to `out`; *ret_found is false when there is none. An entry whose
 * bytes retention deleted is found and has none. */
status_t audit_log_read(struct audit_log *log, uint64_t seq, struct builder *out, bool *ret_found,
                        struct error *err);
/* A merkle_read over the log's stored hashes; context is the struct audit_log. */
status_t audit_log_read_hash(void *context, unsigned level, uint64_t index, struct digest *ret,
                             struct error *err);

/* The inclusion proof of entry `index` in the tree of `size`, at most the log's; out of one
 * snapshot, which is also three times as fast as hash by hash. */
status_t audit_log_prove(struct audit_log *log, uint64_t index, uint64_t size,
                         struct merkle_proof *ret_proof, struct error *err);

/* Calls `each` for entries from `first` on, in order, until it returns false. Bytes are borrowed
 * for the call. Entries without bytes are passed over. */
typedef bool audit_log_each(void *context, uint64_t seq, struct slice entry);
status_t audit_log_scan(struct audit_log *log, uint64_t first, audit_log_each *each, void *context,
                        struct error *err);
/* The same from `last` backwards. */
status_t audit_log_scan_back(struct audit_log *log, uint64_t last, audit_log_each *each,
                             void *context, struct error *err);
