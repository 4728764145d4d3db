/* SPDX-License-Identifier: Apache-2.0
 *
 * base64url as tokens have it (codec/text.h): decoding never writes past its room, and what it
 * accepts is the only text that stands for those bytes, by writing the text again.
 */
#include "codec/text.h"
#include "proof.h"

enum { TEXT_BYTES_HERE = 7, ROOM_HERE = 6 };

static uint8_t written[16];
static size_t written_size;

struct slice slice_of(const void *data, size_t size) {
    return (struct slice){data, size};
}

/* Stands for the builder, which has its own proof. */
void builder_u8(struct builder *builder, uint8_t value) {
    (void)builder;
    prove(written_size < sizeof written);
    written[written_size++] = value;
}

void proof_token_text(void) {
    struct slice text = any_bytes(TEXT_BYTES_HERE);
    size_t room = nondet_size();
    size_t size = 0;
    struct builder out = {0};
    suppose(room <= ROOM_HERE);
    uint8_t *bytes = any_block(room);
    if (!text_unbase64url(text, bytes, room, &size)) {
        return;
    }
    prove(size <= room);
    text_base64url(slice_of(bytes, size), &out);
    prove(written_size == text.size);
    prove(memcmp(written, text.data, written_size) == 0);
}
