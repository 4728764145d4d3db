/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* In a child: what is still possible, one bit for each breach. */
static int breaches(int folder) {
    if (!confine_to_folder(folder)) {
        return 1;
    }
    int inside = openat(folder, "file", O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    int found = inside < 0 ? 2 : 0;
    found |= renameat(folder, "file", folder, "other") == 0 ? 0 : 2;
    found |= unlinkat(folder, "other", 0) == 0 ? 0 : 2;
    found |= open("/etc/passwd", O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES ? 0 : 4;
    found |= openat(folder, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) < 0 ? 0 : 4;
    found |= open("/tmp/airlock-test-outside", O_CREAT | O_WRONLY | O_CLOEXEC, 0600) < 0 ? 0 : 8;
    found |= mkdirat(folder, "sub", 0700) < 0 ? 0 : 16;
    found |= prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 32;
    found |= prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : 32;
    return found;
}

static void only_the_folder_is_left(void **state) {
    (void)state;
    if (syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 1) {
        print_message("# this kernel has no Landlock: NOT tried\n");
        skip();
    }
    char path[] = "/tmp/airlock-test-confine-XXXXXX";
    assert_non_null(mkdtemp(path));
    int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(breaches(folder));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    (void)close(folder);
    assert_int_equal(rmdir(path), 0);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* The system call that a child of ours makes behind the filter. */
enum attempt {
    ATTEMPT_NONE,
    ATTEMPT_EXEC,
    ATTEMPT_SOCKET,
    ATTEMPT_PTRACE,
    ATTEMPT_KILL,
    ATTEMPT_FORK,
    ATTEMPT_OPEN,
    ATTEMPT_EXECUTABLE_MEMORY,
    ATTEMPT_UNKNOWN,
    ATTEMPT_COUNT,
};

static void attempt(enum attempt what) {
    char *const arguments[] = {(char[]){"true"}, nullptr};
    switch (what) {
    case ATTEMPT_EXEC:
        (void)execv("/bin/true", arguments);
        break;
    case ATTEMPT_SOCKET:
        (void)socket(AF_UNIX, SOCK_STREAM, 0);
        break;
    case ATTEMPT_PTRACE:
        (void)ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        break;
    case ATTEMPT_KILL:
        (void)kill(getppid(), 0);
        break;
    case ATTEMPT_FORK:
        (void)fork();
        break;
    case ATTEMPT_OPEN:
        (void)open("/dev/null", O_RDONLY | O_CLOEXEC);
        break;
    case ATTEMPT_EXECUTABLE_MEMORY:
        (void)mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        break;
    case ATTEMPT_UNKNOWN:
        (void)syscall(1023);
        break;
    case ATTEMPT_NONE:
    case ATTEMPT_COUNT:
        break;
    }
}

static void any_other_call_kills(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__)
    skip();
#endif
    for (enum attempt what = ATTEMPT_NONE; what < ATTEMPT_COUNT; what++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !confine_calls()) {
                _exit(1);
            }
            attempt(what);
            _exit(what == ATTEMPT_NONE ? 0 : 2);
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        if (what == ATTEMPT_NONE) {
            assert_true(WIFEXITED(status));
            assert_int_equal(WEXITSTATUS(status), 0);
        } else {
            assert_true(WIFSIGNALED(status));
            assert_int_equal(WTERMSIG(status), SIGSYS);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_folder_is_left),
        cmocka_unit_test(any_other_call_kills),
    };
    return cmocka_run_group_tests_name("confine", tests, nullptr, nullptr);
}
