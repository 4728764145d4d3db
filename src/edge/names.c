/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/names.h"

#include <stdlib.h>

enum { RETRY_FIRST_MS = 1000 };

struct asked {
    struct names *names;
    struct timer timer;
    struct resolve_query *query; /* nullptr: none is under way */
    uint32_t server;
    uint32_t retry_ms; /* while it never had an address: after this, then twice that */
};

struct names {
    struct names_options options;
    uint32_t count;
    struct asked asked[];
};

static struct upstream_server_view view_of(const struct asked *asked) {
    struct upstream_server_view view;
    upstreams_server(asked->names->options.upstreams, asked->server, 0, &view);
    return view;
}

static void on_failure(struct asked *asked, const struct upstream_server_view *view,
                       const char *why) {
    const struct names_options *options = &asked->names->options;
    metrics_add(options->metrics, METRIC_RESOLVE_FAILURES,
                (struct metric_at){.label_1 = view->number}, 1);
    LOG_EVENT(options->log, PROXY_EVENT_NAME_UNRESOLVED, {"upstream", view->upstream->name, 0},
              {"server", view->server->address, 0}, {"reason", why, 0},
              {"addresses", nullptr, view->address_count});
}

static void on_addresses(void *context, const struct host_address *addresses, size_t count,
                         const char *why) {
    struct asked *asked = context;
    const struct names_options *options = &asked->names->options;
    struct upstream_server_view view = view_of(asked);
    asked->query = nullptr;
    uint32_t next_ms = LIMIT_EDGE_RESOLVE_MS;
    if (count == 0) {
        on_failure(asked, &view, why);
        if (view.address_count == 0) {
            next_ms = asked->retry_ms;
            asked->retry_ms =
                next_ms * 2 < LIMIT_EDGE_RESOLVE_MS ? next_ms * 2 : LIMIT_EDGE_RESOLVE_MS;
        }
    } else if (upstreams_set_addresses(options->upstreams, asked->server, addresses, count)) {
        LOG_EVENT(options->log, PROXY_EVENT_NAME_RESOLVED, {"upstream", view.upstream->name, 0},
                  {"server", view.server->address, 0}, {"addresses", nullptr, (int64_t)count});
    }
    (void)loop_timer_set(options->loop, &asked->timer, next_ms);
}

static void ask(struct timer *timer) {
    struct asked *asked = (struct asked *)((char *)timer - offsetof(struct asked, timer));
    const char *host = view_of(asked).server->host;
    /* The answer may be there before the call returns. */
    struct resolve_query *query =
        resolver_start(asked->names->options.resolver, host, on_addresses, asked);
    asked->query = query;
}

static status_t start(struct names *names, struct error *err) {
    const struct names_options *options = &names->options;
    for (uint32_t i = 0; i < names->count; i++) {
        struct asked *asked = &names->asked[i];
        asked->names = names;
        asked->server = i;
        asked->retry_ms = RETRY_FIRST_MS;
        asked->timer.fire = ask;
        if (!view_of(asked).is_asked_for) {
            continue;
        }
        if (!loop_timer_set(options->loop, &asked->timer, 0)) {
            return error_set(err, ERROR_NO_MEMORY, 0, "cannot ask for the names of servers");
        }
    }
    return STATUS_OK;
}

status_t names_new(const struct names_options *options, struct names **ret_names,
                   struct error *err) {
    uint32_t count = upstreams_server_count(options->upstreams);
    struct names *names = calloc(1, sizeof *names + count * sizeof(struct asked));
    if (names == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot ask for the names of servers");
    }
    *names = (struct names){*options, count};
    status_t started = start(names, err);
    if (!status_is_ok(started)) {
        names_free(names);
        return started;
    }
    *ret_names = names;
    return STATUS_OK;
}

void names_free(struct names *names) {
    if (names == nullptr) {
        return;
    }
    for (uint32_t i = 0; i < names->count; i++) {
        loop_timer_clear(names->options.loop, &names->asked[i].timer);
        resolve_cancel(names->asked[i].query);
    }
    free(names);
}
