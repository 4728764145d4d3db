/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/protocol.h"

#include <string.h>

#include "base/cleanup.h"

static const uint32_t MAGIC_REQUEST = 0x31676e65;   /* "eng1" */
static const uint32_t MAGIC_MESSAGE = 0x31726e65;   /* "enr1" */
static const uint32_t MAGIC_CONTAINER = 0x32637465; /* "etc2" */

static const struct {
    uint8_t states;
    uint8_t fds;
} ROWS[ENGINE_OPERATION_COUNT] = {
#define AT(state) (1U << ENGINE_STATE_##state)
#define ENGINE(name, states, fds) {states, fds},
#include "engine.def"
#undef ENGINE
#undef AT
};

size_t engine_fd_count(enum engine_operation operation) {
    return ROWS[operation].fds;
}

bool engine_is_permitted(enum engine_operation operation, enum engine_state state) {
    return (ROWS[operation].states & (1U << state)) != 0;
}

bool engine_request_encode(const struct engine_request *request, struct builder *out) {
    if (strlen(request->name) >= (size_t)LIMIT_PATH_BYTES ||
        strlen(request->text) >= (size_t)LIMIT_PATH_BYTES) {
        return false;
    }
    builder_u32(out, MAGIC_REQUEST);
    builder_u8(out, request->operation);
    builder_u32(out, request->deadline_ms);
    builder_string(out, request->name);
    builder_string(out, request->text);
    for (size_t i = 0; i < ENGINE_NUMBERS; i++) {
        builder_u64(out, (uint64_t)request->numbers[i]);
    }
    return builder_is_ok(out);
}

bool engine_request_decode(struct slice bytes, struct engine_request *ret_request) {
    struct cursor cursor = cursor_of(bytes);
    bool magic = cursor_u32(&cursor) == MAGIC_REQUEST;
    uint8_t operation = cursor_u8(&cursor);
    struct engine_request request = {.deadline_ms = cursor_u32(&cursor)};
    request.name = cursor_string(&cursor);
    request.text = cursor_string(&cursor);
    for (size_t i = 0; i < ENGINE_NUMBERS; i++) {
        request.numbers[i] = (int64_t)cursor_u64(&cursor);
    }
    if (!magic || !cursor_is_finished(&cursor) || operation >= ENGINE_OPERATION_COUNT ||
        strlen(request.name) >= (size_t)LIMIT_PATH_BYTES ||
        strlen(request.text) >= (size_t)LIMIT_PATH_BYTES) {
        return false;
    }
    request.operation = (enum engine_operation)operation;
    *ret_request = request;
    return true;
}

bool engine_message_encode(const struct engine_message *message, struct builder *out) {
    if (strlen(message->text) >= ENGINE_TEXT_BYTES || strlen(message->name) >= ENGINE_NAME_BYTES) {
        return false;
    }
    builder_u32(out, MAGIC_MESSAGE);
    builder_u8(out, message->kind);
    builder_u8(out, message->operation);
    builder_u8(out, message->outcome);
    builder_u32(out, message->status);
    builder_u32(out, message->os_errno);
    builder_string(out, message->text);
    builder_string(out, message->name);
    for (size_t i = 0; i < ENGINE_NUMBERS; i++) {
        builder_u64(out, (uint64_t)message->numbers[i]);
    }
    return builder_is_ok(out);
}

