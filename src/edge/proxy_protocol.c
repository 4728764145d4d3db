/* SPDX-License-Identifier: Apache-2.0
 *
 * Version 1 is one line of text:
 *
 *   PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n
 *
 * Version 2 is 16 bytes (signature, version and command, family and transport, how many bytes
 * follow), a block of addresses whose length the family gives, and TLVs up to the end: a type, two
 * bytes of length, a value. The value of the TLV about TLS has TLVs of its own.
 *
 * Which TLVs there are stands in two tables that decoding and encoding share.
 */
#include <arpa/inet.h>
#include <string.h>

#include "edge/crc32c.h"
#include "edge/proxy_protocol_format.h"

const uint8_t proxy_signature[SIGNATURE_BYTES] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                                  0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

const struct name_row proxy_names[PROXY_NAME_COUNT] = {
    {TLV_ALPN, NAME_BYTES_MAX, offsetof(struct proxy_header, alpn)},
    {TLV_AUTHORITY, NAME_BYTES_MAX, offsetof(struct proxy_header, authority)},
    {TLV_UNIQUE_ID, PROXY_UNIQUE_ID_BYTES_MAX, offsetof(struct proxy_header, unique_id)},
};

const struct name_row proxy_ssl_names[PROXY_SSL_NAME_COUNT] = {
    {TLV_SSL_VERSION, NAME_BYTES_MAX, offsetof(struct proxy_header, ssl.version)},
    {TLV_SSL_COMMON_NAME, NAME_BYTES_MAX, offsetof(struct proxy_header, ssl.common_name)},
    {TLV_SSL_CIPHER, NAME_BYTES_MAX, offsetof(struct proxy_header, ssl.cipher)},
    {TLV_SSL_SIGNATURE_ALGORITHM, NAME_BYTES_MAX,
     offsetof(struct proxy_header, ssl.signature_algorithm)},
    {TLV_SSL_KEY_ALGORITHM, NAME_BYTES_MAX, offsetof(struct proxy_header, ssl.key_algorithm)},
};

const uint8_t proxy_address_bytes[] = {
    [PROXY_FAMILY_NONE] = 0,
    [PROXY_FAMILY_IPV4] = 4,
    [PROXY_FAMILY_IPV6] = 16,
    [PROXY_FAMILY_UNIX] = PROXY_UNIX_PATH_BYTES,
};

static struct slice *name_of(struct proxy_header *header, const struct name_row *row) {
    return (struct slice *)(void *)((char *)header + row->field);
}

/* ---- version 1 ---- */

/* "0" to "65535", nothing before it. */
static bool parse_port(struct slice text, uint16_t *ret_port) {
    unsigned value = 0;
    if (text.size == 0 || text.size > 5 || (text.size > 1 && text.data[0] == '0')) {
        return false;
    }
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    *ret_port = (uint16_t)value;
    return value <= UINT16_MAX;
}

