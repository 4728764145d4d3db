/* SPDX-License-Identifier: Apache-2.0
 *
 * What the proxy cannot do once it is confined, tried in a child: what it reads comes from a
 * sandbox, so it is the first thing that an attack from there would take over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proxy/confine.h"

enum { SCOPES_ABI = 6, CONFINED = 99 };

static int ends[2];
static pid_t parent;

static int inet(void) {
    return socket(AF_INET, SOCK_STREAM, 0) >= 0 && socket(AF_INET6, SOCK_DGRAM, 0) >= 0 ? 0 : 1;
}

static int local(void) {
    (void)!socket(AF_UNIX, SOCK_STREAM, 0);
    return 0;
}

static int netlink(void) {
    (void)!socket(AF_NETLINK, SOCK_RAW, 0);
    return 0;
}

static int another(void) {
    (void)!open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    return 0;
}

/* A file that tells somebody else of its bytes by a signal of one's choice. */
static int signal_parent(void) {
    (void)fcntl(ends[0], F_SETOWN, parent);
    (void)fcntl(ends[0], F_SETSIG, SIGUSR1);
    (void)fcntl(ends[0], F_SETFL, O_ASYNC | O_NONBLOCK);
    return write(ends[1], "x", 1) == 1 ? 0 : 1;
}

/* How a confined child ends that does this. */
static int end_of(int (*act)(void)) {
    static const struct egress_config config = {};
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error err = {};
        _exit(status_is_ok(confine(&config, &err)) ? act() : CONFINED);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static bool is_killed(int status) {
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static void test_sockets(void **state) {
    (void)state;
    assert_int_equal(end_of(inet), 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(is_killed(end_of(local)));
    assert_true(is_killed(end_of(netlink)));
    assert_true(is_killed(end_of(another)));
#else
    (void)local;
    (void)netlink;
    (void)another;
    (void)is_killed;
#endif
}

static volatile sig_atomic_t heard;

static void on_signal(int number) {
    (void)number;
    heard = 1;
}

static void test_signals(void **state) {
    (void)state;
    long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct sigaction action = {.sa_handler = on_signal};
    assert_int_equal(sigaction(SIGUSR1, &action, nullptr), 0);
    parent = getpid();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    /* Control: who is not confined can. */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(signal_parent());
    }
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    assert_int_equal(heard, 1);
    heard = 0;
    if (abi < SCOPES_ABI) {
        skip();
    }
    assert_int_equal(end_of(signal_parent), 0);
    assert_int_equal(heard, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sockets),
        cmocka_unit_test(test_signals),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
