/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/address.h"

static const struct {
    const char *text;
    enum address_class class;
    const char *kind;
} ROWS[] = {
    {"1.1.1.1", ADDRESS_PUBLIC, ""},
    {"9.255.255.255", ADDRESS_PUBLIC, ""},
    {"11.0.0.0", ADDRESS_PUBLIC, ""},
    {"172.15.255.255", ADDRESS_PUBLIC, ""},
    {"172.32.0.0", ADDRESS_PUBLIC, ""},
    {"100.63.255.255", ADDRESS_PUBLIC, ""},
    {"100.128.0.0", ADDRESS_PUBLIC, ""},
    {"169.253.255.255", ADDRESS_PUBLIC, ""},
    {"169.255.0.0", ADDRESS_PUBLIC, ""},
    {"126.255.255.255", ADDRESS_PUBLIC, ""},
    {"128.0.0.0", ADDRESS_PUBLIC, ""},
    {"198.17.255.255", ADDRESS_PUBLIC, ""},
    {"198.20.0.0", ADDRESS_PUBLIC, ""},
    {"223.255.255.255", ADDRESS_PUBLIC, ""},
    {"0.0.0.0", ADDRESS_FORBIDDEN, "unspecified"},
    {"0.1.2.3", ADDRESS_FORBIDDEN, "unspecified"},
    {"10.0.0.0", ADDRESS_PRIVATE, "private"},
    {"10.255.255.255", ADDRESS_PRIVATE, "private"},
    {"100.64.0.0", ADDRESS_PRIVATE, "carrier-grade NAT"},
    {"100.127.255.255", ADDRESS_PRIVATE, "carrier-grade NAT"},
    {"100.100.100.200", ADDRESS_METADATA, "cloud metadata"},
    {"127.0.0.1", ADDRESS_PRIVATE, "loopback"},
    {"127.255.255.254", ADDRESS_PRIVATE, "loopback"},
    {"168.63.129.16", ADDRESS_METADATA, "cloud metadata"},
    {"169.254.1.1", ADDRESS_PRIVATE, "link-local"},
    {"169.254.169.254", ADDRESS_METADATA, "cloud metadata"},
    {"172.16.0.0", ADDRESS_PRIVATE, "private"},
    {"172.31.255.255", ADDRESS_PRIVATE, "private"},
    {"192.0.0.8", ADDRESS_FORBIDDEN, "protocol assignment"},
    {"192.88.99.1", ADDRESS_FORBIDDEN, "6to4 relay"},
    {"192.168.0.1", ADDRESS_PRIVATE, "private"},
    {"198.18.0.1", ADDRESS_PRIVATE, "benchmarking"},
    {"198.19.255.255", ADDRESS_PRIVATE, "benchmarking"},
    {"224.0.0.1", ADDRESS_FORBIDDEN, "multicast"},
    {"239.255.255.255", ADDRESS_FORBIDDEN, "multicast"},
    {"240.0.0.1", ADDRESS_FORBIDDEN, "reserved"},
    {"255.255.255.255", ADDRESS_FORBIDDEN, "broadcast"},
    {"2600::1", ADDRESS_PUBLIC, ""},
    {"2001:4860:4860::8888", ADDRESS_PUBLIC, ""},
    {"2a00::", ADDRESS_PUBLIC, ""},
    {"::", ADDRESS_FORBIDDEN, "unspecified"},
    {"::1", ADDRESS_PRIVATE, "loopback"},
    {"::127.0.0.1", ADDRESS_FORBIDDEN, "IPv4-compatible"},
    {"::8.8.8.8", ADDRESS_FORBIDDEN, "IPv4-compatible"},
    {"::ffff:127.0.0.1", ADDRESS_FORBIDDEN, "IPv4-mapped"},
    {"::ffff:8.8.8.8", ADDRESS_FORBIDDEN, "IPv4-mapped"},
    {"::ffff:0:127.0.0.1", ADDRESS_FORBIDDEN, "IPv4-translated"},
    {"64:ff9b::7f00:1", ADDRESS_FORBIDDEN, "NAT64"},
    {"64:ff9b::808:808", ADDRESS_FORBIDDEN, "NAT64"},
    {"64:ff9b:1::a00:1", ADDRESS_FORBIDDEN, "NAT64"},
    {"100::1", ADDRESS_FORBIDDEN, "discard-only"},
    {"2001::1", ADDRESS_FORBIDDEN, "Teredo"},
    {"2001:10::1", ADDRESS_FORBIDDEN, "protocol assignment"},
    {"2002:7f00:1::", ADDRESS_FORBIDDEN, "6to4"},
    {"2002:808:808::1", ADDRESS_FORBIDDEN, "6to4"},
    {"2600::5efe:7f00:1", ADDRESS_FORBIDDEN, "ISATAP"},
    {"2600::200:5efe:7f00:1", ADDRESS_FORBIDDEN, "ISATAP"},
    {"4000::1", ADDRESS_FORBIDDEN, "reserved"},
    {"5f00::1", ADDRESS_FORBIDDEN, "segment routing"},
    {"fc00::1", ADDRESS_PRIVATE, "private"},
    {"fd12::1", ADDRESS_PRIVATE, "private"},
    {"fd00:ec2::254", ADDRESS_METADATA, "cloud metadata"},
    {"fe80::1", ADDRESS_PRIVATE, "link-local"},
    {"febf::1", ADDRESS_PRIVATE, "link-local"},
    {"fec0::1", ADDRESS_PRIVATE, "site-local"},
    {"ff02::1", ADDRESS_FORBIDDEN, "multicast"},
};

static void each_is_what_the_registries_say(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct host host;
        const char *kind;
        assert_null(host_parse(slice_of_string(ROWS[i].text), false, &host));
        assert_true(host.is_address);
        enum address_class class = address_classify(&host.address, &kind);
        if (class != ROWS[i].class || strcmp(kind, ROWS[i].kind) != 0) {
            fail_msg("%s: class %u, %s", ROWS[i].text, class, kind);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_what_the_registries_say),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