static bool parse_address(struct slice text, enum proxy_family family,
                          struct host_address *ret_address) {
    char copy[INET6_ADDRSTRLEN];
    if (text.size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    ret_address->size = proxy_address_bytes[family];
    return inet_pton(family == PROXY_FAMILY_IPV4 ? AF_INET : AF_INET6, copy, ret_address->bytes) ==
           1;
}

/* What stands between "PROXY " and the line's end. */
static bool parse_line(struct slice line, struct proxy_header *header) {
    struct cursor cursor = cursor_of(line);
    if (slice_equal(line, SLICE_LITERAL("UNKNOWN")) ||
        slice_starts_with(line, SLICE_LITERAL("UNKNOWN "))) {
        header->is_local = true; /* whatever follows it does not count */
        return true;
    }
    struct slice protocol = cursor_until(&cursor, ' ');
    if (slice_equal(protocol, SLICE_LITERAL("TCP4"))) {
        header->family = PROXY_FAMILY_IPV4;
    } else if (slice_equal(protocol, SLICE_LITERAL("TCP6"))) {
        header->family = PROXY_FAMILY_IPV6;
    } else {
        return false;
    }
    header->transport = PROXY_TRANSPORT_STREAM;
    struct slice source = cursor_until(&cursor, ' ');
    struct slice destination = cursor_until(&cursor, ' ');
    struct slice source_port = cursor_until(&cursor, ' ');
    struct slice destination_port = cursor_bytes(&cursor, cursor_remaining(&cursor));
    return cursor_is_ok(&cursor) &&
           parse_address(source, header->family, &header->source.address) &&
           parse_address(destination, header->family, &header->destination.address) &&
           parse_port(source_port, &header->source.port) &&
           parse_port(destination_port, &header->destination.port);
}

static enum proxy_protocol_result decode_v1(struct slice bytes, struct proxy_header *header,
                                            size_t *ret_size) {
    static const size_t PREFIX = sizeof "PROXY " - 1;
    size_t end = 0;
    size_t size_max = LIMIT_PROXY_HEADER_V1_BYTES;
    size_t looked_at = bytes.size < size_max ? bytes.size : size_max;
    while (end < looked_at && bytes.data[end] >= ' ' && bytes.data[end] <= '~') {
        end++;
    }
    bool is_cut = end == looked_at || (bytes.data[end] == '\r' && end + 1 == looked_at);
    if (is_cut && looked_at < size_max) {
        return PROXY_PROTOCOL_MORE;
    }
    if (is_cut) {
        limit_hit(LIMIT_ID_PROXY_HEADER_V1_BYTES);
        return PROXY_PROTOCOL_MALFORMED;
    }
    if (bytes.data[end] != '\r' || bytes.data[end + 1] != '\n' || end < PREFIX ||
        !parse_line(slice_of(bytes.data + PREFIX, end - PREFIX), header)) {
        return PROXY_PROTOCOL_MALFORMED;
    }
    *ret_size = end + 2;
    return PROXY_PROTOCOL_DONE;
}

/* ---- version 2: decoding ---- */

/* What is read while the TLVs are walked through. */
struct walk {
    struct slice whole; /* the header, to compute its checksum */
    struct proxy_header *header;
    uint8_t seen[32]; /* a bit for each type that came */
};

/* False when the type came before. */
static bool is_first(struct walk *walk, uint8_t type) {
    uint8_t bit = (uint8_t)(1U << type % 8);
    bool is = (walk->seen[type / 8] & bit) == 0;
    walk->seen[type / 8] |= bit;
    return is;
}

static const struct name_row *find_name(const struct name_row *rows, size_t count, uint8_t type) {
    for (size_t i = 0; i < count; i++) {
        if (rows[i].type == type) {
            return &rows[i];
        }
    }
    return nullptr;
}

static bool take_name(struct walk *walk, const struct name_row *row, struct slice value) {
    if (value.size == 0 || value.size > row->size_max || !is_first(walk, row->type)) {
        return false;
    }
    *name_of(walk->header, row) = value;
    return true;
}

static uint32_t read_u32(struct slice value) {
    struct cursor cursor = cursor_of(value);
    uint32_t high = cursor_u16_be(&cursor);
    return high << 16 | cursor_u16_be(&cursor);
}

/* The checksum is of the whole header with zeros in its own place. */
static bool take_checksum(struct walk *walk, struct slice value) {
    static const uint8_t ZEROS[CHECKSUM_BYTES] = {};
    if (value.size != CHECKSUM_BYTES || !is_first(walk, TLV_CRC32C)) {
        return false;
    }
    size_t before = (size_t)(value.data - walk->whole.data);
    size_t after = before + CHECKSUM_BYTES;
    uint32_t sum = crc32c(CRC32C_START, slice_of(walk->whole.data, before));
    sum = crc32c(sum, slice_of(ZEROS, CHECKSUM_BYTES));
    sum = crc32c(sum, slice_of(walk->whole.data + after, walk->whole.size - after));
    walk->header->has_checksum = true;
    return sum == read_u32(value);
}

/* The next TLV; false when there is none or not a whole one: cursor_is_ok() tells which. */
static bool next_tlv(struct cursor *cursor, uint8_t *ret_type, struct slice *ret_value) {
    if (cursor_remaining(cursor) == 0) {
        return false;
    }
    *ret_type = cursor_u8(cursor);
    *ret_value = cursor_bytes(cursor, cursor_u16_be(cursor));
    return cursor_is_ok(cursor);
}

static bool take_ssl(struct walk *walk, struct slice value) {
    struct cursor cursor = cursor_of(value);
    struct proxy_ssl *ssl = &walk->header->ssl;
    uint8_t type = 0;
    struct slice part = {};
    if (!is_first(walk, TLV_SSL)) {
        return false;
    }
    ssl->is_there = true;
    ssl->client = cursor_u8(&cursor);
    ssl->verify = read_u32(cursor_bytes(&cursor, sizeof ssl->verify));
    while (next_tlv(&cursor, &type, &part)) {
        const struct name_row *row = find_name(proxy_ssl_names, PROXY_SSL_NAME_COUNT, type);
        if (row != nullptr && !take_name(walk, row, part)) {
            return false;
        }
    }
    return cursor_is_ok(&cursor);
}

static bool take_fixed(struct walk *walk, uint8_t type, struct slice value, uint8_t *ret_bytes,
                       size_t size) {
    if (value.size != size || !is_first(walk, type)) {
        return false;
    }
    memcpy(ret_bytes, value.data, size);
    return true;
}

static bool take_tlv(struct walk *walk, uint8_t type, struct slice value) {
    struct proxy_header *header = walk->header;
    uint8_t group[GROUP_BYTES];
    const struct name_row *row = find_name(proxy_names, PROXY_NAME_COUNT, type);
    if (row != nullptr) {
        return take_name(walk, row, value);
    }
    switch (type) {
    case TLV_CRC32C:
        return take_checksum(walk, value);
    case TLV_SSL:
        return take_ssl(walk, value);
    case TLV_SPKI:
        header->has_spki = true;
        return take_fixed(walk, type, value, header->spki, sizeof header->spki);
    case TLV_EXPORTER:
        header->has_exporter = true;
        return take_fixed(walk, type, value, header->exporter, sizeof header->exporter);
    case TLV_GROUP:
        header->has_group = true;
        if (!take_fixed(walk, type, value, group, sizeof group)) {
            return false;
        }
        header->group = (uint16_t)(group[0] << 8 | group[1]);
        return true;
    default: /* NOOP, and what is not known here */
        return true;
    }
}

static struct slice trim_zeros(struct slice path) {
    while (path.size > 0 && path.data[path.size - 1] == 0) {
        path.size--;
    }
    return path;
}

static void take_address(struct cursor *cursor, enum proxy_family family,
                         struct proxy_endpoint *ret_endpoint) {
    struct slice bytes = cursor_bytes(cursor, proxy_address_bytes[family]);
    if (!cursor_is_ok(cursor)) {
        return;
    }
    if (family == PROXY_FAMILY_UNIX) {
        ret_endpoint->path = trim_zeros(bytes);
    } else if (family != PROXY_FAMILY_NONE) {
        ret_endpoint->address.size = (uint8_t)bytes.size;
        memcpy(ret_endpoint->address.bytes, bytes.data, bytes.size);
    }
}

/* Family and transport, both or none of them; the specification lists no other. */
static bool take_family(uint8_t byte, struct proxy_header *header) {
    unsigned family = byte >> 4;
    unsigned transport = byte & 0x0fU;
    if (family > PROXY_FAMILY_UNIX || transport > PROXY_TRANSPORT_DATAGRAM ||
        (family == 0) != (transport == 0)) {
        return false;
    }
    header->family = (enum proxy_family)family;
    header->transport = (enum proxy_transport)transport;
    return true;
}

/* All after the head. */
static bool decode_body(struct slice whole, struct proxy_header *header) {
    struct walk walk = {.whole = whole, .header = header};
    struct cursor cursor = cursor_of(whole);
    uint8_t type = 0;
    struct slice value = {};
    (void)cursor_bytes(&cursor, HEAD_BYTES);
    take_address(&cursor, header->family, &header->source);
    take_address(&cursor, header->family, &header->destination);
    if (header->family == PROXY_FAMILY_IPV4 || header->family == PROXY_FAMILY_IPV6) {
        header->source.port = cursor_u16_be(&cursor);
        header->destination.port = cursor_u16_be(&cursor);
    }
    while (next_tlv(&cursor, &type, &value)) {
        if (!take_tlv(&walk, type, value)) {
            return false;
        }
    }
    return cursor_is_ok(&cursor);
}

/* `bytes` has at least the head. */
static enum proxy_protocol_result decode_v2(struct slice bytes, struct proxy_header *header,
                                            size_t *ret_size) {
    uint8_t command = bytes.data[SIGNATURE_BYTES];
    size_t size =
        HEAD_BYTES + (size_t)(bytes.data[HEAD_BYTES - 2] << 8 | bytes.data[HEAD_BYTES - 1]);
    if (command != (VERSION_2 | COMMAND_LOCAL) && command != (VERSION_2 | COMMAND_PROXY)) {
        return PROXY_PROTOCOL_MALFORMED;
    }
    /* With LOCAL neither the family nor anything else counts; it is passed over. */
    header->is_local = command == (VERSION_2 | COMMAND_LOCAL);
    if (!header->is_local && !take_family(bytes.data[SIGNATURE_BYTES + 1], header)) {
        return PROXY_PROTOCOL_MALFORMED;
    }
    if (size > LIMIT_PROXY_HEADER_BYTES) {
        limit_hit(LIMIT_ID_PROXY_HEADER_BYTES);
        return PROXY_PROTOCOL_MALFORMED;
    }
    if (bytes.size < size) {
        return PROXY_PROTOCOL_MORE;
    }
    if (!header->is_local && !decode_body(slice_of(bytes.data, size), header)) {
        return PROXY_PROTOCOL_MALFORMED;
    }
    *ret_size = size;
    return PROXY_PROTOCOL_DONE;
}

/* Whether bytes that are fewer than the prefix, or more, begin as it does. */
static bool may_begin(struct slice bytes, struct slice prefix) {
    size_t common = bytes.size < prefix.size ? bytes.size : prefix.size;
    return memcmp(bytes.data, prefix.data, common) == 0;
}

enum proxy_protocol_result
proxy_protocol_decode(struct slice bytes, struct proxy_header *ret_header, size_t *ret_size) {
    struct proxy_header header = {};
    size_t size = 0;
    enum proxy_protocol_result result = PROXY_PROTOCOL_MALFORMED;
    if (bytes.size == 0) {
        return PROXY_PROTOCOL_MORE;
    }
    if (may_begin(bytes, slice_of(proxy_signature, SIGNATURE_BYTES))) {
        result = bytes.size < HEAD_BYTES ? PROXY_PROTOCOL_MORE : decode_v2(bytes, &header, &size);
    } else if (may_begin(bytes, SLICE_LITERAL("PROXY "))) {
        result = decode_v1(bytes, &header, &size);
    }
    if (result == PROXY_PROTOCOL_DONE) {
        *ret_header = header;
        *ret_size = size;
    }
    return result;
}
