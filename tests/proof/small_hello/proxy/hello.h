/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands for src/proxy/hello.h in its proof: less scratch memory, so that input of a few records
 * reaches its end.
 */
#pragma once

#include "base/bytes.h"

enum hello_result : uint8_t {
    HELLO_MORE,
    HELLO_NONE,
    HELLO_NO_NAME,
    HELLO_NAME,
    HELLO_MALFORMED,
};

enum { HELLO_BYTES_MAX = 12 };

struct hello {
    struct slice name;
    struct slice alpn;
};

enum hello_result hello_parse(struct slice bytes, uint8_t scratch[static HELLO_BYTES_MAX],
                              struct slice *ret_name);
enum hello_result hello_parse_all(struct slice bytes, uint8_t scratch[static HELLO_BYTES_MAX],
                                  struct hello *ret_hello);
