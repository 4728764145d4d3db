/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/health.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/fd.h"

struct check {
    struct health *health;
    struct loop_source source; /* fd -1: no check is under way */
    struct timer timer;        /* until the next check, or the end of this one */
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
              {"reason", why != nullptr ? why : "it accepts connections", 0});
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

static void end_check(struct check *check, const char *why) {
    int fd = check->source.fd;
    loop_remove(check->health->loop, &check->source);
    fd_closep(&fd);
    count(check, why);
    wait_for_next(check);
}

static void on_connected(struct loop_source *source, uint32_t events) {
    (void)events;
    struct check *check = (struct check *)((char *)source - offsetof(struct check, source));
    int number = 0;
    socklen_t size = sizeof number;
    if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &number, &size) != 0) {
        number = errno;
    }
    end_check(check, number != 0 ? strerror(number) : nullptr);
}

/* nullptr, or why it failed at once. */
static const char *begin_check(struct check *check, const struct upstream_choice *where) {
    struct loop *loop = check->health->loop;
    const struct sockaddr *address = (const struct sockaddr *)&where->address;
    CLEANUP(fd_closep)
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return strerror(errno);
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
        end_check(check, "it did not accept in time");
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
        check->source = (struct loop_source){.fd = -1, .ready = on_connected};
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
        int fd = check->source.fd;
        loop_remove(health->loop, &check->source);
        loop_timer_clear(health->loop, &check->timer);
        fd_closep(&fd);
    }
    free(health);
}
