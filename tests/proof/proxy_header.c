/* SPDX-License-Identifier: Apache-2.0
 *
 * The line of a PROXY header of version 1 (edge/proxy_protocol.c), whatever its bytes say: nothing
 * past it is read, and addresses fit the room that is there.
 */
#include <arpa/inet.h>

#include "any_cursor.h"

#include "edge/proxy_protocol.c" /* whole, for its parts */

enum {
    LINE_BYTES_HERE = 107, /* as long as one can be */
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
