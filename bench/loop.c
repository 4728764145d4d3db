/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts a command N times, one after the other, and prints how long it took from posix_spawn to
 * the end of waitpid: "p50 p90 p99 mean" in microseconds. A shell loop would measure the shell.
 *
 *   loop N COMMAND [ARG...]
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUNS_MAX = 100000, WARM_UP = 3 };

extern char **environ;

static double now_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* One start, silent: output of the command would be measured too. Returns its time, or exits. */
static double run_once(char **command, const posix_spawn_file_actions_t *actions) {
    double start = now_us();
    pid_t pid = -1;
    int failed = posix_spawnp(&pid, command[0], actions, nullptr, command, environ);
    if (failed != 0) {
        fprintf(stderr, "loop: %s: %s\n", command[0], strerror(failed));
        exit(2);
    }
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    double took = now_us() - start;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "loop: %s ended with wait status %d; a failing command is no measure\n",
                command[0], status);
        exit(1);
    }
    return took;
}

int main(int argc, char **argv) {
    char *end = nullptr;
    long runs = argc > 2 ? strtol(argv[1], &end, 10) : 0;
    if (runs < 1 || runs > RUNS_MAX || *end != '\0') {
        fprintf(stderr, "usage: loop N COMMAND [ARG...]   (N from 1 to %d)\n", RUNS_MAX);
        return 2;
    }
    double *times = calloc((size_t)runs, sizeof *times);
    posix_spawn_file_actions_t actions;
    if (times == nullptr || posix_spawn_file_actions_init(&actions) != 0 ||
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0) != 0 ||
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) != 0) {
        fprintf(stderr, "loop: out of memory\n");
        return 2;
    }
    for (int i = 0; i < WARM_UP; i++) {
        (void)run_once(argv + 2, &actions);
    }
    double sum = 0;
    for (long i = 0; i < runs; i++) {
        times[i] = run_once(argv + 2, &actions);
        sum += times[i];
    }
    qsort(times, (size_t)runs, sizeof *times, compare);
    printf("%.1f %.1f %.1f %.1f\n", times[runs / 2], times[runs * 9 / 10], times[runs * 99 / 100],
           sum / (double)runs);
    (void)posix_spawn_file_actions_destroy(&actions);
    free(times);
    return 0;
}
