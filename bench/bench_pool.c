/* SPDX-License-Identifier: Apache-2.0
 *
 * Sandboxes from the pool: bench_pool MODE COUNT RUN_FOLDER WORKSPACE CMD [ARG...]
 *
 *   late   one after the other; from the plan's arrival to the first instruction, overlay and all
 *   warm   the plan was there before; from the go to the word that the command was started
 *   cold   as late, but out of an empty pool
 *   many   COUNT at once, each with a run folder of its own below RUN_FOLDER; says "ready" when all
 *          have started, and ends them when standard input does
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench_sandbox.h"
#include "sandbox/pool.h"

enum { GROUND_US = 8000, READY_COUNT = 2 };

struct bench {
    const char *mode;
    size_t count;
    const char *run_folder;
    const char *workspace;
    const char *const *argv;
    const char *path; /* the variable */
    char jail[LIMIT_PATH_BYTES];
    struct clock clock;
    struct pool *pool;
};

static int die(const struct error *err) {
    fprintf(stderr, "%s: %s\n  %s\n", error_slug(err->code), err->message, err->detail);
    return 125;
}

static struct plan_request kind_of(const struct bench *bench) {
    return (struct plan_request){
        .template_row = template_find("code-executor"),
        .argv = bench->argv,
        .workspace = bench->workspace,
        .working_folder = bench->workspace,
        .home = "/home/user",
        .path = strchr(bench->path, '=') + 1,
        .uid = geteuid(),
        .gid = getegid(),
    };
}

/* A sandbox that waits for its go. */
static status_t prepare(const struct bench *bench, const char *run_folder, struct pooled *pooled,
                        struct error *err) {
    const char *environment[] = {bench->path, "HOME=/home/user", nullptr};
    struct plan_request request = kind_of(bench);
    TRY(pool_take(bench->pool, &request, pooled, err));
    request.environment = environment;
    request.run_folder = run_folder;
    request.run_id = pooled->run_id;
    request.host_uid = pooled->host_uid;
    request.host_gid = pooled->host_gid;
    CLEANUP(plan_freep) struct plan *plan = nullptr;
    struct sandbox_levels levels;
    TRY(bench_folders_make(run_folder, request.host_uid, request.host_gid, err));
    TRY(plan_build(&request, pooled->ground, &plan, err));
    TRY(launcher_prepare(pooled->launcher, plan, &(struct launcher_streams){0, 1, 2}, -1, err));
    return launcher_ready(pooled->launcher, &levels, err);
}

static status_t wait_for(struct launcher *launcher, enum launcher_message_type type,
                         struct launcher_message *ret_message, struct error *err) {
    do {
        TRY(launcher_receive(launcher, ret_message, err));
    } while (ret_message->type != type && ret_message->type != LAUNCHER_EXITED);
    return STATUS_OK;
}

static status_t run_once(const struct bench *bench, uint64_t *ret_ns, struct error *err) {
    CLEANUP(pooled_deinit) struct pooled pooled = {};
    struct launcher_message message;
    if (strcmp(bench->mode, "cold") != 0) {
        TRY(pool_tend(bench->pool, err));
        (void)usleep(GROUND_US);
    }
    TRY(prepare(bench, bench->run_folder, &pooled, err));
    uint64_t start_ns = clock_monotonic_ns(&bench->clock);
    TRY(launcher_go(pooled.launcher, err));
    TRY(wait_for(pooled.launcher, LAUNCHER_STARTED, &message, err));
    uint64_t started_ns = clock_monotonic_ns(&bench->clock);
    TRY(wait_for(pooled.launcher, LAUNCHER_EXITED, &message, err));
    if (message.outcome != LAUNCHER_OUTCOME_EXIT || message.status != 0) {
        return error_set(err, ERROR_JAIL_FAILED, 0, "the command did not end well: %d",
                         message.status);
    }
    *ret_ns = strcmp(bench->mode, "warm") == 0 ? started_ns - start_ns : message.setup_ns;
    return STATUS_OK;
}

