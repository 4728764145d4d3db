/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection reads a request, writes the answer, and only then looks at what came after it: so
 * one that asks faster than it reads waits for itself. One that is closed after an error is shut,
 * and what still comes is thrown away for a moment, since closing with bytes unread would take the
 * answer back (RFC 9112, section 9.6).
 */
#include "edge/admin.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "edge/admin_request.h"
#include "sys/fd.h"

enum { REST_MS = 1000, RETRY_MS = 1000, MISDIRECTED = 421 };

static const char MISDIRECTED_HINT[] =
    "On a loopback address Host has to be an address or localhost, so that no web page can ask.\n";

struct admin_connection {
    struct loop_source source; /* fd -1: nobody */
    struct timer timer;
    struct admin *admin;
    struct admin_request request;
    uint8_t input[LIMIT_EDGE_ADMIN_HEAD_BYTES];
    size_t input_size;
    struct builder output;
    size_t output_at;
    bool is_idle;    /* between two requests */
    bool is_closing; /* after the output */
    bool is_local;   /* asked at an address that only this machine has */
    bool is_shut;    /* the output is out; what comes is thrown away */
    uint64_t since_ms;
};

struct admin {
    struct loop *loop;
    struct loop_source listener;
    struct timer retry;
    struct admin_options options;
    struct admin_connection connections[LIMIT_EDGE_ADMIN_CONNECTIONS];
};

static void set_time(struct admin_connection *connection, uint64_t ms) {
    connection->since_ms = loop_now_ms(connection->admin->loop);
    (void)loop_timer_set(connection->admin->loop, &connection->timer, ms);
}

static void connection_end(struct admin_connection *connection) {
    struct admin *admin = connection->admin;
    int fd = connection->source.fd;
    loop_remove(admin->loop, &connection->source);
    loop_timer_clear(admin->loop, &connection->timer);
    builder_deinit(&connection->output);
    fd_closep(&fd);
}

static void on_time(struct timer *timer) {
    struct admin_connection *connection =
        (struct admin_connection *)((char *)timer - offsetof(struct admin_connection, timer));
    if (!connection->is_shut) {
        limit_hit(connection->is_idle ? LIMIT_ID_EDGE_ADMIN_IDLE_MS : LIMIT_ID_EDGE_ADMIN_MS);
    }
    connection_end(connection);
}

static unsigned put_page(struct admin_connection *connection, struct builder *body,
                         const char **ret_type) {
    const struct admin_options *pages = &connection->admin->options;
    *ret_type = "application/json";
    switch (connection->request.page) {
    case ADMIN_METRICS:
        *ret_type = "text/plain; version=0.0.4; charset=utf-8";
        return pages->metrics(pages->context, body);
    case ADMIN_HEALTH:
        return pages->health(pages->context, body);
    case ADMIN_READY:
        return pages->ready(pages->context, body);
    }
    return 500;
}

/* Without a name of this machine's own it is no operator who asks, but perhaps a browser's page. */
static unsigned status_of(const struct admin_connection *connection) {
    const struct admin_request *request = &connection->request;
    bool is_strange =
        connection->is_local && request->hosts > 0 && !admin_request_names_this(request);
    return request->status == 0 && is_strange ? MISDIRECTED : request->status;
}

static void answer(struct admin_connection *connection) {
    const struct admin_request *request = &connection->request;
    struct builder body;
    builder_init(&body, LIMIT_EDGE_METRICS_BYTES);
    struct admin_answer head = {.status = status_of(connection),
                                .type = "text/plain; charset=utf-8",
                                .date = time(nullptr)};
    if (head.status == 0) {
        head.status = put_page(connection, &body, &head.type);
    } else {
        builder_format(&body, "%s\n%s", admin_status_text(head.status),
                       head.status == MISDIRECTED ? MISDIRECTED_HINT : "");
    }
    if (!builder_is_ok(&body)) {
        builder_reset(&body);
        head.status = 503;
        limit_hit(LIMIT_ID_EDGE_METRICS_BYTES);
    }
    connection->is_closing = !request->keeps;
    head.closes = connection->is_closing;
    head.size = body.size;
    builder_reset(&connection->output);
    connection->output_at = 0;
    admin_answer_head(&head, &connection->output);
    if (!request->is_head) {
        builder_bytes(&connection->output, builder_slice(&body));
    }
    builder_deinit(&body);
    if (!builder_is_ok(&connection->output)) {
        connection->is_closing = true;
        builder_reset(&connection->output);
    }
    admin_request_init(&connection->request);
    set_time(connection, connection->admin->options.request_ms);
}

static bool has_output(const struct admin_connection *connection) {
    return connection->output_at < connection->output.size;
}

/* The next request of what came. */
static void take_input(struct admin_connection *connection) {
    struct slice bytes = slice_of(connection->input, connection->input_size);
    size_t used = admin_request_feed(&connection->request, bytes);
    connection->input_size -= used;
    memmove(connection->input, connection->input + used, connection->input_size);
    if (connection->request.is_complete) {
        answer(connection);
    }
}

/* False: the connection is over. */
static bool send_output(struct admin_connection *connection) {
    while (has_output(connection)) {
        ssize_t size = send(connection->source.fd, connection->output.data + connection->output_at,
                            connection->output.size - connection->output_at, MSG_NOSIGNAL);
        if (size < 0) {
            return errno == EAGAIN || errno == EINTR;
        }
        connection->output_at += (size_t)size;
    }
    if (connection->is_closing && !connection->is_shut) {
        connection->is_shut = true;
        (void)shutdown(connection->source.fd, SHUT_WR);
        set_time(connection, REST_MS);
    }
    return true;
}

