/* SPDX-License-Identifier: Apache-2.0
 *
 * The PROXY protocol: headers as others write them, every way in which one is none, and our own
 * back again. Every input lies at the end of a page, in front of one that faults.
 */
#include "edge/proxy_protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "edge/crc32c.h"

static const char SIGNATURE[] = "\r\n\r\n\0\r\nQUIT\n";

/* `bytes` again, with nothing behind it that could be read. */
static struct slice at_the_edge(struct slice bytes) {
    static uint8_t *pages;
    static const size_t ROOM = 16384;
    if (pages == nullptr) {
        pages = mmap(nullptr, ROOM + (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_true(pages != MAP_FAILED);
        assert_int_equal(mprotect(pages + ROOM, (size_t)sysconf(_SC_PAGESIZE), PROT_NONE), 0);
    }
    assert_true(bytes.size <= ROOM);
    uint8_t *start = pages + ROOM - bytes.size;
    if (bytes.size > 0) {
        memmove(start, bytes.data, bytes.size);
    }
    return slice_of(start, bytes.size);
}

/* The result; outputs are checked to be untouched when there is none. */
static enum proxy_protocol_result decode(struct slice bytes, struct proxy_header *ret_header) {
    size_t size = 77;
    struct proxy_header header;
    memset(&header, 0xa5, sizeof header);
    enum proxy_protocol_result result = proxy_protocol_decode(at_the_edge(bytes), &header, &size);
    if (result == PROXY_PROTOCOL_DONE) {
        assert_true(size > 0 && size <= bytes.size);
        *ret_header = header;
    } else {
        assert_int_equal(size, 77);
        assert_int_equal(header.group, 0xa5a5);
    }
    return result;
}

/* Of a whole header with nothing behind it: MORE for each part of it, and MALFORMED never. */
static void check_parts(struct slice whole) {
    struct proxy_header header;
    for (size_t size = 0; size < whole.size; size++) {
        assert_int_equal(decode(slice_of(whole.data, size), &header), PROXY_PROTOCOL_MORE);
    }
    assert_int_equal(decode(whole, &header), PROXY_PROTOCOL_DONE);
}

static void check_line(const char *line, enum proxy_protocol_result expected) {
    struct proxy_header header;
    if (decode(slice_of_string(line), &header) != expected) {
        fail_msg("\"%s\" is not judged as it should be", line);
    }
}

static void lines_that_are_none(void **state) {
    (void)state;
    static const char *const LINES[] = {
        "GET / HTTP/1.1\r\n",
        "PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP4 \r\n",
        "PROXY TCP4 1.2.3.4\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 \r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n",
        "PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 +1 2\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 000002\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2x\r\n",
        "PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n",
        "PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n",
        "PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY TCP6 [::1] ::1 1 2\r\n",
        "PROXY TCP6 ::1%eth0 ::1 1 2\r\n",
        "PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n",
        "PROXY UNKNOWNS\r\n",
        "PROXY unknown\r\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n",
        "PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n",
        "PROXY TCP4 1.2.3.4\t5.6.7.8 1 2\r\n",
        "PROXY UNKNOWN \x80\r\n",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof LINES[0]; i++) {
        check_line(LINES[i], PROXY_PROTOCOL_MALFORMED);
    }
}

static void a_line_may_have_107_bytes(void **state) {
    (void)state;
    char line[128];
    memset(line, ' ', sizeof line);
    memcpy(line, "PROXY UNKNOWN ", 14);
    struct proxy_header header;
    memcpy(line + 105, "\r\n", 2);
    check_parts(slice_of(line, 107));
    assert_int_equal(decode(slice_of(line, sizeof line), &header), PROXY_PROTOCOL_DONE);
    uint64_t hits = limit_hit_count(LIMIT_ID_PROXY_HEADER_V1_BYTES);
    memcpy(line + 105, " \r\n", 3);
    assert_int_equal(decode(slice_of(line, 106), &header), PROXY_PROTOCOL_MORE);
    assert_int_equal(decode(slice_of(line, 107), &header), PROXY_PROTOCOL_MALFORMED);
    assert_int_equal(decode(slice_of(line, sizeof line), &header), PROXY_PROTOCOL_MALFORMED);
    assert_int_equal(limit_hit_count(LIMIT_ID_PROXY_HEADER_V1_BYTES), hits + 2);
}

static void lines_of_others(void **state) {
    (void)state;
    struct proxy_header header;
    check_parts(SLICE_LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\n"));
    assert_int_equal(
        decode(SLICE_LITERAL("PROXY TCP4 192.0.2.1 192.0.2.2 51234 443\r\nGET /"), &header),
        PROXY_PROTOCOL_DONE);
    assert_false(header.is_local);
    assert_int_equal(header.family, PROXY_FAMILY_IPV4);
    assert_int_equal(header.transport, PROXY_TRANSPORT_STREAM);
    assert_int_equal(header.source.address.size, 4);
    assert_memory_equal(header.source.address.bytes, "\xc0\x00\x02\x01", 4);
    assert_memory_equal(header.destination.address.bytes, "\xc0\x00\x02\x02", 4);
    assert_int_equal(header.source.port, 51234);
    assert_int_equal(header.destination.port, 443);
    struct slice longest = SLICE_LITERAL("PROXY TCP6 ffff:f:ffff:ffff:ffff:ffff:ffff:ffff "
                                         "ffff:f:ffff:ffff:ffff:ffff:ffff:ffff 65535 0\r\n");
    check_parts(longest);
    assert_int_equal(decode(longest, &header), PROXY_PROTOCOL_DONE);
    assert_int_equal(header.family, PROXY_FAMILY_IPV6);
    assert_int_equal(header.source.address.size, 16);
    assert_int_equal(header.source.port, 65535);
    assert_int_equal(header.destination.port, 0);
    assert_int_equal(
        decode(SLICE_LITERAL("PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"), &header),
        PROXY_PROTOCOL_DONE);
    assert_true(header.is_local);
    check_parts(SLICE_LITERAL("PROXY UNKNOWN\r\n"));
}

/* ---- version 2 ---- */

/* A header out of its parts, in a buffer that the next one overwrites. */
static struct slice binary(uint8_t command, uint8_t family, struct slice rest) {
    static uint8_t bytes[8192];
    memcpy(bytes, SIGNATURE, 12);
    bytes[12] = command;
    bytes[13] = family;
    bytes[14] = (uint8_t)(rest.size >> 8);
    bytes[15] = (uint8_t)rest.size;
    assert_true(rest.size <= sizeof bytes - 16);
    if (rest.size > 0) {
        memcpy(bytes + 16, rest.data, rest.size);
    }
    return slice_of(bytes, 16 + rest.size);
}

#define ADDRESSES "\xc0\x00\x02\x01\xc0\x00\x02\x02\xc8\x22\x01\xbb"

static void check_tlvs(struct slice tlvs, enum proxy_protocol_result expected) {
    struct proxy_header header;
    static uint8_t rest[4096];
    assert_true(tlvs.size <= sizeof rest - 12);
    memcpy(rest, ADDRESSES, 12);
    memcpy(rest + 12, tlvs.data, tlvs.size);
    assert_int_equal(decode(binary(0x21, 0x11, slice_of(rest, 12 + tlvs.size)), &header), expected);
}

static void heads_that_are_none(void **state) {
    (void)state;
    struct proxy_header header;
    struct slice addresses = SLICE_LITERAL(ADDRESSES);
    for (unsigned byte = 0; byte < 256; byte++) {
        bool is_command = byte == 0x20 || byte == 0x21;
        assert_int_equal(decode(binary((uint8_t)byte, 0x11, addresses), &header),
                         is_command ? PROXY_PROTOCOL_DONE : PROXY_PROTOCOL_MALFORMED);
        bool is_family = byte == 0 || byte == 0x11 || byte == 0x12;
        enum proxy_protocol_result result =
            decode(binary(0x21, (uint8_t)byte, byte == 0 ? slice_of("", 0) : addresses), &header);
        assert_int_equal(result, is_family ? PROXY_PROTOCOL_DONE : PROXY_PROTOCOL_MALFORMED);
        /* With the longest addresses all of the specification's are whole, TLVs of zeros behind. */
        bool is_longer = byte == 0x21 || byte == 0x22 || byte == 0x31 || byte == 0x32;
        struct slice zeros = slice_of((const uint8_t[216]){}, 216);
        result = decode(binary(0x21, (uint8_t)byte, zeros), &header);
        assert_int_equal(result,
                         is_family || is_longer ? PROXY_PROTOCOL_DONE : PROXY_PROTOCOL_MALFORMED);
        assert_int_equal(decode(binary(0x20, (uint8_t)byte, addresses), &header),
                         PROXY_PROTOCOL_DONE); /* of LOCAL the family does not count */
        assert_true(header.is_local);
    }
    for (size_t size = 0; size < 12; size++) {
        assert_int_equal(decode(binary(0x21, 0x11, slice_of(ADDRESSES, size)), &header),
                         PROXY_PROTOCOL_MALFORMED);
    }
    for (size_t at = 0; at < 12; at++) {
        uint8_t changed[16];
        memcpy(changed, binary(0x21, 0x11, addresses).data, 16);
        changed[at] ^= 0x20;
        assert_int_equal(decode(slice_of(changed, 16), &header), PROXY_PROTOCOL_MALFORMED);
    }
}

static void a_header_may_have_4096_bytes(void **state) {
    (void)state;
    static uint8_t rest[LIMIT_PROXY_HEADER_BYTES] = ADDRESSES "\x04";
    struct proxy_header header;
    size_t size = LIMIT_PROXY_HEADER_BYTES - 16;
    rest[13] = (uint8_t)((size - 15) >> 8);
    rest[14] = (uint8_t)(size - 15);
    assert_int_equal(decode(binary(0x21, 0x11, slice_of(rest, size)), &header),
                     PROXY_PROTOCOL_DONE);
    uint64_t hits = limit_hit_count(LIMIT_ID_PROXY_HEADER_BYTES);
    struct slice longer = binary(0x21, 0x11, slice_of(rest, size + 1));
    assert_int_equal(decode(longer, &header), PROXY_PROTOCOL_MALFORMED);
    assert_int_equal(decode(slice_of(longer.data, 16), &header), PROXY_PROTOCOL_MALFORMED);
    assert_int_equal(limit_hit_count(LIMIT_ID_PROXY_HEADER_BYTES), hits + 2);
}

#define TLV(text) SLICE_LITERAL(text)
static void tlvs_that_are_none(void **state) {
    (void)state;
    const struct slice wrong[] = {
        TLV("\x01"),          /* no length */
        TLV("\x01\x00"),      /* half of one */
        TLV("\x01\x00\x02h"), /* longer than what is there */
        TLV("\x04\xff\xff"),  /* the same, of one that is passed over */
        TLV("\xee\x00\x01"),  /* of one that is unknown */
        TLV("\x01\x00\x00"),  /* no name */
        TLV("\x02\x00\x00"),
        TLV("\x05\x00\x00"),
        TLV("\x01\x00\x02h2\x01\x00\x02h2"), /* twice */
        TLV("\x02\x00\x01"
            "a\x02\x00\x01"
            "a"),
        TLV("\x20\x00\x00"),                         /* nothing about TLS */
        TLV("\x20\x00\x04\x01\x00\x00\x00"),         /* a byte too few */
        TLV("\x20\x00\x06\x01\x00\x00\x00\x00\x21"), /* one within that is cut */
        TLV("\x20\x00\x08\x01\x00\x00\x00\x00\x21\x00\x01"),
        TLV("\x20\x00\x08\x01\x00\x00\x00\x00\x23\x00\x00"),
        TLV("\x20\x00\x05\x01\x00\x00\x00\x00\x20\x00\x05\x01\x00\x00\x00\x00"),
        TLV("\x20\x00\x0d\x01\x00\x00\x00\x00\x21\x00\x01"
            "a\x21\x00\x01"
            "b"),
        TLV("\xe1\x00\x01\x00"),
        TLV("\xe2\x00\x01\x11"),
        TLV("\xe2\x00\x03\x11\xec\x00"),
        TLV("\xe2\x00\x02\x11\xec\xe2\x00\x02\x11\xec"),
        TLV("\xe3\x00\x00"),
        TLV("\x03\x00\x04\x00\x00\x00\x00"), /* a wrong checksum */
        TLV("\x03\x00\x03\x00\x00\x00"),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        check_tlvs(wrong[i], PROXY_PROTOCOL_MALFORMED);
    }
    uint8_t name[3 + 256] = {0x02, 0x01, 0x00};
    memset(name + 3, 'a', 256);
    check_tlvs(slice_of(name, sizeof name), PROXY_PROTOCOL_MALFORMED);
    name[1] = 0x00;
    name[2] = 0xff;
    check_tlvs(slice_of(name, sizeof name - 1), PROXY_PROTOCOL_DONE);
    uint8_t id[3 + 129] = {0x05, 0x00, 129};
    check_tlvs(slice_of(id, sizeof id), PROXY_PROTOCOL_MALFORMED);
}

static void tlvs_that_are_passed_over(void **state) {
    (void)state;
    check_tlvs(TLV(""), PROXY_PROTOCOL_DONE);
    check_tlvs(TLV("\x04\x00\x00\x04\x00\x02xx"), PROXY_PROTOCOL_DONE);
    check_tlvs(TLV("\xea\x00\x00\xea\x00\x01x"), PROXY_PROTOCOL_DONE); /* an Amazon endpoint */
    check_tlvs(TLV("\x30\x00\x02ns"), PROXY_PROTOCOL_DONE);
    check_tlvs(TLV("\x20\x00\x09\x00\x00\x00\x00\x01\x2f\x00\x01x"), PROXY_PROTOCOL_DONE);
}

static void the_checksum_is_castagnoli(void **state) {
    (void)state;
    uint8_t bytes[32] = {};
    assert_int_equal(crc32c(CRC32C_START, SLICE_LITERAL("123456789")), 0xe3069283);
    assert_int_equal(crc32c(CRC32C_START, slice_of(bytes, 32)), 0x8a9136aa); /* RFC 3720, B.4 */
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(CRC32C_START, slice_of(bytes, 32)), 0x62a8ab43);
    uint32_t half = crc32c(CRC32C_START, SLICE_LITERAL("12345"));
    assert_int_equal(crc32c(half, SLICE_LITERAL("6789")), 0xe3069283);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_are_none),
        cmocka_unit_test(a_line_may_have_107_bytes),
        cmocka_unit_test(lines_of_others),
        cmocka_unit_test(heads_that_are_none),
        cmocka_unit_test(a_header_may_have_4096_bytes),
        cmocka_unit_test(tlvs_that_are_none),
        cmocka_unit_test(tlvs_that_are_passed_over),
        cmocka_unit_test(the_checksum_is_castagnoli),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
