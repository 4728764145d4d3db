/* SPDX-License-Identifier: Apache-2.0
 *
 * One command in a complete sandbox, without kernel, log or policy: bench_launcher [OPTION...]
 * RUN_FOLDER WORKSPACE CMD [ARG...]. With --count N it repeats and prints the distribution of
 * setup times: from the plan's arrival to the first instruction. Without --standing the plan comes
 * right behind the ground, so that most of the ground is in that time too. The escape tests drive
 * it too, so that a failing wall is seen at its own layer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bench_sandbox.h"
#include "sandbox/launcher.h"

enum { PAYLOAD_UID = 2000000, PAYLOAD_GID = 2000000, GROUND_US = 8000 };

struct bench {
    const char *run_folder;
    const char *workspace;
    const char *template_name;
    const char *home;
    const char *root;
    char jail[LIMIT_PATH_BYTES]; /* ../src/airlock-jail, seen from this program */
    uint64_t wall_ms;
    unsigned count;
    bool quiet;
    bool standing; /* the plan comes when the ground has been laid: nothing else is measured then */
};

static int die(const struct error *err) {
    fprintf(stderr, "%s: %s (%s) %s\n  %s\n", error_slug(err->code), err->message,
            err->os_errno != 0 ? strerror(err->os_errno) : "", err->detail,
            error_effective_hint(err));
    return 125;
}

static status_t wait_for_end(struct launcher *launcher, struct launcher_message *ret_message,
                             struct error *err) {
    do {
        TRY(launcher_receive(launcher, ret_message, err));
    } while (ret_message->type != LAUNCHER_EXITED);
    return STATUS_OK;
}

static status_t run_once(const struct bench *bench, const char *const *argv,
                         struct launcher_message *ret_message, struct sandbox_levels *ret_levels,
                         struct error *err) {
    bool is_root = geteuid() == 0;
    uint32_t host_uid = is_root ? PAYLOAD_UID : geteuid();
    uint32_t host_gid = is_root ? PAYLOAD_GID : getegid();
    TRY(bench_folders_make(bench->run_folder, host_uid, host_gid, err));
    char home[LIMIT_PATH_BYTES];
    (void)snprintf(home, sizeof home, "HOME=%s", bench->home);
    const char *path = getenv("PATH");
    char path_variable[LIMIT_PATH_BYTES];
    (void)snprintf(path_variable, sizeof path_variable, "PATH=%s", path);
    const char *environment[] = {home, path_variable, "LANG=C.UTF-8", "AIRLOCK_RUN=bench", nullptr};
    char run_id[64];
    (void)snprintf(run_id, sizeof run_id, "bench-%d", getpid());
    struct plan_request request = {
        .run_id = run_id,
        .template_row = template_find(bench->template_name),
        .argv = argv,
        .environment = environment,
        .workspace = bench->workspace,
        .working_folder = bench->workspace,
        .home = bench->home,
        .path = path,
        .root = bench->root,
        .run_folder = bench->run_folder,
        .uid = geteuid(),
        .gid = getegid(),
        .host_uid = host_uid,
        .host_gid = host_gid,
        .wall_ms_max = bench->wall_ms,
    };
    CLEANUP(launcher_closep) struct launcher *launcher = nullptr;
    CLEANUP(plan_freep) struct plan *ground = nullptr;
    CLEANUP(plan_freep) struct plan *plan = nullptr;
    TRY(launcher_start_program(bench->jail, &launcher, err));
    TRY(plan_build_ground(&request, &ground, err));
    TRY(launcher_ground(launcher, ground, err));
    TRY(plan_build(&request, ground, &plan, err));
    struct launcher_streams streams = {0, 1, 2};
    if (bench->standing) {
        (void)usleep(GROUND_US);
    }
    TRY(launcher_prepare(launcher, plan, &streams, -1, err));
    TRY(launcher_ready(launcher, ret_levels, err));
    TRY(launcher_go(launcher, err));
    return wait_for_end(launcher, ret_message, err);
}

static int report_one(const struct bench *bench, const struct launcher_message *message,
                      const struct sandbox_levels *levels) {
    static const char *const outcomes[] = {"exit", "signal",    "timeout",       "memory",
                                           "disk", "not-found", "not-executable"};
    if (!bench->quiet) {
        fprintf(stderr,
                "outcome=%s status=%d killed=%u setup_us=%llu wall_us=%llu peak_kib=%llu "
                "landlock=%d limits=%s\n",
                outcomes[message->outcome], message->status, message->killed_count,
                (unsigned long long)message->setup_ns / 1000,
                (unsigned long long)message->wall_ns / 1000,
                (unsigned long long)message->memory_peak_bytes / 1024, levels->landlock_abi,
                levels->limits);
    }
    return message->outcome == LAUNCHER_OUTCOME_EXIT ? message->status : 128 + message->outcome;
}

static int repeat(const struct bench *bench, const char *const *argv) {
    CLEANUP(memory_freep) uint64_t *times = calloc(bench->count, sizeof *times);
    struct error err = {};
    for (unsigned i = 0; times != nullptr && i < bench->count; i++) {
        struct launcher_message message = {};
        struct sandbox_levels levels = {};
        if (!status_is_ok(run_once(bench, argv, &message, &levels, &err))) {
            return die(&err);
        }
        if (bench->count == 1) {
            return report_one(bench, &message, &levels);
        }
        times[i] = message.setup_ns;
    }
    bench_print_times("setup us:", times, bench->count);
    return 0;
}

int main(int argc, char **argv) {
    struct bench bench = {
        .template_name = "code-executor",
        .home = "/home/user",
        .count = 1,
    };
    ssize_t size = readlink("/proc/self/exe", bench.jail, sizeof bench.jail - 32);
    if (size < 0) {
        return 2;
    }
    bench.jail[size] = '\0';
    (void)strcpy(strrchr(bench.jail, '/'), "/../src/airlock-jail");
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--quiet") == 0) {
            bench.quiet = true;
        } else if (strcmp(argv[at], "--standing") == 0) {
            bench.standing = true;
        } else if (at + 1 == argc) {
            return 2;
        } else if (strcmp(argv[at], "--count") == 0) {
            bench.count = (unsigned)strtoul(argv[++at], nullptr, 10);
        } else if (strcmp(argv[at], "--template") == 0) {
            bench.template_name = argv[++at];
        } else if (strcmp(argv[at], "--home") == 0) {
            bench.home = argv[++at];
        } else if (strcmp(argv[at], "--root") == 0) {
            bench.root = argv[++at];
        } else if (strcmp(argv[at], "--timeout-ms") == 0) {
            bench.wall_ms = strtoull(argv[++at], nullptr, 10);
        }
    }
    if (argc - at < 3 || bench.count == 0) {
        fprintf(stderr, "usage: bench_launcher [--count N] [--template T] [--home DIR] "
                        "[--root DIR] [--timeout-ms N] [--standing] [--quiet] "
                        "RUN_FOLDER WORKSPACE CMD...\n");
        return 2;
    }
    bench.run_folder = argv[at];
    bench.workspace = argv[at + 1];
    const char *const *command = (const char *const *)(argv + at + 2);
    return repeat(&bench, command);
}
