/* SPDX-License-Identifier: Apache-2.0
 *
 * PROXY headers that are written: bytes as the specification has them, what is written is read
 * back, and a header with a checksum survives no change.
 */
#include "edge/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct builder out;

static struct slice encode(const struct proxy_header *header, enum proxy_protocol_version version) {
    builder_reset(&out);
    proxy_protocol_encode(header, version, &out);
    assert_true(builder_is_ok(&out));
    return builder_slice(&out);
}

static int setup(void **state) {
    (void)state;
    builder_init(&out, 8192);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    builder_deinit(&out);
    return 0;
}

static struct proxy_header ipv4(void) {
    return (struct proxy_header){
        .family = PROXY_FAMILY_IPV4,
        .transport = PROXY_TRANSPORT_STREAM,
        .source = {.address = {4, {192, 0, 2, 1}}, .port = 51234},
        .destination = {.address = {4, {192, 0, 2, 2}}, .port = 443},
    };
}

/* Everything that there is. */
static struct proxy_header full(void) {
    struct proxy_header header = ipv4();
    header.family = PROXY_FAMILY_IPV6;
    header.source.address = (struct host_address){16, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
    header.destination.address = (struct host_address){16, {0x20, 0x01, 0x0d, 0xb8, [15] = 2}};
    header.alpn = SLICE_LITERAL("h2");
    header.authority = SLICE_LITERAL("www.example.org");
    header.unique_id = SLICE_LITERAL("\x00\x01\x02");
    header.ssl = (struct proxy_ssl){
        .is_there = true,
        .client = PROXY_SSL_USED | PROXY_SSL_CERT_CONNECTION,
        .verify = 0x01020304,
        .version = SLICE_LITERAL("TLSv1.3"),
        .cipher = SLICE_LITERAL("TLS_AES_256_GCM_SHA384"),
        .common_name = SLICE_LITERAL("client"),
        .signature_algorithm = SLICE_LITERAL("ML-DSA-65"),
        .key_algorithm = SLICE_LITERAL("ML-DSA-65"),
    };
    header.has_spki = true;
    header.has_group = true;
    header.has_exporter = true;
    header.has_checksum = true;
    memset(header.spki, 0x5a, sizeof header.spki);
    memset(header.exporter, 0xa5, sizeof header.exporter);
    header.group = 0x11ec;
    return header;
}

static struct proxy_header decode(struct slice bytes) {
    struct proxy_header header = {};
    size_t size = 0;
    assert_int_equal(proxy_protocol_decode(bytes, &header, &size), PROXY_PROTOCOL_DONE);
    assert_int_equal(size, bytes.size);
    return header;
}

static void check_endpoint(const struct proxy_endpoint *a, const struct proxy_endpoint *b) {
    assert_int_equal(a->address.size, b->address.size);
    assert_memory_equal(a->address.bytes, b->address.bytes, a->address.size);
    assert_int_equal(a->port, b->port);
    assert_true(slice_equal(a->path, b->path));
}

static void check_same(const struct proxy_header *a, const struct proxy_header *b) {
    assert_int_equal(a->is_local, b->is_local);
    assert_int_equal(a->family, b->family);
    assert_int_equal(a->transport, b->transport);
    check_endpoint(&a->source, &b->source);
    check_endpoint(&a->destination, &b->destination);
    assert_true(slice_equal(a->alpn, b->alpn));
    assert_true(slice_equal(a->authority, b->authority));
    assert_true(slice_equal(a->unique_id, b->unique_id));
    assert_int_equal(a->ssl.is_there, b->ssl.is_there);
    assert_int_equal(a->ssl.client, b->ssl.client);
    assert_int_equal(a->ssl.verify, b->ssl.verify);
    assert_true(slice_equal(a->ssl.version, b->ssl.version));
    assert_true(slice_equal(a->ssl.cipher, b->ssl.cipher));
    assert_true(slice_equal(a->ssl.common_name, b->ssl.common_name));
    assert_true(slice_equal(a->ssl.signature_algorithm, b->ssl.signature_algorithm));
    assert_true(slice_equal(a->ssl.key_algorithm, b->ssl.key_algorithm));
    assert_int_equal(a->has_spki, b->has_spki);
    assert_int_equal(a->has_group, b->has_group);
    assert_int_equal(a->has_exporter, b->has_exporter);
    assert_int_equal(a->has_checksum, b->has_checksum);
    assert_memory_equal(a->spki, b->spki, sizeof a->spki);
    assert_memory_equal(a->exporter, b->exporter, sizeof a->exporter);
    assert_int_equal(a->group, b->group);
}

static void bytes_are_those_of_the_specification(void **state) {
    (void)state;
    struct proxy_header header = ipv4();
    assert_true(slice_equal(encode(&header, PROXY_PROTOCOL_V1),
                            SLICE_LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n")));
    assert_true(slice_equal(encode(&header, PROXY_PROTOCOL_V2),
                            SLICE_LITERAL("\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"
                                          "\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x01\xbb")));
    header.is_local = true;
    assert_true(slice_equal(encode(&header, PROXY_PROTOCOL_V2),
                            SLICE_LITERAL("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00")));
    assert_true(
        slice_equal(encode(&header, PROXY_PROTOCOL_V1), SLICE_LITERAL("PROXY UNKNOWN\r\n")));
    header = full();
    assert_true(slice_equal(encode(&header, PROXY_PROTOCOL_V1),
                            SLICE_LITERAL("PROXY TCP6 2001:db8::1 2001:db8::2 51234 443\r\n")));
    header.transport = PROXY_TRANSPORT_DATAGRAM;
    assert_true(
        slice_equal(encode(&header, PROXY_PROTOCOL_V1), SLICE_LITERAL("PROXY UNKNOWN\r\n")));
}

static void tlvs_are_those_of_the_specification(void **state) {
    (void)state;
    struct proxy_header header = {.alpn = SLICE_LITERAL("h2"), .has_group = true, .group = 0x11ec};
    header.ssl = (struct proxy_ssl){.is_there = true, .client = 1, .version = SLICE_LITERAL("a")};
    assert_true(slice_equal(encode(&header, PROXY_PROTOCOL_V2),
                            SLICE_LITERAL("\r\n\r\n\0\r\nQUIT\n\x21\x00\x00\x16"
                                          "\x01\x00\x02h2"
                                          "\x20\x00\x09\x01\x00\x00\x00\x00\x21\x00\x01"
                                          "a\xe2\x00\x02\x11\xec")));
}

static void what_is_written_is_read_back(void **state) {
    (void)state;
    struct proxy_header header = full();
    struct proxy_header again = decode(encode(&header, PROXY_PROTOCOL_V2));
    check_same(&header, &again);
    header.transport = PROXY_TRANSPORT_DATAGRAM;
    again = decode(encode(&header, PROXY_PROTOCOL_V2));
    check_same(&header, &again);
    header = (struct proxy_header){.family = PROXY_FAMILY_UNIX,
                                   .transport = PROXY_TRANSPORT_STREAM,
                                   .source.path = SLICE_LITERAL("\0abstract"),
                                   .destination.path = SLICE_LITERAL("/run/edge.sock")};
    again = decode(encode(&header, PROXY_PROTOCOL_V2));
    check_same(&header, &again);
    header = (struct proxy_header){.has_checksum = true};
    again = decode(encode(&header, PROXY_PROTOCOL_V2));
    check_same(&header, &again);
    header = ipv4();
    again = decode(encode(&header, PROXY_PROTOCOL_V1));
    check_same(&header, &again);
}

/* CRC-32C finds every change of up to 32 bits in a row. */
static void no_change_passes_the_checksum(void **state) {
    (void)state;
    struct proxy_header header = full();
    struct proxy_header ignored;
    size_t size = 0;
    static uint8_t bytes[LIMIT_PROXY_HEADER_BYTES];
    struct slice whole = encode(&header, PROXY_PROTOCOL_V2);
    memcpy(bytes, whole.data, whole.size);
    for (size_t cut = 0; cut < whole.size; cut++) {
        assert_int_equal(proxy_protocol_decode(slice_of(bytes, cut), &ignored, &size),
                         PROXY_PROTOCOL_MORE);
    }
    for (size_t at = 0; at < whole.size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bytes[at] ^= (uint8_t)(1U << bit);
            enum proxy_protocol_result result =
                proxy_protocol_decode(slice_of(bytes, whole.size), &ignored, &size);
            /* But for the bit that makes PROXY a LOCAL, which says that nothing else counts, and
             * those that make the checksum something unknown: then there is none. A longer length
             * waits. */
            bool is_excused =
                (at == 12 && bit == 0) || (at == whole.size - 7 && !ignored.has_checksum);
            bool is_length = at == 14 || at == 15;
            if (result != PROXY_PROTOCOL_MALFORMED &&
                !(is_length && result == PROXY_PROTOCOL_MORE) &&
                !(is_excused && result == PROXY_PROTOCOL_DONE)) {
                fail_msg("bit %u of byte %zu", bit, at);
            }
            bytes[at] ^= (uint8_t)(1U << bit);
        }
    }
}

static void a_builder_without_room_fails(void **state) {
    (void)state;
    struct proxy_header header = full();
    struct slice whole = encode(&header, PROXY_PROTOCOL_V2);
    struct builder small;
    builder_init(&small, whole.size - 1);
    proxy_protocol_encode(&header, PROXY_PROTOCOL_V2, &small);
    assert_false(builder_is_ok(&small));
    builder_deinit(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_builder_without_room_fails),
        cmocka_unit_test(no_change_passes_the_checksum),
        cmocka_unit_test(bytes_are_those_of_the_specification),
        cmocka_unit_test(tlvs_are_those_of_the_specification),
        cmocka_unit_test(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
