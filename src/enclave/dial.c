/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection to a host by name: the addresses in turn, each within a deadline. Names are resolved
 * by c-ares, because the C library cannot do that in a static program.
 */
#include <ares.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/limits.h"
#include "enclave/dial.h"
#include "sys/fd.h"

struct answer {
    struct ares_addrinfo *addresses; /* nullptr: none */
    const char *why;
};

static void take_answer(void *context, int status, int timeouts, struct ares_addrinfo *addresses) {
    struct answer *answer = context;
    (void)timeouts;
    answer->addresses = status == ARES_SUCCESS ? addresses : nullptr;
    answer->why = status == ARES_SUCCESS ? "" : ares_strerror(status);
}

static bool resolve(const char *host, uint16_t port, struct answer *ret_answer) {
    char service[8];
    ares_channel_t *channel = nullptr;
    struct ares_options options = {.evsys = ARES_EVSYS_DEFAULT};
    const struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_NUMERICSERV,
        .ai_family = AF_UNSPEC,
        .ai_socktype = SOCK_STREAM,
    };
    *ret_answer = (struct answer){.why = "names cannot be resolved here"};
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares_init_options(&channel, &options, ARES_OPT_EVENT_THREAD) != ARES_SUCCESS) {
        return false;
    }
    (void)snprintf(service, sizeof service, "%u", port);
    ares_getaddrinfo(channel, host, service, &hints, take_answer, ret_answer);
    (void)ares_queue_wait_empty(channel, LIMIT_ATTEST_MS);
    ares_destroy(channel); /* whatever still waits is answered now */
    return ret_answer->addresses != nullptr;
}

/* Connected and blocking, each read and write with the deadline; or -1 with errno. */
static int dial(const struct ares_addrinfo_node *node) {
    int fd = socket(node->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;
    socklen_t size = sizeof error;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    const struct timeval patience = {.tv_sec = LIMIT_ATTEST_MS / 1000};
    if (fd < 0) {
        return -1;
    }
    if (connect(fd, node->ai_addr, node->ai_addrlen) != 0) {
        error = errno;
    }
    if (error == EINPROGRESS) {
        bool is_late = poll(&wait, 1, LIMIT_ATTEST_MS) != 1;
        error = limit_past(is_late, LIMIT_ID_ATTEST_MS) ? ETIMEDOUT : 0;
        if (error == 0) {
            (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
        }
    }
    if (error == 0 && (!fd_set_nonblocking(fd, false) ||
                       setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
                       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0)) {
        error = errno;
    }
    if (error != 0) {
        fd_closep(&fd);
        errno = error;
    }
    return fd;
}

int dial_host(const char *host, uint16_t port, const char **ret_why) {
    struct answer answer;
    int fd = -1;
    if (!resolve(host, port, &answer)) {
        *ret_why = answer.why;
        return -1;
    }
    const struct ares_addrinfo_node *node = answer.addresses->nodes;
    for (; node != nullptr && fd < 0; node = node->ai_next) {
        fd = dial(node);
        *ret_why = fd < 0 ? strerrordesc_np(errno) : "";
    }
    ares_freeaddrinfo(answer.addresses);
    return fd;
}
