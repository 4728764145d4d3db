/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of the policy engine with 1,000 rules read from YAML: what a decision takes when the
 * rules are about many operations and when all are about the same one, how many decisions of the
 * past can be made again in a second, and how long the file takes to load and compile.
 *
 * With a folder as argument it writes rules, requests and our answers there, as spread.json and
 * same.json, for a peer to answer too (bench/cedar).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "policy/builtin.h"
#include "policy/compile.h"
#include "policy/load.h"

enum {
    RULES = 1000,
    REQUESTS = 2000,
    ROUNDS = 20,
    LOADS = 50,
    OPERATIONS = 50,
    TEXT_MAX = 1 << 20
};

struct set {
    struct builder yaml;
    struct policy_document *document;
    struct policy_rules *rules;
    char operations[REQUESTS][32];
    char paths[REQUESTS][64];
    struct policy_request requests[REQUESTS];
};

static uint64_t now_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Processor time of this thread: for what takes long enough that others get the core meanwhile. */
static uint64_t used_ns(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static unsigned operation_of(unsigned rule, bool same) {
    return same ? 0 : rule % OPERATIONS;
}

/* Every rule is about a folder of its own; each tenth denies, each tenth wants a review. */
static const char *action_of(unsigned rule) {
    static const char *const actions[] = {"deny", "require_review"};
    return rule % 10 < 2 ? actions[rule % 10] : "allow";
}

static void make_rules(struct set *set, bool same) {
    builder_init(&set->yaml, TEXT_MAX);
    builder_text(&set->yaml, "version: 1\nrules:\n");
    for (unsigned i = 0; i < RULES; i++) {
        builder_format(&set->yaml,
                       "  - name: rule-%u\n"
                       "    match: { operation: fs.op%u, path: [\"project%u/**\"] }\n"
                       "    action: %s\n"
                       "    except: [ { path: [\"project%u/**/*.lock\"] } ]\n",
                       i, operation_of(i, same), i, action_of(i), i);
    }
    ASSERT(builder_is_ok(&set->yaml));
}

/* Ten of eleven requests meet a rule, one meets none. */
static void make_requests(struct set *set, bool same) {
    for (unsigned i = 0; i < REQUESTS; i++) {
        unsigned rule = (i * 7919U) % RULES;
        const char *folder = i % 11 == 10 ? "elsewhere" : "project";
        (void)snprintf(set->operations[i], sizeof set->operations[i], "fs.op%u",
                       operation_of(rule, same));
        (void)snprintf(set->paths[i], sizeof set->paths[i], "%s%u/src/part%u/main.c", folder, rule,
                       i % 7);
        set->requests[i] = (struct policy_request){.operation = set->operations[i],
                                                   .path = set->paths[i],
                                                   .caller = "uid:1000",
                                                   .now_ms = 1783000000000};
    }
}

static void load(struct set *set) {
    struct policy_diagnostics diagnostics;
    struct error err = {};
    status_t status =
        policy_load(builder_slice(&set->yaml), "bench.yaml", &diagnostics, &set->document, &err);
    if (status_is_ok(status)) {
        const struct policy_layer_source layer = {set->document, POLICY_LAYER_USER,
                                                  POLICY_LAYER_FULL};
        status = policy_compile(&layer, 1, &set->rules, &err);
    }
    if (!status_is_ok(status)) {
        (void)fprintf(stderr, "bench_policy: %s: %s\n", err.message, err.detail);
        exit(1);
    }
}

static void unload(struct set *set) {
    policy_rules_free(set->rules);
    policy_document_free(set->document);
}

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void row(const char *what, uint64_t *samples, size_t count, double unit,
                const char *unit_name) {
    qsort(samples, count, sizeof *samples, compare);
    (void)printf("%-52s %9.2f %s p50 %9.2f %s p99\n", what, (double)samples[count / 2] / unit,
                 unit_name, (double)samples[count * 99 / 100] / unit, unit_name);
}

static struct policy_engine engine_of(const struct set *set) {
    return (struct policy_engine){.builtins = policy_builtin_rules,
                                  .builtin_count = policy_builtin_count,
                                  .rules = set->rules};
}

static void measure_decisions(const struct set *set, const char *what) {
    static uint64_t samples[ROUNDS * REQUESTS];
    static struct policy_decision decision;
    const struct policy_engine engine = engine_of(set);
    size_t count = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < REQUESTS; i++) {
            uint64_t start = now_ns();
            policy_evaluate(&engine, &set->requests[i], &decision);
            samples[count++] = now_ns() - start;
        }
    }
    row(what, samples, count, 1e3, "us");
}

