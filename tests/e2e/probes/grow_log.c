/* SPDX-License-Identifier: Apache-2.0
 *
 * grow_log SIZE [BYTES]: appends entries to the log of AIRLOCK_STATE_DIR until it has that many;
 * then, when BYTES are given, lets retention work once as if the log might have no more.
 */
#include <stdio.h>
#include <stdlib.h>

#include "audit/log.h"
#include "audit/storage.h"

enum { BATCH = 1000 };

static int append(struct audit_log *log, size_t count, struct error *err) {
    struct audit_append entries[BATCH];
    for (size_t i = 0; i < count; i++) {
        struct json *fields = json_object_new();
        json_set_text(fields, "caller", "uid:1000");
        json_set_text(fields, "operation", "run.exec");
        json_set_text(fields, "request", "one of many");
        json_set(fields, "decision", json_object_new());
        entries[i] = (struct audit_append){AUDIT_EVENT_DECISION, fields};
    }
    return status_is_ok(audit_log_append(log, entries, count, nullptr, err)) ? 0 : 1;
}

static int retain(struct audit_log *log, const char *bytes_max, struct error *err) {
    struct audit_retained retained;
    audit_storage_limit(log, strtoull(bytes_max, nullptr, 10), UINT64_MAX / 2);
    return status_is_ok(audit_storage_retain(log, UINT64_MAX, &retained, err)) ? 0 : 1;
}

int main(int argc, char **argv) {
    struct state state;
    struct clock clock = clock_system();
    struct audit_log *log;
    struct audit_head head;
    struct error err = {0};
    uint64_t wanted = argc >= 2 ? strtoull(argv[1], nullptr, 10) : 0;
    if (wanted == 0 || !status_is_ok(state_open(&state, &err)) ||
        !status_is_ok(audit_log_open(&(struct audit_log_options){&state, &clock}, &log, &err)) ||
        !status_is_ok(audit_log_head(log, &head, &err))) {
        (void)fprintf(stderr, "grow_log SIZE: %s\n", err.message);
        return 1;
    }
    int failed = 0;
    while (failed == 0 && head.size < wanted) {
        uint64_t left = wanted - head.size;
        size_t count = left < BATCH ? (size_t)left : BATCH;
        failed = append(log, count, &err);
        head.size += count;
    }
    if (failed == 0 && argc > 2) {
        failed = retain(log, argv[2], &err);
    }
    if (failed != 0) {
        (void)fprintf(stderr, "grow_log: %s\n", err.message);
    }
    audit_log_close(log);
    state_close(&state);
    return failed;
}