bool engine_message_decode(struct slice bytes, struct engine_message *ret_message) {
    struct cursor cursor = cursor_of(bytes);
    bool magic = cursor_u32(&cursor) == MAGIC_MESSAGE;
    uint8_t kind = cursor_u8(&cursor);
    uint8_t operation = cursor_u8(&cursor);
    uint8_t outcome = cursor_u8(&cursor);
    struct engine_message message = {.status = cursor_u32(&cursor)};
    message.os_errno = cursor_u32(&cursor);
    message.text = cursor_string(&cursor);
    message.name = cursor_string(&cursor);
    for (size_t i = 0; i < ENGINE_NUMBERS; i++) {
        message.numbers[i] = (int64_t)cursor_u64(&cursor);
    }
    bool is_known = kind != 0 && kind < ENGINE_KIND_COUNT && operation < ENGINE_OPERATION_COUNT &&
                    outcome != 0 && outcome < ENGINE_OUTCOME_COUNT;
    if (!magic || !cursor_is_finished(&cursor) || !is_known ||
        !slice_is_printable(slice_of_string(message.text)) ||
        !slice_is_printable(slice_of_string(message.name)) ||
        strlen(message.text) >= ENGINE_TEXT_BYTES || strlen(message.name) >= ENGINE_NAME_BYTES) {
        return false;
    }
    message.kind = (enum engine_message_kind)kind;
    message.operation = (enum engine_operation)operation;
    message.outcome = (enum engine_outcome)outcome;
    *ret_message = message;
    return true;
}

static void encode_list(const char *const *list, struct builder *out) {
    uint32_t count = 0;
    while (list[count] != nullptr) {
        count++;
    }
    builder_u32(out, count);
    for (uint32_t i = 0; i < count; i++) {
        builder_string(out, list[i]);
    }
}

/* The fields in their order, so that both directions are one list. */
#define CONTAINER_TEXTS(container)                                                  \
    {                                                                               \
        &(container)->name,        &(container)->image,       &(container)->run_id, \
        &(container)->user,        &(container)->folder,      &(container)->volume, \
        &(container)->target,      &(container)->gate,        &(container)->trust,  \
        &(container)->gate_socket, &(container)->trust_target}
#define CONTAINER_NUMBERS(container)                                                 \
    {&(container)->memory_bytes, &(container)->pid_count,  &(container)->cpu_shares, \
     &(container)->cpu_nano,     &(container)->file_bytes, &(container)->open_files, \
     &(container)->tmp_bytes}

bool engine_container_encode(const struct engine_container *container, struct builder *out) {
    const char *const *const texts[] = CONTAINER_TEXTS(container);
    const uint64_t *const numbers[] = CONTAINER_NUMBERS(container);
    builder_u32(out, MAGIC_CONTAINER);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        builder_string(out, *texts[i]);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        builder_u64(out, *numbers[i]);
    }
    builder_u8(out, container->terminal);
    encode_list(container->argv, out);
    encode_list(container->environment, out);
    return builder_is_ok(out);
}

static const char *const *decode_list(struct cursor *cursor) {
    uint32_t count = cursor_u32(cursor);
    if (count > LIMIT_ARGUMENT_COUNT) {
        cursor_fail(cursor);
        return nullptr;
    }
    const char **list = calloc((size_t)count + 1, sizeof *list);
    if (list == nullptr) {
        cursor_fail(cursor);
        return nullptr;
    }
    for (uint32_t i = 0; i < count; i++) {
        list[i] = cursor_string(cursor);
    }
    return list;
}

bool engine_container_decode(struct slice bytes, struct engine_container *ret_container) {
    struct cursor cursor = cursor_of(bytes);
    struct engine_container container = {0};
    const char **const texts[] = CONTAINER_TEXTS(&container);
    uint64_t *const numbers[] = CONTAINER_NUMBERS(&container);
    if (cursor_u32(&cursor) != MAGIC_CONTAINER) {
        return false;
    }
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = cursor_string(&cursor);
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = cursor_u64(&cursor);
    }
    uint8_t terminal = cursor_u8(&cursor);
    container.terminal = terminal == 1;
    container.argv = decode_list(&cursor);
    container.environment = decode_list(&cursor);
    if (!cursor_is_finished(&cursor) || terminal > 1 || container.argv[0] == nullptr) {
        engine_container_deinit(&container);
        return false;
    }
    *ret_container = container;
    return true;
}

void engine_container_deinit(struct engine_container *container) {
    memory_freep(&container->argv);
    memory_freep(&container->environment);
    container->argv = nullptr;
    container->environment = nullptr;
}
