/* SPDX-License-Identifier: Apache-2.0
 *
 * PROXY headers (edge/proxy_protocol.c), whatever their bytes say: nothing past them is read, what
 * is copied fits the room that is there, and what is found lies in them.
 *
 * The walk through the TLVs of version 2 is proved step by step: from any place in a header, after
 * any TLVs before it, the next one is inside, the walk gets on, and what was found stays sound. So
 * it holds for any number of them.
 */
#include <arpa/inet.h>

#include "any_cursor.h"

#include "edge/proxy_protocol.c" /* whole, for its parts */

enum {
    LINE_BYTES_HERE = 107, /* as long as one can be */
    SSL_BYTES_HERE = 17,   /* of the TLV about TLS: up to four in it */
    WHOLE_BYTES_HERE = 22, /* of a header from its first byte on: up to two TLVs */
};

void limit_hit(enum limit_id id) {
    prove(id < LIMIT_ID_COUNT);
}

/* Whatever the sum: the bytes can be read. */
uint32_t crc32c(uint32_t before, struct slice bytes) {
    if (bytes.size > 0) {
        (void)(bytes.data[0] + bytes.data[bytes.size - 1]);
    }
    return before ^ nondet_u32();
}

/* Whatever it says: there is room for an address. */
int inet_pton(int family, const char *text, void *ret_address) {
    prove(__CPROVER_r_ok(text, 1));
    prove(__CPROVER_w_ok(ret_address, family == AF_INET ? 4 : 16));
    return nondet_bool() ? 1 : 0;
}

/* What stands in a line, each part of it anything. */
void proof_proxy_header_line(void) {
    struct proxy_header header = {};
    if (parse_line(any_bytes(LINE_BYTES_HERE), &header) && !header.is_local) {
        uint8_t size = header.family == PROXY_FAMILY_IPV4 ? 4 : 16;
        prove(header.family == PROXY_FAMILY_IPV4 || header.family == PROXY_FAMILY_IPV6);
        prove(header.source.address.size == size && header.destination.address.size == size);
    }
}

static void lies_in(struct slice part, struct slice whole, size_t size_max) {
    prove(part.size <= size_max);
    if (part.size > 0) {
        prove(part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
    }
}

static void is_sound(const struct proxy_header *header, struct slice whole) {
    lies_in(header->alpn, whole, NAME_BYTES_MAX);
    lies_in(header->authority, whole, NAME_BYTES_MAX);
    lies_in(header->unique_id, whole, PROXY_UNIQUE_ID_BYTES_MAX);
    lies_in(header->ssl.version, whole, NAME_BYTES_MAX);
    lies_in(header->ssl.common_name, whole, NAME_BYTES_MAX);
    lies_in(header->ssl.cipher, whole, NAME_BYTES_MAX);
    lies_in(header->ssl.signature_algorithm, whole, NAME_BYTES_MAX);
    lies_in(header->ssl.key_algorithm, whole, NAME_BYTES_MAX);
    lies_in(header->source.path, whole, PROXY_UNIX_PATH_BYTES);
    lies_in(header->destination.path, whole, PROXY_UNIX_PATH_BYTES);
}

static bool came_before(const struct walk *walk, uint8_t type) {
    return (walk->seen[type / 8] >> type % 8 & 1) != 0;
}

/* Those whose value counts. */
static bool is_known(uint8_t type) {
    return type == TLV_ALPN || type == TLV_AUTHORITY || type == TLV_CRC32C ||
           type == TLV_UNIQUE_ID || type == TLV_SPKI || type == TLV_GROUP || type == TLV_EXPORTER;
}

/* One TLV at any place of any header, after any others; the one about TLS has a proof below. */
void proof_proxy_header_tlv(void) {
    struct slice whole = any_bytes(LIMIT_PROXY_HEADER_BYTES);
    struct proxy_header header = {};
    struct walk walk; /* what came before is anything */
    struct cursor cursor = {.data = whole.data, .size = whole.size, .offset = nondet_size()};
    uint8_t type = 0;
    struct slice value = {};
    walk.whole = whole;
    walk.header = &header;
    suppose(cursor.offset <= cursor.size);
    struct cursor before = cursor;
    struct walk walk_before = walk;
    if (!next_tlv(&cursor, &type, &value)) {
        prove(!cursor_is_ok(&cursor) || before.offset == before.size);
        return;
    }
    prove(cursor.offset - before.offset == TLV_HEAD_BYTES + value.size);
    lies_in(value, whole, UINT16_MAX);
    suppose(type != TLV_SSL);
    bool is_taken = take_tlv(&walk, type, value);
    prove(!is_taken || !is_known(type) || !came_before(&walk_before, type));
    prove(!is_taken || !is_known(type) || came_before(&walk, type));
    is_sound(&header, whole);
}

void proof_proxy_header_ssl(void) {
    struct slice value = any_bytes(SSL_BYTES_HERE);
    struct proxy_header header = {};
    struct walk walk;
    walk.whole = value;
    walk.header = &header;
    struct walk before = walk;
    bool is_taken = take_ssl(&walk, value);
    prove(!is_taken || !came_before(&before, TLV_SSL));
    prove(!is_taken || (header.ssl.is_there && value.size >= 5));
    is_sound(&header, value);
}

/* The addresses of any family, wherever the header ends. */
void proof_proxy_header_addresses(void) {
    struct slice whole = any_bytes(HEAD_BYTES + 2 * PROXY_UNIX_PATH_BYTES);
    struct proxy_header header = {};
    struct cursor cursor = cursor_of(whole);
    (void)cursor_bytes(&cursor, HEAD_BYTES);
    if (!take_family(nondet_u8(), &header)) {
        return;
    }
    take_address(&cursor, header.family, &header.source);
    take_address(&cursor, header.family, &header.destination);
    prove(header.source.address.size <= sizeof header.source.address.bytes);
    prove(header.destination.address.size <= sizeof header.destination.address.bytes);
    prove(!cursor_is_ok(&cursor) || cursor.offset <= cursor.size);
    is_sound(&header, whole);
}

/* From the first byte on: how much it is, or that there is more to come. */
void proof_proxy_header_whole(void) {
    struct slice bytes = any_bytes(WHOLE_BYTES_HERE);
    struct proxy_header header = {};
    size_t size = SIZE_MAX;
    suppose(bytes.size >= HEAD_BYTES);
    enum proxy_protocol_result result = decode_v2(bytes, &header, &size);
    prove(result == PROXY_PROTOCOL_DONE || size == SIZE_MAX);
    if (result == PROXY_PROTOCOL_DONE) {
        prove(size >= HEAD_BYTES && size <= bytes.size);
        is_sound(&header, slice_of(bytes.data, size));
    }
}
