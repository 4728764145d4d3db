/* SPDX-License-Identifier: Apache-2.0
 *
 * Our globs beside git's: random patterns, each the only line of a .gitignore in a folder of its
 * own, and random paths below it, all judged by one `git check-ignore`.
 */
#include "policy/glob.h"

#include <errno.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATTERNS = 600, PATHS = 40, PATTERN_BYTES = 64, PATH_BYTES = 64, TAKEN_MIN = 400 };

extern char **environ;

static const char *const FOLDERS[] = {"a", "a/b", "ab", ".b", "a/b/c", "b"};

struct sample {
    char pattern[PATTERN_BYTES];
    char paths[PATHS][PATH_BYTES]; /* the first ones are folders that exist */
};
static struct sample samples[PATTERNS];
static uint64_t seed = 20260711;

static unsigned pick(unsigned below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

/* Appends random pieces until `count` are there or no more fits. */
static void compose(char *out, size_t size, const char *const *pieces, unsigned piece_count,
                    unsigned count) {
    size_t used = 0;
    for (unsigned i = 0; i < count; i++) {
        const char *piece = pieces[pick(piece_count)];
        if (used + strlen(piece) + 1 > size) {
            break;
        }
        memcpy(out + used, piece, strlen(piece));
        used += strlen(piece);
    }
    out[used] = '\0';
}

/* Two stars behind literal text: git takes the text off first, finds the stars at the start and
 * lets them cross slashes. Its documentation calls them ordinary stars, and we go by that. */
static bool is_git_quirk(const char *pattern) {
    const char *stars = strstr(pattern, "**");
    for (; stars != nullptr; stars = strstr(stars + strspn(stars, "*"), "**")) {
        if (stars > pattern && stars[-1] != '/') {
            return true;
        }
    }
    return false;
}

static void make_pattern(char *out) {
    static const char *const pieces[] = {
        "a",     "b",   "c",   "ab",          ".",   "*",    "*",     "?",    "/",
        "/",     "/",   "**",  "/",           "**/", "/**/", "/**",   "[ab]", "[!a]",
        "[^b.]", "\\*", "\\a", "*.c",         "[",   "]",    "[a-c]", "[]a]", "[[:alpha:]]",
        "***",   "a*",  "b?",  "[[:punct:]]", "\\",  "-",
    };
    do {
        compose(out, PATTERN_BYTES, pieces, sizeof pieces / sizeof pieces[0], 1 + pick(6));
    } while (out[0] == '\0' || is_git_quirk(out));
}

static void make_path(char *out) {
    static const char *const names[] = {"a",  "b",   "c",  "ab", "abc", ".b", "a.c",
                                        "*",  "-",   "[",  "]",  "b.c", ".c", "ba",
                                        "bb", "caa", "\\", "a-", "ac.", "?"};
    size_t used = 0;
    unsigned depth = 1 + pick(5);
    for (unsigned i = 0; i < depth; i++) {
        used += (size_t)snprintf(out + used, PATH_BYTES - used, "%s%s", i > 0 ? "/" : "",
                                 names[pick(sizeof names / sizeof names[0])]);
    }
}

static bool path_is_folder(const char *path) {
    for (size_t i = 0; i < sizeof FOLDERS / sizeof FOLDERS[0]; i++) {
        if (strcmp(path, FOLDERS[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_sample(unsigned number) {
    struct sample *sample = &samples[number];
    char path[128];
    make_pattern(sample->pattern);
    for (unsigned i = 0; i < PATHS; i++) {
        make_path(sample->paths[i]);
    }
    for (size_t i = 0; i < sizeof FOLDERS / sizeof FOLDERS[0]; i++) {
        (void)snprintf(sample->paths[i], PATH_BYTES, "%s", FOLDERS[i]);
    }
    (void)snprintf(path, sizeof path, "d%u", number);
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < sizeof FOLDERS / sizeof FOLDERS[0]; i++) {
        (void)snprintf(path, sizeof path, "d%u/%s", number, FOLDERS[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    (void)snprintf(path, sizeof path, "d%u/.gitignore", number);
    write_file(path, sample->pattern); /* the last line of a file needs no end */
}

/* Exit status of a shell command. */
static int run(const char *script) {
    char *copy = strdup(script);
    assert_non_null(copy);
    char *const command[] = {(char[]){"sh"}, (char[]){"-c"}, copy, nullptr};
    pid_t pid = -1;
    assert_int_equal(posix_spawnp(&pid, "sh", nullptr, nullptr, command, environ), 0);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    free(copy);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* One path that git judged. */
static bool check(const struct sample *sample, const char *path, bool ignored) {
    struct glob glob;
    if (glob_compile(slice_of_string(sample->pattern), 0, &glob) != nullptr) {
        /* What we refuse never matches in git, but for a slash in a class or behind a backslash. */
        if (ignored && strchr(sample->pattern, '[') == nullptr &&
            strstr(sample->pattern, "\\/") == nullptr) {
            fail_msg("'%s' is refused, but git matches '%s'", sample->pattern, path);
        }
        return false;
    }
    bool matched = glob_match(&glob, slice_of_string(path), path_is_folder(path));
    glob_deinit(&glob);
    if (matched != ignored) {
        fail_msg("'%s' and '%s': git says %d", sample->pattern, path, ignored);
    }
    return true;
}

/* Reads what check-ignore -v -n -z says: source, line, pattern, path; an empty source is a no. */
static void compare(const char *file_name, unsigned *ret_taken, unsigned *ret_ignored) {
    FILE *file = fopen(file_name, "re");
    assert_non_null(file);
    *ret_taken = *ret_ignored = 0;
    for (unsigned number = 0; number < PATTERNS; number++) {
        bool taken = false;
        for (unsigned i = 0; i < PATHS; i++) {
            char *fields[4] = {};
            size_t sizes[4] = {};
            for (unsigned f = 0; f < 4; f++) {
                assert_true(getdelim(&fields[f], &sizes[f], '\0', file) > 0);
            }
            bool ignored = fields[0][0] != '\0';
            *ret_ignored += ignored ? 1 : 0;
            taken = check(&samples[number], samples[number].paths[i], ignored) || taken;
            for (unsigned f = 0; f < 4; f++) {
                free(fields[f]);
            }
        }
        *ret_taken += taken ? 1 : 0;
    }
    assert_int_equal(fclose(file), 0);
}

static void random_patterns_match_what_git_ignores(void **state) {
    (void)state;
    char folder[] = "/tmp/airlock-glob-XXXXXX";
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    if (run("git init -q . >/dev/null 2>&1") != 0) {
        print_message("git is not there\n");
        skip();
    }
    FILE *input = fopen("input", "we");
    assert_non_null(input);
    for (unsigned number = 0; number < PATTERNS; number++) {
        make_sample(number);
        for (unsigned i = 0; i < PATHS; i++) {
            (void)fprintf(input, "d%u/%s%c", number, samples[number].paths[i], '\0');
        }
    }
    assert_int_equal(fclose(input), 0);
    int status = run("git check-ignore --no-index -v -n -z --stdin <input >output");
    assert_true(status == 0 || status == 1);
    unsigned taken = 0;
    unsigned ignored = 0;
    compare("output", &taken, &ignored);
    assert_true(taken >= TAKEN_MIN);
    assert_true(ignored > PATTERNS); /* both answers came up often */
    char clean[64];
    (void)snprintf(clean, sizeof clean, "cd / && rm -rf %s", folder);
    assert_int_equal(run(clean), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_patterns_match_what_git_ignores),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
