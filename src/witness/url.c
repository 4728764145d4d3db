/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/url.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { PORT_HTTP = 80, PORT_HTTPS = 443, PORT_MAX = 65535 };

static bool port_parse(const char *text, uint16_t *ret_port) {
    unsigned port = 0;
    size_t size = strlen(text);
    if (size == 0 || size > 5 || strspn(text, "0123456789") != size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    *ret_port = (uint16_t)port;
    return port > 0 && port <= PORT_MAX;
}

static bool address_parse(const char *text, uint16_t port, struct url_address *ret_address) {
    struct url_address address = {0};
    if (inet_pton(AF_INET, text, &address.v4.sin_addr) == 1) {
        address.v4.sin_family = AF_INET;
        address.v4.sin_port = htons(port);
        address.size = sizeof address.v4;
    } else {
        address = (struct url_address){0};
        if (inet_pton(AF_INET6, text, &address.v6.sin6_addr) != 1) {
            return false;
        }
        address.v6.sin6_family = AF_INET6;
        address.v6.sin6_port = htons(port);
        address.size = sizeof address.v6;
    }
    *ret_address = address;
    return true;
}

/* `text` is host, [address] or either with :port, and is taken apart in place. */
static bool authority_parse(char *text, struct url *url) {
    static const char NAME[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";
    struct url_address address;
    char *host = text;
    char *port = strrchr(text, ':');
    char *close = strchr(text, ']');
    bool has_brackets = text[0] == '[';
    if (has_brackets) {
        if (close == nullptr || (close[1] != '\0' && close[1] != ':')) {
            return false;
        }
        port = close[1] == ':' ? close + 1 : nullptr;
        *close = '\0';
        host++;
    }
    if (port != nullptr) {
        *port = '\0';
        if (!port_parse(port + 1, &url->port)) {
            return false;
        }
    }
    for (char *at = host; *at != '\0'; at++) {
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at + ('a' - 'A') : *at);
    }
    size_t size = strlen(host);
    url->is_literal = address_parse(host, url->port, &address);
    bool is_v6 = url->is_literal && address.any.sa_family == AF_INET6;
    if (size == 0 || has_brackets != is_v6 || (!is_v6 && strspn(host, NAME) != size)) {
        return false;
    }
    memcpy(url->host, host, size + 1);
    return true;
}

bool url_parse(const char *text, struct url *ret_url) {
    struct url url = {0};
    char authority[URL_BYTES_MAX];
    url.is_tls = strncmp(text, "https://", 8) == 0;
    if (strlen(text) >= URL_BYTES_MAX || (!url.is_tls && strncmp(text, "http://", 7) != 0)) {
        return false;
    }
    const char *rest = text + (url.is_tls ? 8 : 7);
    size_t size = strcspn(rest, "/");
    for (const char *at = rest; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || strchr("?#@\\\"<>^`{|}", *at) != nullptr) {
            return false;
        }
    }
    memcpy(authority, rest, size);
    authority[size] = '\0';
    memcpy(url.authority, authority, size + 1);
    url.port = url.is_tls ? PORT_HTTPS : PORT_HTTP;
    if (!authority_parse(authority, &url)) {
        return false;
    }
    size_t path = strlen(rest + size);
    memcpy(url.path, rest + size, path + 1);
    while (path > 0 && url.path[path - 1] == '/') {
        url.path[--path] = '\0';
    }
    *ret_url = url;
    return true;
}

/* The next word of a line; false at its end or at a comment. */
static bool word_next(struct slice *line, struct slice *ret_word) {
    size_t i = 0;
    while (i < line->size && (line->data[i] == ' ' || line->data[i] == '\t')) {
        i++;
    }
    size_t start = i;
    while (i < line->size && line->data[i] != ' ' && line->data[i] != '\t' &&
           line->data[i] != '#') {
        i++;
    }
    *ret_word = slice_of(line->data + start, i - start);
    *line = slice_of(line->data + i, line->size - i);
    return ret_word->size > 0;
}

static bool line_names(struct slice line, const char *host) {
    struct slice word;
    while (word_next(&line, &word)) {
        if (word.size == strlen(host) &&
            strncasecmp((const char *)word.data, host, word.size) == 0) {
            return true;
        }
    }
    return false;
}

bool url_resolve(const struct url *url, struct slice hosts, struct url_address *ret_address) {
    if (url->is_literal) {
        return address_parse(url->host, url->port, ret_address);
    }
    struct cursor cursor = cursor_of(hosts);
    while (cursor_remaining(&cursor) > 0) {
        const uint8_t *start = cursor.data + cursor.offset;
        const uint8_t *end = memchr(start, '\n', cursor_remaining(&cursor));
        size_t size = end != nullptr ? (size_t)(end - start) : cursor_remaining(&cursor);
        struct slice line = cursor_bytes(&cursor, size);
        struct slice word;
        char address[INET6_ADDRSTRLEN] = {0};
        (void)cursor_bytes(&cursor, end != nullptr);
        if (!word_next(&line, &word) || word.size >= sizeof address ||
            !line_names(line, url->host)) {
            continue;
        }
        memcpy(address, word.data, word.size);
        if (address_parse(address, url->port, ret_address)) {
            return true;
        }
    }
    return strcmp(url->host, "localhost") == 0 &&
           address_parse("127.0.0.1", url->port, ret_address);
}
