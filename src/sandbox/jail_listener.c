/* SPDX-License-Identifier: Apache-2.0
 *
 * The way out, when the plan has one: a socket that listens in the sandbox's network namespace and
 * is served from outside by the egress proxy. There is still no route.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

enum { LISTENER_BACKLOG = 1024 };

status_t jail_listener_open(const struct jail *jail, struct error *err) {
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(PLAN_LISTENER_PORT),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, LISTENER_BACKLOG) != 0) {
        return error_set(err, ERROR_SANDBOX_NAMESPACE, errno,
                         "cannot listen in the network namespace of the sandbox");
    }
    struct jail_report report = {.kind = REPORT_LISTENER};
    return jail_report_send(jail, &report, fd, err);
}
