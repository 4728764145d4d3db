/* SPDX-License-Identifier: Apache-2.0
 *
 * One byte asks for a connection; the answer is an errno and, with 0, the connection. A path is not
 * what a seccomp filter can see, so it is kept where nothing that was read from an engine comes.
 */
#include "engine/dialer.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/protocol.h"
#include "sys/confine.h"
#include "sys/fd.h"
#include "sys/socket.h"

#include "dialer_filter.h"

static int connect_once(const struct sockaddr_un *address) {
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
        return -1;
    }
    return fd_take(&fd);
}

/* Until the other side is gone. */
static void serve(int socket, const struct sockaddr_un *address) {
    uint8_t asked;
    while (read(socket, &asked, sizeof asked) == 1) {
        CLEANUP(fd_closep) int fd = connect_once(address);
        int32_t number = fd < 0 ? errno : 0;
        const struct socket_fds fds = {.fd = {fd}, .count = fd < 0 ? 0 : 1};
        struct error ignored;
        if (!status_is_ok(socket_send(socket, slice_of(&number, sizeof number), &fds, &ignored))) {
            return;
        }
    }
}

bool dialer_start(struct dialer *ret_dialer, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct error ignored;
    int pair[2];
    if (strlen(path) >= sizeof address.sun_path || !status_is_ok(socket_pair(pair, &ignored))) {
        return false;
    }
    memcpy(address.sun_path, path, strlen(path));
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(pair[0]);
        (void)close(ENGINE_FD_SOCKET);
        if (confine_no_files() &&
            confine_calls_to(filter_dialer, sizeof filter_dialer / sizeof filter_dialer[0])) {
            serve(pair[1], &address);
        }
        _exit(0);
    }
    (void)close(pair[1]);
    ret_dialer->fd = pair[0];
    if (pid < 0) {
        fd_closep(&ret_dialer->fd);
    }
    return pid > 0;
}

int dialer_connect(const struct dialer *dialer, int *ret_errno) {
    static const uint8_t ASK = 1;
    struct socket_fds fds = {0};
    struct error ignored;
    int32_t number = 0;
    size_t size = 0;
    *ret_errno = EPIPE;
    if (!status_is_ok(socket_send(dialer->fd, slice_of(&ASK, sizeof ASK), nullptr, &ignored)) ||
        !status_is_ok(socket_receive(dialer->fd, &number, sizeof number, &size, &fds, &ignored))) {
        return -1;
    }
    if (size != sizeof number || number != 0 || fds.count != 1) {
        *ret_errno = size == sizeof number && number != 0 ? number : EPIPE;
        socket_fds_close(&fds);
        return -1;
    }
    *ret_errno = 0;
    return fds.fd[0];
}

void dialer_stop(struct dialer *dialer) {
    fd_closep(&dialer->fd);
}
