/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/socket.h"

status_t program_find(const char *name, char ret_path[static LIMIT_PATH_BYTES], bool *ret_found,
                      struct error *err) {
    static const char *const places[] = {"", "../libexec/airlock/"};
    char self[LIMIT_PATH_BYTES];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0) {
        return error_set(err, ERROR_IO, errno, "cannot tell where this program is");
    }
    self[size] = '\0';
    char *slash = strrchr(self, '/');
    ASSERT(slash != nullptr);
    slash[1] = '\0';
    *ret_found = false;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !*ret_found; i++) {
        int length = snprintf(ret_path, LIMIT_PATH_BYTES, "%s%s%s", self, places[i], name);
        *ret_found = length > 0 && length < LIMIT_PATH_BYTES && access(ret_path, X_OK) == 0;
    }
    return STATUS_OK;
}

status_t program_require(const char *name, enum error_code missing,
                         char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    bool is_found = false;
    TRY(program_find(name, ret_path, &is_found, err));
    return is_found ? STATUS_OK : error_set(err, missing, ENOENT, "cannot find %s", name);
}

/* The functions of posix_spawn return an errno, and so do these. */

static int prepare_session(posix_spawnattr_t *attributes) {
    sigset_t none;
    sigset_t all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    int failed = posix_spawnattr_setflags(attributes, (short)flags);
    failed = failed != 0 ? failed : posix_spawnattr_setsigmask(attributes, &none);
    return failed != 0 ? failed : posix_spawnattr_setsigdefault(attributes, &all);
}

/* Neither of `fds` has a number that an action before its own fills. */
static int prepare_fds(const struct program_options *options, const int fds[static 2],
                       posix_spawn_file_actions_t *actions) {
    int failed = 0;
    for (int fd = 0; fd < PROGRAM_FD_SOCKET && failed == 0 && !options->has_streams; fd++) {
        failed = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
    }
    if (failed == 0) {
        failed = posix_spawn_file_actions_adddup2(actions, fds[0], PROGRAM_FD_SOCKET);
    }
    return failed != 0 || options->fd == nullptr
               ? failed
               : posix_spawn_file_actions_adddup2(actions, fds[1], PROGRAM_FD_OTHER);
}

static int spawn_prepared(const struct program_options *options,
                          const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, pid_t *ret_pid) {
    const char *slash = strrchr(options->path, '/');
    char name[LIMIT_PATH_BYTES];
    char argument[LIMIT_PATH_BYTES];
    char *const arguments[] = {name, options->argument != nullptr ? argument : nullptr, nullptr};
    char *const environment[] = {nullptr};
    (void)snprintf(name, sizeof name, "%s", slash != nullptr ? slash + 1 : options->path);
    (void)snprintf(argument, sizeof argument, "%s",
                   options->argument != nullptr ? options->argument : "");
    return posix_spawn(ret_pid, options->path, actions, attributes, arguments, environment);
}

static int spawn(const struct program_options *options, const int fds[static 2], pid_t *ret_pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0) {
        return failed;
    }
    failed = posix_spawnattr_init(&attributes);
    if (failed == 0) {
        failed = options->has_session ? prepare_session(&attributes) : 0;
        failed = failed != 0 ? failed : prepare_fds(options, fds, &actions);
        failed = failed != 0 ? failed : spawn_prepared(options, &actions, &attributes, ret_pid);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* `fd`, or a copy of it behind `last` when its own number is filled before it is used. */
static int behind(int last, int fd, int *ret_copy) {
    return fd > last ? fd : (*ret_copy = fcntl(fd, F_DUPFD_CLOEXEC, last + 1));
}

static void set_buffers(int bytes, const int pair[static 2]) {
    for (size_t i = 0; i < 2 && bytes > 0; i++) {
        (void)setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    }
}

status_t program_start(const struct program_options *options, struct program *ret_program,
                       struct error *err) {
    int pair[2];
    pid_t pid = 0;
    TRY(socket_pair(pair, err));
    set_buffers(options->buffer_bytes, pair);
    CLEANUP(fd_closep) int ours = pair[0];
    CLEANUP(fd_closep) int theirs = pair[1];
    CLEANUP(fd_closep) int first = -1;
    CLEANUP(fd_closep) int second = -1;
    int fds[2] = {behind(STDERR_FILENO, theirs, &first), -1};
    int failed = fds[0] < 0 ? errno : 0;
    if (failed == 0 && options->fd != nullptr) {
        fds[1] = behind(PROGRAM_FD_SOCKET, *options->fd, &second);
        failed = fds[1] < 0 ? errno : 0;
    }
    failed = failed != 0 ? failed : spawn(options, fds, &pid);
    if (failed != 0) {
        return error_set(err, options->failed, failed, "cannot start %s", options->path);
    }
    *ret_program = (struct program){.pid = pid, .socket = fd_take(&ours)};
    return STATUS_OK;
}

void program_end(struct program *program) {
    fd_closep(&program->socket);
    while (program->pid > 0 && waitpid(program->pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    program->pid = 0;
}
