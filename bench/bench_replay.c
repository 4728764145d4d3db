/* SPDX-License-Identifier: Apache-2.0
 *
 * History judged again, on the disk of the folder it is given: bench_replay FOLDER. The log holds
 * 100,000 entries in the shape of real ones, of which 95 of 100 are decisions; the policy that
 * judges has 1,000 rules, and changes a part of the outcomes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "kernel/facts.h"
#include "kernel/policy_replay.h"

enum {
    ENTRIES = 100000,
    BATCH = 1000,
    RULES = 1000,
    ROUNDS = 5,
    CHANGED =
        15000, /* of ten projects one and a half: half of those that want a review are left out */
};

struct bench {
    struct clock clock;
    struct state state;
    struct audit_log *log;
    struct error err;
};

static void must(const struct bench *bench, status_t status) {
    if (!status_is_ok(status)) {
        (void)fprintf(stderr, "bench_replay: %s: %s\n", bench->err.message, bench->err.detail);
        exit(1);
    }
}

/* What a run's intent holds, in size and shape. */
static struct json *decided(unsigned number) {
    const struct policy_in_force policy = {};
    char path[64];
    (void)snprintf(path, sizeof path, "project%u/src/part%u/main.c", number * 7919 % RULES,
                   number % 7);
    const struct policy_request request = {
        .operation = "fs.write",
        .caller = "uid:1000",
        .path = path,
        .transport = "cli",
        .has_size = true,
        .size = number,
    };
    struct json *decision = json_object_new();
    struct json *reasons = json_array_new();
    struct json *fields = json_object_new();
    json_append_text(reasons, "a rule of this project allows it");
    json_set(decision, "reasons", reasons);
    json_set_text(decision, "outcome", "allow");
    json_set_text(decision, "rule", "project-rule");
    json_set(fields, "decision", decision);
    json_set_text(fields, "caller", "uid:1000");
    json_set_text(fields, "operation", "fs.write");
    json_set_text(fields, "request", "0198f2a0-7c1e-7a90-8a53-8d1f00c0ffee");
    json_set_text(fields, "run", "0198f2a0-7c1e-7a90-8a53-8d1f00c0ffee");
    json_set_text(fields, "workspace", "/nowhere/project");
    facts_record(fields, &request, &policy);
    return fields;
}

static struct json *warning(void) {
    struct json *fields = json_object_new();
    json_set_integer(fields, "percent", 80);
    json_set_integer(fields, "used_bytes", 800);
    json_set_integer(fields, "bytes_max", 1000);
    return fields;
}

static void fill(struct bench *bench) {
    for (unsigned number = 0; number < ENTRIES; number += BATCH) {
        static struct audit_append entries[BATCH];
        for (unsigned i = 0; i < BATCH; i++) {
            bool is_other = i % 20 == 19;
            entries[i] =
                (struct audit_append){is_other ? AUDIT_EVENT_STORAGE_WARNING : AUDIT_EVENT_DECISION,
                                      is_other ? warning() : decided(number + i)};
        }
        must(bench, audit_log_append(bench->log, entries, BATCH, nullptr, &bench->err));
    }
}

/* Every project has its rule; each tenth denies, each tenth wants a review. */
static void make_policy(struct builder *text) {
    static const char *const actions[] = {"deny", "require_review"};
    builder_init(text, 1 << 20);
    builder_text(text, "version: 1\nrules:\n");
    for (unsigned i = 0; i < RULES; i++) {
        builder_format(text,
                       "  - name: rule-%u\n"
                       "    match: { operation: fs.write, path: [\"project%u/**\"] }\n"
                       "    action: %s\n",
                       i, i, i % 10 < 2 ? actions[i % 10] : "allow");
    }
    ASSERT(builder_is_ok(text));
}

static void count(void *context, const struct policy_replay_change *change) {
    uint64_t *changes = context;
    *changes += change->was != change->now;
}

static void measure(struct bench *bench, const struct slice *policy) {
    uint64_t best_ns = UINT64_MAX;
    struct policy_replay_result result;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t changes = 0;
        const struct policy_replay_options options = {
            .state = &bench->state,
            .log = bench->log,
            .clock = &bench->clock,
            .text = policy,
            .name = "bench.yaml",
            .changed = count,
            .context = &changes,
        };
        uint64_t start_ns = clock_monotonic_ns(&bench->clock);
        must(bench, policy_replay(&options, &result, &bench->err));
        uint64_t took_ns = clock_monotonic_ns(&bench->clock) - start_ns;
        best_ns = took_ns < best_ns ? took_ns : best_ns;
        ASSERT(result.entries == ENTRIES && changes == result.changed_count);
        ASSERT(changes == CHANGED);
    }
    (void)printf("%-52s %9.3f s  %9.0f decisions/s, %" PRIu64 " changed\n",
                 "replay of 100,000 entries, 1,000 rules, loading too", (double)best_ns / 1e9,
                 (double)result.decisions * 1e9 / (double)best_ns, result.changed_count);
}

int main(int argc, char **argv) {
    static struct bench bench;
    struct builder text;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: bench_replay FOLDER\n");
        return 2;
    }
    if (setenv("AIRLOCK_STATE_DIR", argv[1], 1) != 0) {
        return 1;
    }
    bench.clock = clock_system();
    must(&bench, state_open(&bench.state, &bench.err));
    const struct audit_log_options options = {&bench.state, &bench.clock};
    must(&bench, audit_log_open(&options, &bench.log, &bench.err));
    fill(&bench);
    make_policy(&text);
    const struct slice policy = builder_slice(&text);
    measure(&bench, &policy);
    builder_deinit(&text);
    audit_log_close(bench.log);
    state_close(&bench.state);
    return 0;
}
