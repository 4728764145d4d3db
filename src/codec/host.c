/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/host.h"

#include <arpa/inet.h>
#include <string.h>

enum { LABEL_BYTES_MAX = 63 };

static bool is_digit(uint8_t byte) {
    return byte >= '0' && byte <= '9';
}

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

static bool is_name_byte(uint8_t byte) {
    byte = lower(byte);
    return (byte >= 'a' && byte <= 'z') || is_digit(byte) || byte == '-' || byte == '_';
}

static bool is_hex(uint8_t byte) {
    byte = lower(byte);
    return is_digit(byte) || (byte >= 'a' && byte <= 'f');
}

/* What some program takes for a part of an IPv4 address: 127, 0177, 0x7f. */
static bool label_is_number(struct slice label) {
    bool hex = label.size >= 2 && label.data[0] == '0' && lower(label.data[1]) == 'x';
    for (size_t i = hex ? 2 : 0; i < label.size; i++) {
        if (hex ? !is_hex(label.data[i]) : !is_digit(label.data[i])) {
            return false;
        }
    }
    return true;
}

static const char *check_label(struct slice label) {
    if (label.size == 0) {
        return "it has an empty label";
    }
    if (label.size > LABEL_BYTES_MAX) {
        return "it has a label that is too long";
    }
    if (label.data[0] == '-' || label.data[label.size - 1] == '-') {
        return "it has a label that begins or ends with a dash";
    }
    return nullptr;
}

static const char *check_bytes(struct slice text) {
    if (text.size == 0) {
        return "it is empty";
    }
    if (text.size >= HOST_TEXT_BYTES) {
        return "it is too long";
    }
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            return "it is percent-encoded";
        }
        if (byte >= 0x80) {
            return "it is not in ASCII; an international name is written in its xn-- form";
        }
        if (byte != '.' && !is_name_byte(byte)) {
            return "it has a character that no name has";
        }
    }
    return text.data[text.size - 1] == '.' ? "it ends with a dot" : nullptr;
}

static const char *check_name(struct slice text) {
    const char *wrong = check_bytes(text);
    struct slice label = {};
    for (size_t at = 0; wrong == nullptr && at < text.size; at += label.size + 1) {
        const uint8_t *dot = memchr(text.data + at, '.', text.size - at);
        size_t end = dot != nullptr ? (size_t)(dot - text.data) : text.size;
        label = slice_of(text.data + at, end - at);
        wrong = check_label(label);
    }
    if (wrong == nullptr && label_is_number(label)) {
        return "it is an IP address in an odd notation";
    }
    return wrong;
}

struct host host_of_address(const struct host_address *address) {
    struct host host = {.is_address = true, .address = *address};
    int family = address->size == 4 ? AF_INET : AF_INET6;
    (void)inet_ntop(family, address->bytes, host.text, sizeof host.text);
    return host;
}

/* inet_pton(3) takes decimal parts without leading zeros and no zone: one reading only. */
static bool parse_address(struct slice text, int family, struct host *ret_host) {
    char copy[INET6_ADDRSTRLEN];
    struct host_address address = {.size = family == AF_INET ? 4 : 16};
    if (text.size >= sizeof copy || memchr(text.data, 0, text.size) != nullptr) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    if (inet_pton(family, copy, address.bytes) != 1) {
        return false;
    }
    *ret_host = host_of_address(&address);
    return true;
}

const char *host_parse(struct slice text, bool bracketed, struct host *ret_host) {
    bool has_brackets =
        text.size > 2 && text.data[0] == '[' && text.data[text.size - 1] == ']' && bracketed;
    if (has_brackets || (!bracketed && text.size > 0 && memchr(text.data, ':', text.size))) {
        struct slice inner = has_brackets ? slice_of(text.data + 1, text.size - 2) : text;
        return parse_address(inner, AF_INET6, ret_host) ? nullptr : "it is no IPv6 address";
    }
    if (text.size > 0 && parse_address(text, AF_INET, ret_host)) {
        return nullptr;
    }
    const char *wrong = check_name(text);
    if (wrong == nullptr) {
        *ret_host = (struct host){};
        for (size_t i = 0; i < text.size; i++) {
            ret_host->text[i] = (char)lower(text.data[i]);
        }
    }
    return wrong;
}

bool host_parse_port(struct slice text, uint16_t *ret_port) {
    unsigned value = 0;
    if (text.size == 0 || text.size > 5 || text.data[0] == '0') {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (!is_digit(text.data[i])) {
            return false;
        }
        value = value * 10 + (text.data[i] - '0');
    }
    if (value > UINT16_MAX) {
        return false;
    }
    *ret_port = (uint16_t)value;
    return true;
}

const char *host_parse_authority(struct slice text, uint16_t port_default, struct host *ret_host,
                                 uint16_t *ret_port) {
    const uint8_t *colon = text.size > 0 ? memrchr(text.data, ':', text.size) : nullptr;
    const uint8_t *bracket = text.size > 0 ? memrchr(text.data, ']', text.size) : nullptr;
    if (colon == nullptr || (bracket != nullptr && colon < bracket)) {
        *ret_port = port_default;
        return port_default == 0 ? "it has no port" : host_parse(text, true, ret_host);
    }
    size_t size = (size_t)(colon - text.data);
    if (!host_parse_port(slice_of(colon + 1, text.size - size - 1), ret_port)) {
        return "its port is no number from 1 to 65535";
    }
    return host_parse(slice_of(text.data, size), true, ret_host);
}
