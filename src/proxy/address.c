/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/address.h"

#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "sys/fd.h"

struct range {
    uint8_t bytes[16];
    uint8_t bits;
    enum address_class class;
    const char *kind;
};

/* The longest prefix that holds comes first. Sources: IANA IPv4 and IPv6 Special-Purpose Address
 * Registries; AWS for the metadata addresses. */
static const struct range RANGES_4[] = {
    {{169, 254, 169, 254}, 32, ADDRESS_METADATA, "cloud metadata"},
    {{100, 100, 100, 200}, 32, ADDRESS_METADATA, "cloud metadata"},
    {{168, 63, 129, 16}, 32, ADDRESS_METADATA, "cloud metadata"},
    {{255, 255, 255, 255}, 32, ADDRESS_FORBIDDEN, "broadcast"},
    {{192, 0, 0}, 24, ADDRESS_FORBIDDEN, "protocol assignment"},
    {{192, 88, 99}, 24, ADDRESS_FORBIDDEN, "6to4 relay"},
    {{169, 254}, 16, ADDRESS_PRIVATE, "link-local"},
    {{192, 168}, 16, ADDRESS_PRIVATE, "private"},
    {{198, 18}, 15, ADDRESS_PRIVATE, "benchmarking"},
    {{172, 16}, 12, ADDRESS_PRIVATE, "private"},
    {{100, 64}, 10, ADDRESS_PRIVATE, "carrier-grade NAT"},
    {{0}, 8, ADDRESS_FORBIDDEN, "unspecified"},
    {{10}, 8, ADDRESS_PRIVATE, "private"},
    {{127}, 8, ADDRESS_PRIVATE, "loopback"},
    {{224}, 4, ADDRESS_FORBIDDEN, "multicast"},
    {{240}, 4, ADDRESS_FORBIDDEN, "reserved"},
};

static const struct range RANGES_6[] = {
    {{0}, 128, ADDRESS_FORBIDDEN, "unspecified"},
    {{[15] = 1}, 128, ADDRESS_PRIVATE, "loopback"},
    {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54}, 128, ADDRESS_METADATA, "cloud metadata"},
    {{[10] = 0xff, [11] = 0xff}, 96, ADDRESS_FORBIDDEN, "IPv4-mapped"},
    {{0}, 96, ADDRESS_FORBIDDEN, "IPv4-compatible"},
    {{[8] = 0xff, [9] = 0xff}, 96, ADDRESS_FORBIDDEN, "IPv4-translated"},
    {{0x00, 0x64, 0xff, 0x9b}, 96, ADDRESS_FORBIDDEN, "NAT64"},
    {{0x01, 0x00}, 64, ADDRESS_FORBIDDEN, "discard-only"},
    {{0x00, 0x64, 0xff, 0x9b, 0x00, 0x01}, 48, ADDRESS_FORBIDDEN, "NAT64"},
    {{0x20, 0x01, 0x00, 0x00}, 32, ADDRESS_FORBIDDEN, "Teredo"},
    {{0x20, 0x01}, 23, ADDRESS_FORBIDDEN, "protocol assignment"},
    {{0x20, 0x02}, 16, ADDRESS_FORBIDDEN, "6to4"},
    {{0x5f, 0x00}, 16, ADDRESS_FORBIDDEN, "segment routing"},
    {{0xfe, 0x80}, 10, ADDRESS_PRIVATE, "link-local"},
    {{0xfe, 0xc0}, 10, ADDRESS_PRIVATE, "site-local"},
    {{0xff}, 8, ADDRESS_FORBIDDEN, "multicast"},
    {{0xfc}, 7, ADDRESS_PRIVATE, "private"},
};

static bool is_in(const struct host_address *address, const struct range *range) {
    unsigned whole = range->bits / 8;
    unsigned rest = range->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return memcmp(address->bytes, range->bytes, whole) == 0 &&
           (rest == 0 || ((address->bytes[whole] ^ range->bytes[whole]) & mask) == 0);
}

/* An interface identifier that holds an IPv4 address (RFC 5214). */
static bool is_isatap(const struct host_address *address) {
    static const uint8_t SIGN[] = {0x00, 0x00, 0x5e, 0xfe};
    uint8_t first = address->bytes[8] & 0xfdu; /* without the universal bit */
    return first == 0 && memcmp(address->bytes + 9, SIGN + 1, 3) == 0;
}

enum address_class address_classify(const struct host_address *address, const char **ret_kind) {
    bool is_v4 = address->size == 4;
    const struct range *ranges = is_v4 ? RANGES_4 : RANGES_6;
    size_t count =
        is_v4 ? sizeof RANGES_4 / sizeof RANGES_4[0] : sizeof RANGES_6 / sizeof RANGES_6[0];
    for (size_t i = 0; i < count; i++) {
        if (is_in(address, &ranges[i])) {
            *ret_kind = ranges[i].kind;
            return ranges[i].class;
        }
    }
    if (!is_v4 && is_isatap(address)) {
        *ret_kind = "ISATAP";
        return ADDRESS_FORBIDDEN;
    }
    if (!is_v4 && (address->bytes[0] & 0xe0u) != 0x20) { /* 2000::/3 is what is given out */
        *ret_kind = "reserved";
        return ADDRESS_FORBIDDEN;
    }
    *ret_kind = "";
    return ADDRESS_PUBLIC;
}

/* To itself a machine speaks from the address that it speaks to. Nothing is sent. */
bool address_is_own(const struct host_address *address) {
    enum { ANY_PORT = 9 };
    struct sockaddr_storage to;
    struct sockaddr_storage from = {};
    socklen_t size = address_to_socket(address, ANY_PORT, &to);
    socklen_t from_size = size;
    CLEANUP(fd_closep) int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&from, &from_size) != 0) {
        return false; /* it cannot be reached at all */
    }
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, &from, sizeof v4);
    memcpy(&v6, &from, sizeof v6);
    return address->size == 4 ? memcmp(&v4.sin_addr, address->bytes, 4) == 0
                              : memcmp(&v6.sin6_addr, address->bytes, 16) == 0;
}

socklen_t address_to_socket(const struct host_address *address, uint16_t port,
                            struct sockaddr_storage *ret_storage) {
    *ret_storage = (struct sockaddr_storage){};
    if (address->size == 4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&v4.sin_addr, address->bytes, 4);
        memcpy(ret_storage, &v4, sizeof v4);
        return sizeof v4;
    }
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    memcpy(&v6.sin6_addr, address->bytes, 16);
    memcpy(ret_storage, &v6, sizeof v6);
    return sizeof v6;
}
