/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-probe [--stage DIR]... [--hidden PATH]... [--mark FILE]... [--only NAME]...
 *
 * --mark makes a file, empty, where there is none: whoever looks from outside afterwards sees
 * whether what is written here arrives there. It is the one thing that is left behind.
 *
 * Exit status: 0 nothing was found, 1 something was, 2 wrong usage.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/probe.h"

static const struct {
    const char *name;
    void (*run)(struct probe *probe);
} checks[] = {
#define PROBE(function, name, title) {name, function},
#include "probes.def"
#undef PROBE
};

enum { CHECK_COUNT = sizeof checks / sizeof checks[0] };

extern char **environ;

static int usage(void) {
    (void)fputs("usage: airlock-probe [--stage DIR]... [--hidden PATH]... [--mark FILE]... "
                "[--only NAME]...\n",
                stderr);
    return 2;
}

/* Marks the check of this name; false: there is none. */
static bool choose(const char *name, bool chosen[static CHECK_COUNT]) {
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (strcmp(checks[i].name, name) == 0) {
            chosen[i] = true;
            return true;
        }
    }
    return false;
}

static void make_mark(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)close(fd);
    }
}

static bool parse(int argc, char **argv, struct probe *probe, bool chosen[static CHECK_COUNT]) {
    bool some = false;
    for (int i = 1; i < argc; i += 2) {
        const char *value = argv[i + 1];
        if (value == nullptr) {
            return false;
        }
        if (strcmp(argv[i], "--stage") == 0 && probe->stage_count < PROBE_PATHS_MAX) {
            probe->stage[probe->stage_count++] = value;
        } else if (strcmp(argv[i], "--hidden") == 0 && probe->hidden_count < PROBE_PATHS_MAX) {
            probe->hidden[probe->hidden_count++] = value;
        } else if (strcmp(argv[i], "--mark") == 0) {
            make_mark(value);
        } else if (strcmp(argv[i], "--only") == 0 && choose(value, chosen)) {
            some = true;
        } else {
            return false;
        }
    }
    for (size_t i = 0; i < CHECK_COUNT && !some; i++) {
        chosen[i] = true;
    }
    return true;
}

int main(int argc, char **argv) {
    struct probe probe = {.environment = (const char *const *)environ};
    bool chosen[CHECK_COUNT] = {};
    if (!parse(argc, argv, &probe, chosen)) {
        return usage();
    }
    const char *home = getenv("HOME");
    probe.home = home != nullptr ? home : "";
    unsigned total = 0;
    unsigned count = 0;
    (void)printf("airlock-probe 1\n");
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        if (!chosen[i]) {
            continue;
        }
        (void)printf("check %s\n", checks[i].name);
        (void)fflush(stdout); /* whoever dies on the way must not write it twice, nor not at all */
        probe.found_count = 0;
        checks[i].run(&probe);
        if (probe.found_count > PROBE_FOUND_MAX) {
            (void)printf("more %u\n", probe.found_count - PROBE_FOUND_MAX);
        }
        total += probe.found_count;
        count++;
    }
    (void)printf("end %u\n", count);
    return fflush(stdout) == 0 && total == 0 ? 0 : 1;
}
