/* SPDX-License-Identifier: Apache-2.0
 *
 * The program that is started is this one: with an argument it says over its socket what it was
 * given.
 */
#include "sys/program.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/socket.h"

struct given {
    char name[64];
    int environment_count;
    int fd_count; /* open ones among the first 64 */
    int stream_count_null;
    ino_t other;
    bool is_session_leader;
    bool is_in_callers_group;
    bool blocks_usr1;
    bool ignores_usr2;
};

static char self[LIMIT_PATH_BYTES];
static struct error err;

static bool is_null(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

static int count_fds(void) {
    int count = 0;
    for (int fd = 0; fd < 64; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

static int say_what_was_given(const char *name) {
    struct given given = {.fd_count = count_fds()};
    struct stat other;
    struct sigaction usr2;
    sigset_t blocked;
    (void)snprintf(given.name, sizeof given.name, "%s", name);
    for (char **variable = environ; variable != nullptr && *variable != nullptr; variable++) {
        given.environment_count++;
    }
    for (int fd = 0; fd <= 2; fd++) {
        given.stream_count_null += is_null(fd);
    }
    given.other = fstat(PROGRAM_FD_OTHER, &other) == 0 ? other.st_ino : 0;
    given.is_session_leader = getsid(0) == getpid();
    given.is_in_callers_group = getpgid(0) == getpgid(getppid());
    given.blocks_usr1 =
        sigprocmask(SIG_BLOCK, nullptr, &blocked) == 0 && sigismember(&blocked, SIGUSR1) == 1;
    given.ignores_usr2 = sigaction(SIGUSR2, nullptr, &usr2) == 0 && usr2.sa_handler == SIG_IGN;
    return status_is_ok(
               socket_send(PROGRAM_FD_SOCKET, slice_of(&given, sizeof given), nullptr, &err))
               ? 0
               : 1;
}

static struct program_options options_of(const char *path) {
    return (struct program_options){.path = path, .argument = "--say", .failed = ERROR_KEYS_FAILED};
}

static struct given start_and_ask(const struct program_options *options) {
    struct program program;
    struct given given = {.environment_count = -1};
    size_t size = 0;
    assert_int_equal(program_start(options, &program, &err).code, 0);
    assert_true(program.pid > 0);
    assert_true((fcntl(program.socket, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(
        socket_receive(program.socket, &given, sizeof given, &size, nullptr, &err).code, 0);
    assert_int_equal(size, sizeof given);
    pid_t pid = program.pid;
    program_end(&program);
    assert_int_equal(waitpid(pid, nullptr, 0), -1);
    assert_int_equal(errno, ECHILD);
    return given;
}

static void one_that_is_not_there_leaves_nothing(void **state) {
    (void)state;
    struct program program = {.socket = -7};
    struct program_options options = options_of("/nowhere/airlock-keys");
    int before = count_fds();
    assert_int_equal(program_start(&options, &program, &err).code, ERROR_KEYS_FAILED);
    assert_int_equal(err.os_errno, ENOENT);
    assert_string_equal(err.message, "cannot start /nowhere/airlock-keys");
    assert_int_equal(program.socket, -7);
    assert_int_equal(count_fds(), before);
    int closed = 63;
    options = options_of(self);
    options.fd = &closed;
    assert_int_equal(program_start(&options, &program, &err).code, ERROR_KEYS_FAILED);
    assert_int_equal(err.os_errno, EBADF);
    assert_int_equal(count_fds(), before);
    assert_int_equal(waitpid(-1, nullptr, 0), -1);
    assert_int_equal(errno, ECHILD);
}

static void it_gets_its_socket_and_nothing_else(void **state) {
    (void)state;
    struct program_options options = options_of(self);
    int before = count_fds();
    struct given given = start_and_ask(&options);
    assert_string_equal(given.name, strrchr(self, '/') + 1);
    assert_int_equal(given.environment_count, 0);
    assert_int_equal(given.stream_count_null, 3);
    assert_int_equal(given.fd_count, 4);
    assert_int_equal(given.other, 0);
    assert_int_equal(count_fds(), before);
}

static void one_fd_more_is_handed_over_from_any_number(void **state) {
    (void)state;
    struct stat folder;
    struct program_options options = options_of(self);
    CLEANUP(fd_closep) int fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &folder), 0);
    for (int number = 3; number <= 6; number++) {
        CLEANUP(fd_closep) int kept = fcntl(number, F_DUPFD_CLOEXEC, 20);
        CLEANUP(fd_closep) int moved = fcntl(fd, F_DUPFD_CLOEXEC, 20);
        assert_int_equal(dup3(moved, number, O_CLOEXEC), number);
        options.fd = &number;
        struct given given = start_and_ask(&options);
        assert_int_equal(given.other, folder.st_ino);
        assert_int_equal(given.fd_count, 5);
        assert_true(fcntl(number, F_GETFD) >= 0);
        (void)(kept >= 0 ? dup3(kept, number, O_CLOEXEC) : close(number));
    }
}

/* Nobody says that a caller has streams: then its own fds take their numbers. */
static void a_caller_without_streams_is_none_the_worse(void **state) {
    (void)state;
    int kept[3];
    struct program_options options = options_of(self);
    for (int fd = 0; fd <= 2; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 20);
        (void)close(fd);
    }
    struct program program;
    struct given given = {.environment_count = -1};
    size_t size = 0;
    status_t started = program_start(&options, &program, &err);
    status_t answered = status_is_ok(started) ? socket_receive(program.socket, &given, sizeof given,
                                                               &size, nullptr, &err)
                                              : started;
    program_end(&program);
    for (int fd = 0; fd <= 2; fd++) {
        (void)dup2(kept[fd], fd);
        (void)close(kept[fd]);
    }
    assert_int_equal(answered.code, 0);
    assert_int_equal(size, sizeof given);
    assert_int_equal(given.stream_count_null, 3);
    assert_int_equal(given.fd_count, 4);
}

static void streams_are_kept_when_asked_for(void **state) {
    (void)state;
    struct program_options options = options_of(self);
    int null_count = is_null(0) + is_null(1) + is_null(2);
    options.has_streams = true;
    assert_int_equal(start_and_ask(&options).stream_count_null, null_count);
}

static void a_session_of_its_own_has_clean_signals(void **state) {
    (void)state;
    struct program_options options = options_of(self);
    sigset_t usr1;
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    assert_int_equal(sigprocmask(SIG_BLOCK, &usr1, nullptr), 0);
    (void)signal(SIGUSR2, SIG_IGN);
    struct given with_callers = start_and_ask(&options);
    options.has_session = true;
    struct given of_its_own = start_and_ask(&options);
    assert_int_equal(sigprocmask(SIG_UNBLOCK, &usr1, nullptr), 0);
    (void)signal(SIGUSR2, SIG_DFL);
    assert_false(with_callers.is_session_leader);
    assert_true(with_callers.is_in_callers_group);
    assert_true(with_callers.blocks_usr1);
    assert_true(with_callers.ignores_usr2);
    assert_true(of_its_own.is_session_leader);
    assert_false(of_its_own.is_in_callers_group);
    assert_false(of_its_own.blocks_usr1);
    assert_false(of_its_own.ignores_usr2);
}

static void a_long_message_waits_where_there_is_room(void **state) {
    (void)state;
    static char message[400000];
    struct program_options options = {
        .path = "/bin/sleep", .argument = "1000", .failed = ERROR_KEYS_FAILED};
    struct program program;
    options.buffer_bytes = 1 << 20;
    assert_int_equal(program_start(&options, &program, &err).code, 0);
    assert_true(fd_set_nonblocking(program.socket, true));
    status_t sent = socket_send(program.socket, slice_of(message, sizeof message), nullptr, &err);
    assert_int_equal(kill(program.pid, SIGKILL), 0);
    program_end(&program);
    program_end(&program); /* has ended: nothing happens */
    assert_int_equal(sent.code, 0);
}

static void only_what_is_beside_us_is_found(void **state) {
    (void)state;
    char path[LIMIT_PATH_BYTES];
    bool is_found = true;
    assert_int_equal(program_find("sh", path, &is_found, &err).code, 0);
    assert_false(is_found);
    assert_int_equal(program_require("sh", ERROR_JAIL_MISSING, path, &err).code,
                     ERROR_JAIL_MISSING);
    assert_string_equal(err.message, "cannot find sh");
    assert_int_equal(program_require(strrchr(self, '/') + 1, ERROR_JAIL_MISSING, path, &err).code,
                     0);
    assert_string_equal(path, self);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--say") == 0) {
        return say_what_was_given(argv[0]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_not_there_leaves_nothing),
        cmocka_unit_test(it_gets_its_socket_and_nothing_else),
        cmocka_unit_test(one_fd_more_is_handed_over_from_any_number),
        cmocka_unit_test(a_caller_without_streams_is_none_the_worse),
        cmocka_unit_test(streams_are_kept_when_asked_for),
        cmocka_unit_test(a_session_of_its_own_has_clean_signals),
        cmocka_unit_test(a_long_message_waits_where_there_is_room),
        cmocka_unit_test(only_what_is_beside_us_is_found),
    };
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    return size > 0 ? cmocka_run_group_tests(tests, nullptr, nullptr) : 1;
}
