/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/resolve.h"

#include <ares.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "sys/fd.h"

enum { SOCKET_COUNT_MAX = 32, TRY_MS = 2000, TRIES = 2, HOUR_MS = 3600000 };

struct resolver_socket {
    struct loop_source source;
    struct resolver *resolver;
};

struct resolver {
    struct loop *loop;
    struct slice hosts;
    ares_channel_t *channel;
    struct timer timer;
    struct resolver_socket sockets[SOCKET_COUNT_MAX];
};

struct resolve_query {
    resolve_done *done; /* nullptr: cancelled */
    void *context;
    bool starting; /* resolver_start() has not returned */
    bool ended;
};

static struct slice next_word(struct slice *line) {
    size_t at = 0;
    while (at < line->size && (line->data[at] == ' ' || line->data[at] == '\t')) {
        at++;
    }
    size_t end = at;
    while (end < line->size && line->data[end] != ' ' && line->data[end] != '\t' &&
           line->data[end] != '\r' && line->data[end] != '#') {
        end++;
    }
    struct slice word = slice_of(line->data + at, end - at);
    bool comment = end < line->size && line->data[end] == '#';
    *line = comment ? (struct slice){} : slice_of(line->data + end, line->size - end);
    return word;
}

static bool line_names(struct slice line, const char *name) {
    size_t size = strlen(name);
    for (struct slice word = next_word(&line); word.size > 0; word = next_word(&line)) {
        if (word.size == size && strncasecmp((const char *)word.data, name, size) == 0) {
            return true;
        }
    }
    return false;
}

status_t resolve_read_hosts(struct builder *ret_hosts, struct error *err) {
    builder_init(ret_hosts, (size_t)LIMIT_HOSTS_BYTES);
    CLEANUP(fd_closep) int fd = open("/etc/hosts", O_RDONLY | O_CLOEXEC);
    status_t status = fd >= 0 ? fd_read_to_end(fd, "/etc/hosts", ret_hosts, err) : STATUS_OK;
    if (!status_is_ok(status) && err->code == ERROR_LIMIT) {
        limit_hit(LIMIT_ID_HOSTS_BYTES);
    }
    return status;
}

size_t resolve_in_hosts(struct slice hosts, const char *name, struct host_address *ret_addresses) {
    size_t count = 0;
    for (size_t at = 0; at < hosts.size && count < LIMIT_EGRESS_ADDRESSES;) {
        const uint8_t *end = memchr(hosts.data + at, '\n', hosts.size - at);
        size_t size = end != nullptr ? (size_t)(end - hosts.data) - at : hosts.size - at;
        struct slice line = slice_of(hosts.data + at, size);
        struct slice first = next_word(&line);
        struct host host;
        if (first.size > 0 && host_parse(first, false, &host) == nullptr && host.is_address &&
            line_names(line, name)) {
            ret_addresses[count++] = host.address;
        }
        at += size + 1;
    }
    return count;
}

static void serve_timeouts(struct resolver *resolver) {
    struct timeval left;
    if (ares_timeout(resolver->channel, nullptr, &left) != nullptr) {
        uint64_t ms = (uint64_t)left.tv_sec * 1000u + (uint64_t)left.tv_usec / 1000u + 1;
        (void)loop_timer_set(resolver->loop, &resolver->timer, ms < HOUR_MS ? ms : HOUR_MS);
    } else {
        loop_timer_clear(resolver->loop, &resolver->timer);
    }
}

static void on_timer(struct timer *timer) {
    struct resolver *resolver =
        (struct resolver *)((char *)timer - offsetof(struct resolver, timer));
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    serve_timeouts(resolver);
}

static void on_socket(struct loop_source *source, uint32_t events) {
    struct resolver_socket *one =
        (struct resolver_socket *)((char *)source - offsetof(struct resolver_socket, source));
    struct resolver *resolver = one->resolver;
    ares_socket_t fd = source->fd;
    ares_process_fd(resolver->channel, (events & LOOP_READ) != 0 ? fd : ARES_SOCKET_BAD,
                    (events & LOOP_WRITE) != 0 ? fd : ARES_SOCKET_BAD);
    serve_timeouts(resolver);
}

/* What c-ares wants of one of its sockets; nothing: it is about to be closed. */
static void on_socket_state(void *context, ares_socket_t fd, int readable, int writable) {
    struct resolver *resolver = context;
    struct resolver_socket *found = nullptr;
    for (size_t i = 0; i < SOCKET_COUNT_MAX; i++) {
        struct resolver_socket *one = &resolver->sockets[i];
        if (one->source.fd == fd || (found == nullptr && one->source.fd < 0)) {
            found = found != nullptr && found->source.fd == fd ? found : one;
        }
    }
    uint32_t interest =
        (readable != 0 ? (uint32_t)LOOP_READ : 0) | (writable != 0 ? (uint32_t)LOOP_WRITE : 0);
    if (found == nullptr || (found->source.fd < 0 && interest == 0)) {
        return; /* past the table: the query runs into its time */
    }
    if (found->source.fd < 0) {
        (void)loop_add(resolver->loop, &found->source, fd, interest);
    } else if (interest == 0) {
        loop_remove(resolver->loop, &found->source);
    } else {
        loop_set(resolver->loop, &found->source, interest);
    }
}