/* False: nothing will come any more. */
static bool receive_input(struct admin_connection *connection) {
    size_t at = connection->is_shut ? 0 : connection->input_size;
    ssize_t size =
        recv(connection->source.fd, connection->input + at, sizeof connection->input - at, 0);
    if (size <= 0) {
        return size < 0 && (errno == EAGAIN || errno == EINTR);
    }
    if (!connection->is_shut) {
        connection->input_size += (size_t)size;
    }
    if (connection->is_idle) {
        connection->is_idle = false;
        set_time(connection, connection->admin->options.request_ms);
    }
    return true;
}

static void serve_connection(struct loop_source *source, uint32_t events) {
    struct admin_connection *connection =
        (struct admin_connection *)((char *)source - offsetof(struct admin_connection, source));
    if ((events & LOOP_READ) != 0 && !has_output(connection) && !receive_input(connection)) {
        connection_end(connection);
        return;
    }
    for (;;) {
        if (!send_output(connection)) {
            connection_end(connection);
            return;
        }
        if (has_output(connection) || connection->is_shut || connection->input_size == 0) {
            break;
        }
        take_input(connection);
    }
    bool is_between = !has_output(connection) && !connection->is_shut && !connection->is_idle &&
                      connection->request.size == 0;
    if (is_between) {
        builder_deinit(&connection->output); /* it may be large, and the wait long */
        builder_init(&connection->output, LIMIT_EDGE_METRICS_BYTES + 1024);
        connection->is_idle = true;
        set_time(connection, LIMIT_EDGE_ADMIN_IDLE_MS);
    }
    loop_set(connection->admin->loop, source, has_output(connection) ? LOOP_WRITE : LOOP_READ);
}

/* A free one, or that of whoever waits between two requests the longest, or in one. */
static struct admin_connection *find_room(struct admin *admin) {
    struct admin_connection *best = nullptr;
    for (size_t i = 0; i < LIMIT_EDGE_ADMIN_CONNECTIONS; i++) {
        struct admin_connection *one = &admin->connections[i];
        if (one->source.fd < 0) {
            return one;
        }
        bool is_better = best == nullptr || (one->is_idle && !best->is_idle) ||
                         (one->is_idle == best->is_idle && one->since_ms < best->since_ms);
        best = is_better ? one : best;
    }
    limit_hit(LIMIT_ID_EDGE_ADMIN_CONNECTIONS);
    connection_end(best);
    return best;
}

static void on_retry(struct timer *timer) {
    struct admin *admin = (struct admin *)((char *)timer - offsetof(struct admin, retry));
    loop_set(admin->loop, &admin->listener, LOOP_READ);
}

static bool is_loopback(int fd) {
    struct sockaddr_storage address = {};
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        return false;
    }
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&address;
        return ntohl(four->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&address;
    return address.ss_family == AF_INET6 && (IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
                                             (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) &&
                                              six->sin6_addr.s6_addr[12] == IN_LOOPBACKNET));
}

static void accept_one(struct loop_source *source, uint32_t events) {
    (void)events;
    struct admin *admin = (struct admin *)((char *)source - offsetof(struct admin, listener));
    CLEANUP(fd_closep)
    int fd = accept4(source->fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) {
            LOG_EVENT(admin->options.log, PROXY_EVENT_ADMIN_FAILED, {"error", strerror(errno), 0});
            loop_set(admin->loop, source, 0); /* it would fail again at once */
            (void)loop_timer_set(admin->loop, &admin->retry, RETRY_MS);
        }
        return;
    }
    struct admin_connection *connection = find_room(admin);
    *connection = (struct admin_connection){
        .source = {.fd = -1, .ready = serve_connection},
        .timer = {.fire = on_time},
        .admin = admin,
        .is_local = is_loopback(fd),
    };
    admin_request_init(&connection->request);
    builder_init(&connection->output, LIMIT_EDGE_METRICS_BYTES + 1024);
    if (loop_add(admin->loop, &connection->source, fd, LOOP_READ)) {
        (void)fd_take(&fd);
        set_time(connection, connection->admin->options.request_ms);
    }
}

status_t admin_new(struct loop *loop, int fd, const struct admin_options *options,
                   struct admin **ret_admin, struct error *err) {
    struct admin *admin = calloc(1, sizeof *admin);
    if (admin == nullptr) {
        fd_closep(&fd);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the server of /metrics");
    }
    admin->loop = loop;
    admin->listener = (struct loop_source){.fd = -1, .ready = accept_one};
    admin->retry.fire = on_retry;
    admin->options = *options;
    for (size_t i = 0; i < LIMIT_EDGE_ADMIN_CONNECTIONS; i++) {
        admin->connections[i].source.fd = -1;
    }
    if (!loop_add(loop, &admin->listener, fd, LOOP_READ)) {
        status_t failed = error_set(err, ERROR_IO, errno, "cannot wait for those who ask /metrics");
        fd_closep(&fd);
        free(admin);
        return failed;
    }
    *ret_admin = admin;
    return STATUS_OK;
}

void admin_free(struct admin *admin) {
    if (admin == nullptr) {
        return;
    }
    for (size_t i = 0; i < LIMIT_EDGE_ADMIN_CONNECTIONS; i++) {
        if (admin->connections[i].source.fd >= 0) {
            connection_end(&admin->connections[i]);
        }
    }
    int fd = admin->listener.fd;
    loop_remove(admin->loop, &admin->listener);
    loop_timer_clear(admin->loop, &admin->retry);
    fd_closep(&fd);
    free(admin);
}
