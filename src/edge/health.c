/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/health.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "edge/tls_client.h"
#include "sys/fd.h"

struct check {
    struct health *health;
    struct loop_source source; /* fd -1: no check is under way */
    struct timer timer;        /* until the next check, or the end of this one */
    SSL *tls;                  /* owned; nullptr: not connected yet, or it is not asked for */
    uint32_t server;
    uint32_t turn;     /* through its addresses */
    uint32_t in_row;   /* results that say otherwise than what holds */
    uint64_t began_ms; /* the check that is under way */
};

struct health {
    struct loop *loop;
    struct upstreams *upstreams;
    struct metrics *metrics;
    struct log_writer *log;
    uint32_t count;
    struct check checks[];
};

static struct upstream_server_view view_of(const struct check *check) {
    struct upstream_server_view view;
    upstreams_server(check->health->upstreams, check->server, loop_now_ms(check->health->loop),
                     &view);
    return view;
}

static void tell(const struct check *check, const struct upstream_server_view *view,
                 const char *why) {
    LOG_EVENT(check->health->log, why == nullptr ? PROXY_EVENT_SERVER_UP : PROXY_EVENT_SERVER_DOWN,
              {"upstream", view->upstream->name, 0}, {"server", view->server->address, 0},
              {"reason", why != nullptr ? why : "it answers", 0});
}

/* What a check says, `why` it failed or nullptr, counts when it says so often enough in a row. */
static void count(struct check *check, const char *why) {
    struct health *health = check->health;
    struct upstream_server_view view = view_of(check);
    const struct edge_health *config = &view.upstream->health;
    bool passed = why == nullptr;
    if (!passed) {
        metrics_add(health->metrics, METRIC_CHECKS_FAILED,
                    (struct metric_at){.label_1 = view.number}, 1);
    }
    check->in_row = passed == view.is_up ? 0 : check->in_row + 1;
    if (check->in_row >= (passed ? config->rise : config->fall) && check->in_row > 0) {
        check->in_row = 0;
        (void)upstreams_set_up(health->upstreams, check->server, passed);
        tell(check, &view, why);
    }
}

static void wait_for_next(struct check *check) {
    struct loop *loop = check->health->loop;
    uint64_t interval = view_of(check).upstream->health.interval_ms;
    uint64_t passed = loop_now_ms(loop) - check->began_ms;
    (void)loop_timer_set(loop, &check->timer, passed < interval ? interval - passed : 0);
}

static void close_check(struct check *check) {
    int fd = check->source.fd;
    loop_remove(check->health->loop, &check->source);
    SSL_free(check->tls);
    check->tls = nullptr;
    fd_closep(&fd);
}

static void end_check(struct check *check, const char *why) {
    close_check(check);
    count(check, why);
    wait_for_next(check);
}

/* Why a handshake failed, as far as libssl knows: a constant of it. */
static const char *failure_of(const SSL *tls) {
    long verified = SSL_get_verify_result(tls);
    unsigned long error = ERR_peek_last_error();
    if (verified != X509_V_OK) {
        return X509_verify_cert_error_string(verified);
    }
    const char *reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
    return reason != nullptr ? reason : "it ended in the middle of the handshake";
}

static void go_on_with_tls(struct check *check) {
    ERR_clear_error();
    int result = SSL_do_handshake(check->tls);
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(check->tls, result);
    switch (error) {
    case SSL_ERROR_NONE:
        (void)SSL_shutdown(check->tls); /* so that its log says nothing of a broken connection */
        end_check(check, nullptr);
        break;
    case SSL_ERROR_WANT_READ:
        loop_set(check->health->loop, &check->source, LOOP_READ);
        break;
    case SSL_ERROR_WANT_WRITE:
        loop_set(check->health->loop, &check->source, LOOP_WRITE);
        break;
    default:
        end_check(check, failure_of(check->tls));
        break;
    }
}

static void begin_tls(struct check *check, const struct upstream_server_view *view) {
    check->tls = tls_client_open(view->client, view->server, (struct slice){});
    if (check->tls == nullptr || SSL_set_fd(check->tls, check->source.fd) != 1) {
        end_check(check, "memory ran out");
        return;
    }
    go_on_with_tls(check);
}

static void on_ready(struct loop_source *source, uint32_t events) {
    (void)events;
    struct check *check = (struct check *)((char *)source - offsetof(struct check, source));
    struct upstream_server_view view = view_of(check);
    int number = 0;
    socklen_t size = sizeof number;
    if (check->tls != nullptr) {
        go_on_with_tls(check);
        return;
    }
    if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
    }
    if (number == 0 && view.upstream->health.tls && view.client != nullptr) {
        begin_tls(check, &view);
    } else {
        end_check(check, number != 0 ? strerror(number) : nullptr);
    }
}

/* nullptr, or why it failed at once. One for which there is no descriptor here says nothing about
 * the server: it is left out. */
static const char *begin_check(struct check *check, const struct upstream_choice *where) {
    struct loop *loop = check->health->loop;
    const struct sockaddr *address = (const struct sockaddr *)&where->address;
    CLEANUP(fd_closep)
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        wait_for_next(check);
        return nullptr;
    }
    if (connect(fd, address, where->size) != 0 && errno != EINPROGRESS) {
        return strerror(errno);
    }
    if (!loop_add(loop, &check->source, fd, LOOP_WRITE)) {
        return strerror(errno);
    }
    (void)fd_take(&fd);
    (void)loop_timer_set(loop, &check->timer, view_of(check).upstream->health.timeout_ms);
    return nullptr;
}

static void on_time(struct timer *timer) {
    struct check *check = (struct check *)((char *)timer - offsetof(struct check, timer));
    if (check->source.fd >= 0) {
        end_check(check, check->tls != nullptr ? "the handshake was not done in time"
                                               : "it did not accept in time");
        return;
    }
    check->began_ms = loop_now_ms(check->health->loop);
    struct upstream_choice where;
    if (!upstreams_address(check->health->upstreams, check->server, check->turn++, &where)) {
        wait_for_next(check); /* its name is not known yet, and it gets nothing anyway */
        return;
    }
    const char *why = begin_check(check, &where);
    if (why != nullptr) {
        count(check, why);
        wait_for_next(check);
    }
}

status_t health_new(struct loop *loop, struct upstreams *upstreams, struct metrics *metrics,
                    struct log_writer *log, struct health **ret_health, struct error *err) {
    uint32_t count = upstreams_server_count(upstreams);
    struct health *health = calloc(1, sizeof *health + count * sizeof(struct check));
    if (health == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the health checks");
    }
    *health = (struct health){loop, upstreams, metrics, log, count};
    for (uint32_t i = 0; i < count; i++) {
        struct check *check = &health->checks[i];
        check->health = health;
        check->server = i;
        check->source = (struct loop_source){.fd = -1, .ready = on_ready};
        check->timer.fire = on_time;
        const struct edge_health *config = &view_of(check).upstream->health;
        if (config->is_there &&
            !loop_timer_set(loop, &check->timer, (uint64_t)config->interval_ms * i / count)) {
            health_free(health);
            return error_set(err, ERROR_NO_MEMORY, 0, "cannot make the health checks");
        }
    }
    *ret_health = health;
    return STATUS_OK;
}

void health_free(struct health *health) {
    if (health == nullptr) {
        return;
    }
    for (uint32_t i = 0; i < health->count; i++) {
        struct check *check = &health->checks[i];
        loop_timer_clear(health->loop, &check->timer);
        close_check(check);
    }
    free(health);
}
