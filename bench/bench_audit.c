/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of the audit log, on the disk of the folder it is given: bench_audit FOLDER KEYS_PROGRAM.
 * The synced append stands beside the same disk's own fdatasync of a file of that size, because an
 * append can be no faster than that.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/check.h"
#include "audit/receipt.h"
#include "base/assert.h"

enum { BATCH = 1000, BATCHES = 1049, SYNCED = 300, ROUNDS = 2000 };

struct bench {
    struct clock clock;
    struct state state;
    struct audit_log *log;
    struct keys_client *keys;
    struct error err;
};

static void must(struct bench *bench, status_t status, const char *what) {
    if (!status_is_ok(status)) {
        (void)fprintf(stderr, "bench_audit: %s: %s %s\n", what, bench->err.message,
                      bench->err.detail);
        exit(1);
    }
}

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void row(const char *what, uint64_t *samples, size_t count) {
    qsort(samples, count, sizeof *samples, compare);
    (void)printf("%-44s %10.1f us p50 %10.1f us p99\n", what, (double)samples[count / 2] / 1e3,
                 (double)samples[count * 99 / 100] / 1e3);
}

/* What a run's intent holds, in size and shape. */
static struct json *fields(void) {
    struct json *decision = json_object_new();
    struct json *reasons = json_array_new();
    json_append_text(reasons, "commands may run in this template");
    json_set(decision, "reasons", reasons);
    json_set_text(decision, "outcome", "allow");
    json_set_text(decision, "rule", "default.run");
    struct json *object = json_object_new();
    json_set(object, "decision", decision);
    json_set_text(object, "caller", "uid:1000");
    json_set_text(object, "operation", "run.exec");
    json_set_text(object, "request", "01a1fc18-bd5e-753c-837d-e70cb26146d9");
    json_set_text(object, "workspace", "/home/somebody/projects/something");
    return object;
}

/* Returns how long the append itself took. */
static uint64_t append(struct bench *bench, size_t count) {
    struct audit_append entries[BATCH];
    for (size_t i = 0; i < count; i++) {
        entries[i] = (struct audit_append){AUDIT_EVENT_DECISION, fields()};
    }
    uint64_t start = clock_monotonic_ns(&bench->clock);
    must(bench, audit_log_append(bench->log, entries, count, nullptr, &bench->err), "append");
    return clock_monotonic_ns(&bench->clock) - start;
}

static void measure_batches(struct bench *bench) {
    uint64_t took = 0;
    for (unsigned i = 0; i < BATCHES; i++) {
        took += append(bench, BATCH);
    }
    (void)printf("%-44s %10.0f entries/s (goal: 100,000)\n",
                 "append, batches of 1,000, each synced",
                 (double)BATCH * BATCHES * 1e9 / (double)took);
}

static void measure_synced(struct bench *bench) {
    uint64_t appends[SYNCED];
    uint64_t syncs[SYNCED];
    char block[4096] = "x";
    int file = openat(bench->state.fd, "sync-probe", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT(file >= 0);
    for (unsigned i = 0; i < SYNCED; i++) { /* in turn, so that both meet the same disk */
        appends[i] = append(bench, 1);
        uint64_t start = clock_monotonic_ns(&bench->clock);
        ASSERT(write(file, block, sizeof block) == sizeof block && fdatasync(file) == 0);
        syncs[i] = clock_monotonic_ns(&bench->clock) - start;
    }
    (void)close(file);
    row("append of one entry, synced", appends, SYNCED);
    row("  write and fdatasync of 4 KiB, same disk", syncs, SYNCED);
    (void)printf("%-44s %10.1f us p50 (goal: at most 300)\n", "  over the disk's own",
                 ((double)appends[SYNCED / 2] - (double)syncs[SYNCED / 2]) / 1e3);
}

static void measure_open(struct bench *bench) {
    uint64_t samples[200];
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        audit_log_closep(&bench->log);
        uint64_t start = clock_monotonic_ns(&bench->clock);
        must(bench,
             audit_log_open(&(struct audit_log_options){&bench->state, &bench->clock}, &bench->log,
                            &bench->err),
             "open");
        samples[i] = clock_monotonic_ns(&bench->clock) - start;
    }
    row("open with its check", samples, sizeof samples / sizeof samples[0]);
}

static void measure_proofs(struct bench *bench) {
    uint64_t samples[ROUNDS];
    const uint64_t size = UINT64_C(1) << 20;
    struct merkle_proof proof = {0};
    for (uint64_t i = 0; i < ROUNDS; i++) {
        uint64_t start = clock_monotonic_ns(&bench->clock);
        must(bench, audit_log_prove(bench->log, i * 524287 % size, size, &proof, &bench->err),
             "prove");
        samples[i] = clock_monotonic_ns(&bench->clock) - start;
    }
    row("inclusion proof out of the database", samples, ROUNDS);
    (void)printf("%-44s %10" PRIu64 " entries, proof %u bytes (goal: 50 us, 640)\n",
                 "  in a tree of", size, proof.count * DIGEST_BYTES);
}

