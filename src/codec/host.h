/* SPDX-License-Identifier: Apache-2.0
 *
 * Names of hosts, IP addresses and ports as text, one spelling each: what two programs could read
 * in two ways is refused, so that what was judged is what is reached. A name has labels of letters,
 * digits, "-" and "_" (RFC 1123, and names that are in use), no dot at its end, no escapes, nothing
 * but ASCII (an international name in its "xn--" form), and does not end in a number: "127.1",
 * "0x7f.1", "017700000001" and "2130706433" are addresses to some programs (WHATWG URL, "ends in a
 * number") and names to others.
 */
#pragma once

#include "base/bytes.h"

enum { HOST_TEXT_BYTES = 254 }; /* 253 characters (RFC 1035) and a NUL */

struct host_address {
    uint8_t size; /* 4 or 16 */
    uint8_t bytes[16];
};

struct host {
    bool is_address;
    struct host_address address;
    char text[HOST_TEXT_BYTES]; /* in lower case; an address in its canonical form, no brackets */
};

/* A name, an IPv4 address, or an IPv6 address (in brackets if `bracketed`). Returns nullptr, or in
 * a few words why it is none. */
const char *host_parse(struct slice text, bool bracketed, struct host *ret_host);
/* "HOST:PORT" with an IPv6 address in brackets. `port_default` 0: the port has to be there. */
const char *host_parse_authority(struct slice text, uint16_t port_default, struct host *ret_host,
                                 uint16_t *ret_port);
/* 1..65535 without sign or leading zero. */
bool host_parse_port(struct slice text, uint16_t *ret_port);
/* The host of an address. */
struct host host_of_address(const struct host_address *address);
