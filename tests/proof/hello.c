/* SPDX-License-Identifier: Apache-2.0
 *
 * The ClientHello's parser (proxy/hello.c): joining records never writes past the scratch memory,
 * and what is found lies in the message, whatever its bytes say.
 */
#include "any_cursor.h"

#include "proxy/hello.c" /* whole, for its parts */

enum {
    INPUT_BYTES_HERE = 30,   /* up to five records */
    MESSAGE_BYTES_HERE = 56, /* the least one with extensions has 45: up to three of them */
};

static void lies_in(struct slice part, struct slice whole) {
    if (part.size > 0) {
        prove(part.data >= whole.data && part.data + part.size <= whole.data + whole.size);
    }
}

void proof_hello_records(void) {
    uint8_t *scratch = any_block(HELLO_BYTES_MAX);
    struct slice bytes = any_bytes(INPUT_BYTES_HERE);
    size_t size = SIZE_MAX;
    enum hello_result result = join_records(bytes, scratch, &size);
    prove(result == HELLO_MORE || result == HELLO_NAME || result == HELLO_MALFORMED);
    prove(size <= HELLO_BYTES_MAX && size <= bytes.size);
    prove(result != HELLO_NAME || size >= 4);
}

void proof_hello_message(void) {
    struct slice bytes = any_bytes(MESSAGE_BYTES_HERE);
    struct hello hello = {};
    enum hello_result result = parse_hello(bytes, &hello);
    prove(result == HELLO_NAME || result == HELLO_NO_NAME || result == HELLO_MALFORMED);
    prove(result != HELLO_NAME || hello.name.size > 0);
    prove(result != HELLO_NO_NAME || hello.name.size == 0);
    if (result != HELLO_MALFORMED) {
        lies_in(hello.name, bytes);
        lies_in(hello.alpn, bytes);
    }
}