static int measure(struct bench *bench) {
    CLEANUP(memory_freep) uint64_t *times = calloc(bench->count, sizeof *times);
    struct error err = {};
    struct plan_request kind = kind_of(bench);
    size_t kept = strcmp(bench->mode, "cold") == 0 ? 0 : READY_COUNT;
    if (times == nullptr || !status_is_ok(pool_keep(bench->pool, &kind, kept, &err))) {
        return die(&err);
    }
    for (size_t i = 0; i < bench->count; i++) {
        if (!status_is_ok(run_once(bench, &times[i], &err))) {
            return die(&err);
        }
    }
    struct pool_counts counts = pool_counts(bench->pool);
    char what[32];
    (void)snprintf(what, sizeof what, "%-4s us:", bench->mode);
    bench_print_times(what, times, bench->count);
    fprintf(stderr, "warm=%llu cold=%llu aged=%llu dead=%llu\n", (unsigned long long)counts.warm,
            (unsigned long long)counts.cold, (unsigned long long)counts.aged,
            (unsigned long long)counts.dead);
    return 0;
}

static status_t start_one(const struct bench *bench, size_t number, struct pooled *pooled,
                          struct error *err) {
    char folder[LIMIT_PATH_BYTES];
    struct launcher_message message;
    (void)snprintf(folder, sizeof folder, "%.4000s/%zu", bench->run_folder, number);
    TRY(prepare(bench, folder, pooled, err));
    TRY(launcher_go(pooled->launcher, err));
    TRY(wait_for(pooled->launcher, LAUNCHER_STARTED, &message, err));
    return message.type == LAUNCHER_STARTED
               ? STATUS_OK
               : error_set(err, ERROR_JAIL_FAILED, 0, "sandbox %zu did not start", number);
}

static int many(const struct bench *bench) {
    CLEANUP(memory_freep) struct pooled *all = calloc(bench->count, sizeof *all);
    struct error err = {};
    size_t count = 0;
    int result = all == nullptr ? 125 : 0;
    uint64_t start_ns = clock_monotonic_ns(&bench->clock);
    while (result == 0 && count < bench->count) {
        count++;
        if (!status_is_ok(start_one(bench, count - 1, &all[count - 1], &err))) {
            result = die(&err);
        }
    }
    uint64_t took_ns = clock_monotonic_ns(&bench->clock) - start_ns;
    printf("%s %zu in %.2f s\n", result == 0 ? "ready" : "failed", count, (double)took_ns / 1e9);
    (void)fflush(stdout);
    while (result == 0 && getchar() != EOF) {
    }
    for (size_t i = 0; i < count; i++) {
        pooled_deinit(&all[i]);
    }
    return result;
}

int main(int argc, char **argv) {
    struct bench bench = {.clock = clock_system()};
    ssize_t size = readlink("/proc/self/exe", bench.jail, sizeof bench.jail - 32);
    char path[LIMIT_PATH_BYTES];
    if (size < 0 || argc < 6) {
        fprintf(stderr,
                "usage: bench_pool late|warm|cold|many COUNT RUN_FOLDER WORKSPACE CMD...\n");
        return 2;
    }
    bench.jail[size] = '\0';
    (void)strcpy(strrchr(bench.jail, '/'), "/../src/airlock-jail");
    (void)snprintf(path, sizeof path, "PATH=%s", getenv("PATH"));
    bench.path = path;
    bench.mode = argv[1];
    bench.count = strtoul(argv[2], nullptr, 10);
    bench.run_folder = argv[3];
    bench.workspace = argv[4];
    bench.argv = (const char *const *)(argv + 5);
    /* Each of many holds a socket here. */
    struct rlimit files;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    struct error err = {};
    if (bench.count == 0 || !status_is_ok(pool_new(bench.clock, bench.jail, &bench.pool, &err))) {
        return 2;
    }
    int result = strcmp(bench.mode, "many") == 0 ? many(&bench) : measure(&bench);
    pool_free(bench.pool);
    return result;
}