status_t resolver_new(struct loop *loop, struct slice hosts, struct resolver **ret_resolver,
                      struct error *err) {
    CLEANUP(memory_freep) struct resolver *resolver = calloc(1, sizeof *resolver);
    if (resolver == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot make a resolver");
    }
    resolver->loop = loop;
    resolver->hosts = hosts;
    resolver->timer.fire = on_timer;
    for (size_t i = 0; i < SOCKET_COUNT_MAX; i++) {
        resolver->sockets[i].resolver = resolver;
        resolver->sockets[i].source = (struct loop_source){.fd = -1, .ready = on_socket};
    }
    char lookups[] = "b"; /* the DNS; the hosts file is ours to read */
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
        .timeout = TRY_MS,
        .tries = TRIES,
        .lookups = lookups,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB;
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS ||
        ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
        return error_set(err, ERROR_IO, 0, "cannot read the DNS servers in /etc/resolv.conf");
    }
    *ret_resolver = TAKE(resolver);
    return STATUS_OK;
}

void resolver_free(struct resolver *resolver) {
    if (resolver != nullptr) {
        ares_destroy(resolver->channel);
        loop_timer_clear(resolver->loop, &resolver->timer);
        free(resolver);
    }
}

static const char *why_of(int status) {
    switch (status) {
    case ARES_ENOTFOUND:
    case ARES_ENODATA:
        return "the name is not known";
    case ARES_ETIMEOUT:
        limit_hit(LIMIT_ID_EGRESS_DNS_MS);
        return "no DNS server answered in time";
    default:
        return "the DNS servers cannot be asked";
    }
}

static size_t collect(const struct ares_addrinfo *info, struct host_address *ret_addresses) {
    size_t count = 0;
    for (const struct ares_addrinfo_node *node = info->nodes; node != nullptr;
         node = node->ai_next) {
        struct host_address address = {};
        if (node->ai_family == AF_INET && (size_t)node->ai_addrlen >= sizeof(struct sockaddr_in)) {
            struct sockaddr_in v4;
            memcpy(&v4, node->ai_addr, sizeof v4);
            address.size = 4;
            memcpy(address.bytes, &v4.sin_addr, 4);
        } else if (node->ai_family == AF_INET6 &&
                   (size_t)node->ai_addrlen >= sizeof(struct sockaddr_in6)) {
            struct sockaddr_in6 v6;
            memcpy(&v6, node->ai_addr, sizeof v6);
            address.size = 16;
            memcpy(address.bytes, &v6.sin6_addr, 16);
        } else {
            continue;
        }
        if (count == LIMIT_EGRESS_ADDRESSES) {
            limit_hit(LIMIT_ID_EGRESS_ADDRESSES);
            break;
        }
        ret_addresses[count++] = address;
    }
    return count;
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *info) {
    (void)timeouts;
    struct resolve_query *query = context;
    struct host_address addresses[LIMIT_EGRESS_ADDRESSES];
    size_t count = status == ARES_SUCCESS && info != nullptr ? collect(info, addresses) : 0;
    if (info != nullptr) {
        ares_freeaddrinfo(info);
    }
    query->ended = true;
    if (query->done != nullptr) {
        query->done(query->context, addresses, count,
                    status == ARES_SUCCESS ? "the name has no address" : why_of(status));
    }
    if (!query->starting) {
        free(query);
    }
}

struct resolve_query *resolver_start(struct resolver *resolver, const char *name,
                                     resolve_done *done, void *context) {
    struct host_address addresses[LIMIT_EGRESS_ADDRESSES];
    size_t count = resolve_in_hosts(resolver->hosts, name, addresses);
    struct resolve_query *query = count > 0 ? nullptr : calloc(1, sizeof *query);
    if (query == nullptr) {
        done(context, addresses, count, "memory ran out");
        return nullptr;
    }
    *query = (struct resolve_query){.done = done, .context = context, .starting = true};
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    ares_getaddrinfo(resolver->channel, name, nullptr, &hints, on_answer, query);
    serve_timeouts(resolver);
    query->starting = false;
    if (query->ended) {
        free(query);
        return nullptr;
    }
    return query;
}

void resolve_cancel(struct resolve_query *query) {
    if (query != nullptr) {
        query->done = nullptr;
    }
}
