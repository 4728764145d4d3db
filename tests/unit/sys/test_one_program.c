/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/one_program.h"

enum { NOT_ENFORCED = 100, DENIED = 101, OTHER = 102 };
static const char SEARCH[] = "/nowhere:/usr/bin:/bin";

/* The status of a child that is held to `permitted` and executes `path`. */
static int held_to(const char *permitted, const char *path) {
    pid_t child = fork();
    if (child == 0) {
        char *argv[] = {strdup(path), nullptr};
        if (!one_program_enforce(permitted, SEARCH)) {
            _exit(NOT_ENFORCED);
        }
        (void)execv(path, argv);
        _exit(errno == EACCES ? DENIED : OTHER);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void write_script(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(close(fd), 0);
}

static void others_are_denied(void **state) {
    (void)state;
    assert_int_equal(held_to("true", "/usr/bin/false"), DENIED);
    assert_int_equal(held_to("/usr/bin/true", "/bin/sh"), DENIED);
    assert_int_equal(held_to("nothing-of-the-kind", "/usr/bin/true"), DENIED);
    assert_int_equal(held_to("", "/usr/bin/true"), DENIED);
    assert_int_equal(held_to("/usr/bin", "/usr/bin/true"), DENIED); /* a folder permits nothing */
}

static void the_one_starts_with_its_loader(void **state) {
    (void)state;
    assert_int_equal(held_to("true", "/usr/bin/true"), 0);
    assert_int_equal(held_to("/usr/bin/false", "/usr/bin/false"), 1);
}

static void a_script_starts_with_its_interpreter(void **state) {
    (void)state;
    char folder[] = "/tmp/one_program_XXXXXX";
    char script[64];
    char by_env[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(script, sizeof script, "%s/script", folder);
    (void)snprintf(by_env, sizeof by_env, "%s/by-env", folder);
    write_script(script, "#!/bin/sh\nexit 7\n");
    write_script(by_env, "#!/usr/bin/env -S sh\nexit 8\n");
    assert_int_equal(held_to(script, script), 7);
    assert_int_equal(held_to(by_env, by_env), 8);
    assert_int_equal(held_to(script, by_env), DENIED);
    assert_int_equal(unlink(script) + unlink(by_env) + rmdir(folder), 0);
}

int main(void) {
    if (syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
        (void)puts("1..0 # SKIP this kernel has no Landlock");
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_are_denied),
        cmocka_unit_test(the_one_starts_with_its_loader),
        cmocka_unit_test(a_script_starts_with_its_interpreter),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