static void measure_rate(const struct set *set, const char *what) {
    static struct policy_decision decision;
    const struct policy_engine engine = engine_of(set);
    unsigned allowed = 0;
    uint64_t start = used_ns();
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < REQUESTS; i++) {
            policy_evaluate(&engine, &set->requests[i], &decision);
            allowed += decision.outcome == POLICY_ALLOW ? 1 : 0;
        }
    }
    double seconds = (double)(used_ns() - start) / 1e9;
    (void)printf("%-52s %9.0f decisions/s of processor time (%u%% allowed)\n", what,
                 ROUNDS * REQUESTS / seconds, allowed * 100 / (ROUNDS * REQUESTS));
}

static void measure_loads(struct set *set) {
    static uint64_t samples[LOADS];
    for (unsigned i = 0; i < LOADS; i++) {
        unload(set);
        uint64_t start = used_ns();
        load(set);
        samples[i] = used_ns() - start;
    }
    row("load and compile 1,000 rules from YAML", samples, LOADS, 1e6, "ms");
}

static FILE *open_in(const char *folder, const char *name) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "we");
    if (file == nullptr) {
        perror(path);
        exit(1);
    }
    return file;
}

/* The same rules and requests, as data for a peer, and what we say to them. */
static void export_set(const struct set *set, bool same, const char *folder, const char *name) {
    FILE *file = open_in(folder, name);
    (void)fprintf(file, "{\"rules\":[");
    for (unsigned i = 0; i < RULES; i++) {
        (void)fprintf(file,
                      "%s{\"operation\":\"fs.op%u\",\"folder\":\"project%u\",\"action\":\"%s\"}",
                      i > 0 ? "," : "", operation_of(i, same), i, action_of(i));
    }
    (void)fprintf(file, "],\"requests\":[");
    const struct policy_engine engine = engine_of(set);
    for (unsigned i = 0; i < REQUESTS; i++) {
        static struct policy_decision decision;
        policy_evaluate(&engine, &set->requests[i], &decision);
        (void)fprintf(file, "%s{\"operation\":\"%s\",\"path\":\"%s\",\"outcome\":\"%s\"}",
                      i > 0 ? "," : "", set->operations[i], set->paths[i],
                      policy_outcome_text(decision.outcome));
    }
    (void)fprintf(file, "]}\n");
    if (fclose(file) != 0) {
        perror(name);
        exit(1);
    }
}

static void measure(bool same, const char *folder_or_null) {
    static struct set set;
    set = (struct set){};
    make_rules(&set, same);
    make_requests(&set, same);
    load(&set);
    measure_decisions(&set, same ? "decision, 1,000 rules for the same operation"
                                 : "decision, 1,000 rules over 50 operations");
    measure_rate(&set, same ? "deciding again, same operation" : "deciding again, 50 operations");
    if (same) {
        measure_loads(&set);
    }
    if (folder_or_null != nullptr) {
        export_set(&set, same, folder_or_null, same ? "same.json" : "spread.json");
    }
    unload(&set);
    builder_deinit(&set.yaml);
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : nullptr;
    measure(false, folder);
    measure(true, folder);
    return 0;
}
