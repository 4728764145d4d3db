/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/protocol.h"

#include <string.h>

#include "base/assert.h"

enum { REQUEST_SIGN = 0x314b4c41 }; /* "ALK1": kind and version at once */

const struct keys_files *keys_files_of(enum keys_signer signer) {
    static const struct keys_files FILES[] = {
        [KEYS_SIGNER_LOG] = {"airlock-keys", KEYS_FILE_SEED, KEYS_FILE_VKEY, KEYS_FILE_CHECKPOINT,
                             KEYS_FILE_CHECKPOINT ".lock"},
        [KEYS_SIGNER_PQ] = {"airlock-keys-pq", KEYS_FILE_PQ_SEED, KEYS_FILE_PQ_VKEY,
                            KEYS_FILE_PQ_CHECKPOINT, KEYS_FILE_PQ_CHECKPOINT ".lock"},
    };
    return &FILES[signer];
}

static void bytes_take(struct builder *builder, uint8_t *ret_bytes, size_t size) {
    ASSERT(builder_is_ok(builder) && builder->size == size);
    memcpy(ret_bytes, builder->data, size);
    builder_deinit(builder);
}

void keys_request_encode(const struct keys_request *request,
                         uint8_t ret_bytes[static KEYS_REQUEST_BYTES]) {
    struct builder out;
    builder_init(&out, KEYS_REQUEST_BYTES);
    builder_u32(&out, REQUEST_SIGN);
    builder_u32(&out, request->proof.count);
    builder_u64(&out, request->old_size);
    builder_u64(&out, request->size);
    builder_bytes(&out, slice_of(request->root.bytes, DIGEST_BYTES));
    for (size_t i = 0; i < LIMIT_PROOF_HASHES; i++) {
        builder_bytes(&out, slice_of(request->proof.hashes[i].bytes, DIGEST_BYTES));
    }
    bytes_take(&out, ret_bytes, KEYS_REQUEST_BYTES);
}

static void digest_read(struct cursor *cursor, struct digest *ret_digest) {
    struct slice bytes = cursor_bytes(cursor, DIGEST_BYTES);
    if (cursor_is_ok(cursor)) {
        memcpy(ret_digest->bytes, bytes.data, DIGEST_BYTES);
    }
}

bool keys_request_decode(struct slice bytes, struct keys_request *ret_request) {
    struct cursor cursor = cursor_of(bytes);
    bool known = cursor_u32(&cursor) == REQUEST_SIGN;
    *ret_request = (struct keys_request){0};
    ret_request->proof.count = cursor_u32(&cursor);
    ret_request->old_size = cursor_u64(&cursor);
    ret_request->size = cursor_u64(&cursor);
    digest_read(&cursor, &ret_request->root);
    for (size_t i = 0; i < LIMIT_PROOF_HASHES; i++) {
        digest_read(&cursor, &ret_request->proof.hashes[i]);
    }
    return known && cursor_is_finished(&cursor) && ret_request->proof.count <= LIMIT_PROOF_HASHES &&
           ret_request->size > 0 && ret_request->size <= (uint64_t)INT64_MAX &&
           ret_request->old_size <= ret_request->size;
}

void keys_reply_encode(const struct keys_reply *reply, uint8_t ret_bytes[static KEYS_REPLY_BYTES]) {
    struct builder out;
    builder_init(&out, KEYS_REPLY_BYTES);
    builder_u32(&out, reply->answer);
    builder_u32(&out, reply->os_errno);
    bytes_take(&out, ret_bytes, KEYS_REPLY_BYTES);
}

bool keys_reply_decode(struct slice bytes, struct keys_reply *ret_reply) {
    struct cursor cursor = cursor_of(bytes);
    ret_reply->answer = cursor_u32(&cursor);
    ret_reply->os_errno = cursor_u32(&cursor);
    return cursor_is_finished(&cursor) && ret_reply->answer >= KEYS_ANSWER_SIGNED &&
           ret_reply->answer <= KEYS_ANSWER_NOT_FIRST;
}
