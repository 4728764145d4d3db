/* SPDX-License-Identifier: Apache-2.0
 *
 * Each row confines a child of its own, which then tries one thing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "witness/confine.h"

enum { PORT = 443 };

static int opens_a_file(int socket) {
    (void)socket;
    return open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : 1;
}

static int makes_a_socket(int socket_fd) {
    (void)socket_fd;
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) >= 0 ? 0 : 1;
}

static int starts_a_program(int socket) {
    (void)socket;
    (void)execl("/bin/true", "true", nullptr);
    return 1;
}

static int connects_elsewhere(int socket) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT + 1)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(socket, (const struct sockaddr *)&address, sizeof address) != 0 &&
                   errno == EACCES
               ? 1
               : 0;
}

static int does_nothing(int socket) {
    return close(socket) == 0 ? 7 : 0;
}

/* 1 when the attempt failed, or the process was killed for it. */
static int try(int (*attempt)(int socket)) {
    int status = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(confine_to_port(PORT) ? attempt(fd) : 99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    (void)close(fd);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? 1 : WEXITSTATUS(status);
}

static void denied(void **state) {
    (void)state;
    assert_int_equal(try(opens_a_file), 1);
    assert_int_equal(try(makes_a_socket), 1);
    assert_int_equal(try(starts_a_program), 1);
}

static void other_ports(void **state) {
    (void)state;
    enum { ABI_TCP = 4 };
    if (syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) < ABI_TCP) {
        skip();
    }
    assert_int_equal(try(connects_elsewhere), 1);
}

static void left(void **state) {
    (void)state;
    assert_int_equal(try(does_nothing), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(denied),
        cmocka_unit_test(other_ports),
        cmocka_unit_test(left),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