static void measure_checkpoints(struct bench *bench, const char *program) {
    enum { SIGNED = 100 };
    uint64_t samples[SIGNED];
    uint64_t started = clock_monotonic_ns(&bench->clock);
    must(bench,
         keys_client_start_program(KEYS_SIGNER_LOG, program, bench->state.keys_fd, &bench->keys,
                                   &bench->err),
         "start airlock-keys");
    uint64_t returned = clock_monotonic_ns(&bench->clock);
    for (size_t i = 0; i < SIGNED; i++) {
        struct audit_head head;
        (void)append(bench, 1);
        must(bench, audit_log_head(bench->log, &head, &bench->err), "head");
        uint64_t start = i == 0 ? started : clock_monotonic_ns(&bench->clock);
        must(bench, receipt_checkpoint(bench->log, bench->keys, head.size - 1, &bench->err),
             "checkpoint");
        samples[i] = clock_monotonic_ns(&bench->clock) - start;
    }
    (void)printf("%-44s %10.1f us\n", "airlock-keys: start call returns after",
                 (double)(returned - started) / 1e3);
    (void)printf("%-44s %10.1f us\n", "airlock-keys: start, new key, first checkpoint",
                 (double)samples[0] / 1e3);
    row("airlock-keys: later checkpoint, durable", samples + 1, SIGNED - 1);
}

static void measure_receipts(struct bench *bench) {
    uint64_t writes[ROUNDS];
    uint64_t verifies[ROUNDS];
    struct builder receipt;
    struct builder vkey;
    builder_init(&receipt, (size_t)LIMIT_RECEIPT_BYTES);
    builder_init(&vkey, 1024);
    struct note_keys keys;
    must(bench, receipt_own_vkey(&bench->state, &vkey, &bench->err), "key");
    must(bench,
         note_keys_parse(builder_slice(&vkey), &keys)
             ? STATUS_OK
             : error_set(&bench->err, ERROR_RECEIPT_KEY, 0, "the verifier key is malformed"),
         "key");
    for (uint64_t i = 0; i < ROUNDS; i++) {
        struct receipt_result result;
        uint64_t start = clock_monotonic_ns(&bench->clock);
        builder_reset(&receipt);
        must(bench, receipt_write(bench->log, i * 521, &receipt, &bench->err), "receipt");
        uint64_t middle = clock_monotonic_ns(&bench->clock);
        must(bench, receipt_verify(builder_slice(&receipt), &keys, false, &result, &bench->err),
             "verify");
        verifies[i] = clock_monotonic_ns(&bench->clock) - middle;
        writes[i] = middle - start;
        json_free(result.entry);
    }
    row("receipt written", writes, ROUNDS);
    row("receipt verified", verifies, ROUNDS);
    builder_deinit(&vkey);
    builder_deinit(&receipt);
}

static void measure_check(struct bench *bench) {
    struct audit_check_options options = {0};
    struct audit_check_result result;
    uint64_t start = clock_monotonic_ns(&bench->clock);
    must(bench, audit_log_check(bench->log, &options, &result, &bench->err), "check");
    uint64_t took = clock_monotonic_ns(&bench->clock) - start;
    (void)printf("%-44s %10.0f entries/s, %.2f s (goal: 5 s a million)\n",
                 "the whole log recomputed", (double)result.size * 1e9 / (double)took,
                 (double)took / 1e9);
}

int main(int argc, char **argv) {
    struct bench bench = {.clock = clock_system()};
    if (argc != 3 || setenv("AIRLOCK_STATE_DIR", argv[1], 1) != 0) {
        (void)fprintf(stderr, "usage: bench_audit NEW-STATE-FOLDER PATH-OF-AIRLOCK-KEYS\n");
        return 2;
    }
    must(&bench, state_open(&bench.state, &bench.err), "state");
    must(&bench,
         audit_log_open(&(struct audit_log_options){&bench.state, &bench.clock}, &bench.log,
                        &bench.err),
         "open");
    measure_batches(&bench);
    measure_synced(&bench);
    measure_checkpoints(&bench, argv[2]);
    measure_open(&bench);
    measure_proofs(&bench);
    measure_receipts(&bench);
    measure_check(&bench);
    keys_client_stop(bench.keys);
    audit_log_close(bench.log);
    state_close(&bench.state);
    return 0;
}
