/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proxy/address.h"
#include "sys/fd.h"

bool dial_is_allowed(const struct egress_config *config, const struct host *host, uint16_t port,
                     bool *ret_private) {
    bool is_allowed = false;
    *ret_private = false;
    for (uint32_t i = 0; i < config->target_count; i++) {
        if (egress_target_covers(&config->targets[i], host->text, port)) {
            is_allowed = true;
            *ret_private |= config->targets[i].is_private;
        }
    }
    return is_allowed;
}

static void try_next(struct dial *dial);

static void finish(struct dial *dial, enum dial_result result) {
    int fd = result == DIAL_CONNECTED ? fd_take(&dial->fd) : -1;
    dial_stop(dial);
    dial->done(dial, result, fd, dial->why);
}

static void finish_saying(struct dial *dial, enum dial_result result, const char *why) {
    (void)snprintf(dial->why, sizeof dial->why, "%s", why);
    finish(dial, result);
}

static void on_connected(struct loop_source *source, uint32_t events) {
    (void)events;
    struct dial *dial = (struct dial *)((char *)source - offsetof(struct dial, source));
    int number = 0;
    socklen_t size = sizeof number;
    loop_remove(dial->loop, &dial->source);
    if (getsockopt(dial->fd, SOL_SOCKET, SO_ERROR, &number, &size) == 0 && number == 0) {
        finish(dial, DIAL_CONNECTED);
        return;
    }
    (void)snprintf(dial->why, sizeof dial->why, "cannot connect to %.80s port %u: %s",
                   dial->host.text, dial->port, strerrordesc_np(number));
    fd_closep(&dial->fd);
    try_next(dial);
}

static void on_late(struct timer *timer) {
    struct dial *dial = (struct dial *)((char *)timer - offsetof(struct dial, timer));
    limit_hit(dial->query != nullptr ? LIMIT_ID_EGRESS_DNS_MS : LIMIT_ID_EGRESS_CONNECT_MS);
    finish_saying(dial, DIAL_LATE,
                  dial->query != nullptr ? "no DNS server answered in time"
                                         : "it did not answer in time");
}

/* Dials the next address that was judged. */
static void try_next(struct dial *dial) {
    while (dial->at < dial->count) {
        struct sockaddr_storage to;
        socklen_t size = address_to_socket(&dial->addresses[dial->at++], dial->port, &to);
        dial->fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
        int on = 1;
        if (dial->fd < 0 || setsockopt(dial->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
            (connect(dial->fd, (struct sockaddr *)&to, size) != 0 && errno != EINPROGRESS) ||
            !loop_add(dial->loop, &dial->source, dial->fd, LOOP_WRITE)) {
            (void)snprintf(dial->why, sizeof dial->why, "cannot connect to %.80s port %u: %s",
                           dial->host.text, dial->port, strerrordesc_np(errno));
            fd_closep(&dial->fd);
            continue;
        }
        (void)loop_timer_set(dial->loop, &dial->timer, (uint64_t)LIMIT_EGRESS_CONNECT_MS);
        return;
    }
    finish(dial, DIAL_UNREACHABLE);
}

/* A name that is called private could still be led by its server to the machine's credentials. */
static bool may_reach(const struct dial *dial, enum address_class class) {
    return class == ADDRESS_PUBLIC || (class == ADDRESS_PRIVATE && dial->is_private) ||
           (class == ADDRESS_METADATA && dial->is_private && dial->host.is_address);
}

/* Every address has to be one that may be reached: a name with one that may not is a trick, or a
 * mistake that somebody should see. */
static bool judge(struct dial *dial) {
    for (size_t i = 0; i < dial->count; i++) {
        const char *kind;
        enum address_class class = address_classify(&dial->addresses[i], &kind);
        if (class == ADDRESS_PUBLIC && !dial->is_private && address_is_own(&dial->addresses[i])) {
            class = ADDRESS_PRIVATE;
            kind = "this machine's own";
        }
        if (may_reach(dial, class)) {
            continue;
        }
        struct host shown = host_of_address(&dial->addresses[i]);
        (void)snprintf(dial->why, sizeof dial->why, "%s is %.45s, which is %s%s",
                       dial->host.is_address ? "it" : "its address", shown.text, kind,
                       class == ADDRESS_PRIVATE ? "; its target would have to say private: true"
                                                : "");
        return false;
    }
    return true;
}

static void on_resolved(void *context, const struct host_address *addresses, size_t count,
                        const char *why) {
    struct dial *dial = context;
    dial->query = nullptr;
    if (count == 0) {
        finish_saying(dial, DIAL_UNREACHABLE, why);
        return;
    }
    memcpy(dial->addresses, addresses, count * sizeof *addresses);
    dial->count = count;
    if (!judge(dial)) {
        finish(dial, DIAL_DENIED);
        return;
    }
    try_next(dial);
}

void dial_init(struct dial *dial) {
    dial->source = (struct loop_source){.fd = -1, .ready = on_connected};
    dial->timer = (struct timer){.fire = on_late};
    dial->query = nullptr;
    dial->fd = -1;
}

void dial_start(struct dial *dial, const struct host *host, uint16_t port) {
    dial->host = *host;
    dial->port = port;
    dial->count = dial->at = 0;
    dial->why[0] = '\0';
    if (!dial_is_allowed(dial->config, host, port, &dial->is_private)) {
        finish_saying(dial, DIAL_DENIED, "it is in no network group of this run");
        return;
    }
    if (host->is_address) {
        on_resolved(dial, &host->address, 1, "");
        return;
    }
    (void)loop_timer_set(dial->loop, &dial->timer, (uint64_t)LIMIT_EGRESS_DNS_MS);
    struct resolve_query *query = resolver_start(dial->resolver, host->text, on_resolved, dial);
    if (query != nullptr) {
        dial->query = query; /* else the answer came, and the dial may be over and gone */
    }
}

void dial_stop(struct dial *dial) {
    resolve_cancel(dial->query);
    dial->query = nullptr;
    loop_timer_clear(dial->loop, &dial->timer);
    loop_remove(dial->loop, &dial->source);
    fd_closep(&dial->fd);
}
