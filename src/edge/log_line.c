/* SPDX-License-Identifier: Apache-2.0
 *
 * What stands in a line. Text is made visible first (codec/text.h) and then quoted for JSON, so
 * that a name from outside is one line of printable UTF-8 in whatever shows it. There is a line for
 * each connection, so what is common is put together without printf(3).
 */
#include <netinet/in.h>
#include <string.h>

#include "base/assert.h"
#include "codec/host.h"
#include "codec/text.h"
#include "edge/log.h"

enum { TEXT_BYTES_MAX = 1024 }; /* of one member, from outside */

static const struct {
    const char *id;
    bool is_stranger_s;
} EVENTS[] = {
#define PROXY_EVENT(name, id, stranger, meaning) [PROXY_EVENT_##name] = {id, stranger},
#include "proxy_events.def"
#undef PROXY_EVENT
};

const char *proxy_event_id(enum proxy_event event) {
    ASSERT(event < PROXY_EVENT_COUNT);
    return EVENTS[event].id;
}

static void put_key(struct builder *line, const char *key) {
    builder_bytes(line, SLICE_LITERAL(",\""));
    builder_text(line, key);
    builder_bytes(line, SLICE_LITERAL("\":"));
}

/* Visible as it is, and nothing to JSON. */
static bool is_plain(struct slice text) {
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\') {
            return false;
        }
    }
    return text.size <= TEXT_BYTES_MAX;
}

void log_text(struct builder *line, const char *key, struct slice text) {
    put_key(line, key);
    builder_u8(line, '"');
    if (is_plain(text)) {
        builder_bytes(line, text);
        builder_u8(line, '"');
        return;
    }
    struct builder visible;
    builder_init(&visible, TEXT_BYTES_MAX + 4);
    text_escape_short(text, TEXT_BYTES_MAX, &visible);
    struct slice shown = builder_slice(&visible);
    for (size_t i = 0; i < shown.size; i++) {
        if (shown.data[i] == '"' || shown.data[i] == '\\') {
            builder_u8(line, '\\');
        }
        builder_u8(line, shown.data[i]);
    }
    builder_u8(line, '"');
    builder_deinit(&visible);
}

void log_number(struct builder *line, const char *key, int64_t number) {
    put_key(line, key);
    if (number < 0) {
        builder_u8(line, '-');
    }
    builder_decimal(line, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void log_address(struct builder *line, const char *key, const struct sockaddr *address) {
    static const uint8_t MAPPED[12] = {[10] = 0xff, [11] = 0xff};
    struct host_address host = {};
    uint16_t port = 0;
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof v4);
        host.size = 4;
        memcpy(host.bytes, &v4.sin_addr, 4);
        port = ntohs(v4.sin_port);
    } else if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof v6);
        bool is_v4 = memcmp(v6.sin6_addr.s6_addr, MAPPED, sizeof MAPPED) == 0;
        host.size = is_v4 ? 4 : 16;
        memcpy(host.bytes, v6.sin6_addr.s6_addr + (is_v4 ? sizeof MAPPED : 0), host.size);
        port = ntohs(v6.sin6_port);
    } else {
        /* Nobody knows any more who was accepted from a socket that was reset before. */
        log_text(line, key, slice_of_string(address->sa_family == AF_UNIX ? "unix" : "gone"));
        return;
    }
    put_key(line, key);
    if (host.size == 4) {
        for (size_t i = 0; i < 4; i++) {
            builder_u8(line, i == 0 ? '"' : '.');
            builder_decimal(line, host.bytes[i]);
        }
        builder_u8(line, ':');
    } else {
        struct host text = host_of_address(&host);
        builder_bytes(line, SLICE_LITERAL("\"["));
        builder_text(line, text.text);
        builder_bytes(line, SLICE_LITERAL("]:"));
    }
    builder_decimal(line, port);
    builder_u8(line, '"');
}

void log_event(struct log_writer *writer, enum proxy_event event, const struct log_field *fields,
               size_t count) {
    ASSERT(event < PROXY_EVENT_COUNT);
    if (EVENTS[event].is_stranger_s && !log_line_allowed(writer, event)) {
        return;
    }
    struct builder *line = log_line_begin(writer, EVENTS[event].id);
    for (size_t i = 0; i < count; i++) {
        if (fields[i].text != nullptr) {
            log_text(line, fields[i].key, slice_of_string(fields[i].text));
        } else {
            log_number(line, fields[i].key, fields[i].number);
        }
    }
    log_line_end(writer);
}
