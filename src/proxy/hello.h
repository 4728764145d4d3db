/* SPDX-License-Identifier: Apache-2.0
 *
 * The server name in a TLS ClientHello (RFC 8446, RFC 6066), in however many records and segments
 * it comes.
 */
#pragma once

#include "codec/host.h"

enum hello_result : uint8_t {
    HELLO_MORE,    /* a beginning */
    HELLO_NONE,    /* no TLS at all */
    HELLO_NO_NAME, /* a whole one without a name */
    HELLO_NAME,
    HELLO_MALFORMED,
};

enum { HELLO_BYTES_MAX = 16384 };

struct hello { /* borrows, as hello_parse() says */
    struct slice name;
    struct slice alpn; /* the list of protocols (RFC 7301), without its length; empty: none */
};

/* Judges the first bytes of a connection. *ret_name borrows from `bytes` or from `scratch`. */
enum hello_result hello_parse(struct slice bytes, uint8_t scratch[static HELLO_BYTES_MAX],
                              struct slice *ret_name);
/* The same, with everything that connections are told apart by. */
enum hello_result hello_parse_all(struct slice bytes, uint8_t scratch[static HELLO_BYTES_MAX],
                                  struct hello *ret_hello);
