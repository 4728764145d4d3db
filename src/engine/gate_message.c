/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/gate.h"

static const uint32_t MAGIC_SETUP = 0x31737467; /* "gts1" */
static const uint32_t MAGIC_REPLY = 0x31727467; /* "gtr1" */
const uint8_t GATE_GO = 0x67;

enum { LINE_BYTES = 8 };

bool gate_setup_encode(const struct gate_setup *setup, struct builder *out) {
    if (setup->line_count > GATE_LINES_MAX) {
        return false;
    }
    builder_u32(out, MAGIC_SETUP);
    builder_u16(out, setup->port);
    builder_u64(out, setup->memory_bytes);
    builder_u64(out, setup->pid_count);
    builder_u8(out, setup->one_program);
    builder_u32(out, setup->line_count);
    for (uint32_t i = 0; i < setup->line_count; i++) {
        builder_u16(out, setup->lines[i].code);
        builder_u8(out, setup->lines[i].jt);
        builder_u8(out, setup->lines[i].jf);
        builder_u32(out, setup->lines[i].k);
    }
    return builder_is_ok(out);
}

bool gate_setup_decode(struct slice bytes, struct gate_setup *ret_setup) {
    struct cursor cursor = cursor_of(bytes);
    bool is_setup = cursor_u32(&cursor) == MAGIC_SETUP;
    uint16_t port = cursor_u16(&cursor);
    uint64_t memory_bytes = cursor_u64(&cursor);
    uint64_t pid_count = cursor_u64(&cursor);
    uint8_t one_program = cursor_u8(&cursor);
    uint32_t count = cursor_u32(&cursor);
    if (!is_setup || !cursor_is_ok(&cursor) || one_program > 1 || count > GATE_LINES_MAX ||
        cursor_remaining(&cursor) != (size_t)count * LINE_BYTES) {
        return false;
    }
    ret_setup->port = port;
    ret_setup->memory_bytes = memory_bytes;
    ret_setup->pid_count = pid_count;
    ret_setup->one_program = one_program == 1;
    ret_setup->line_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct sock_filter *line = &ret_setup->lines[i];
        line->code = cursor_u16(&cursor);
        line->jt = cursor_u8(&cursor);
        line->jf = cursor_u8(&cursor);
        line->k = cursor_u32(&cursor);
    }
    return cursor_is_finished(&cursor);
}

bool gate_reply_encode(const struct gate_reply *reply, struct builder *out) {
    builder_u32(out, MAGIC_REPLY);
    builder_u8(out, reply->state);
    builder_u32(out, reply->os_errno);
    return builder_is_ok(out);
}

bool gate_reply_decode(struct slice bytes, struct gate_reply *ret_reply) {
    struct cursor cursor = cursor_of(bytes);
    bool is_reply = cursor_u32(&cursor) == MAGIC_REPLY;
    uint8_t state = cursor_u8(&cursor);
    uint32_t os_errno = cursor_u32(&cursor);
    if (!is_reply || !cursor_is_finished(&cursor) || state == 0 || state >= GATE_STATE_COUNT) {
        return false;
    }
    *ret_reply = (struct gate_reply){.state = (enum gate_state)state, .os_errno = os_errno};
    return true;
}
