/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sandbox/plan_format.h"

enum { PLAN_MAGIC = 0x4e4c5041, PLAN_VERSION = 4 };

static void encode_header(const struct plan_view *view, struct builder *builder) {
    builder_u32(builder, PLAN_MAGIC);
    builder_u32(builder, PLAN_VERSION);
    builder_u8(builder, view->seccomp);
    builder_u8(builder, view->terminal);
    builder_u8(builder, view->wait_all);
    builder_u8(builder, view->listener);
    builder_u32(builder, view->uid);
    builder_u32(builder, view->gid);
    builder_u32(builder, view->host_uid);
    builder_u32(builder, view->host_gid);
    builder_u64(builder, view->limits.memory_bytes_max);
    builder_u32(builder, view->limits.pid_count_max);
    builder_u32(builder, view->limits.cpu_weight);
    builder_u32(builder, view->limits.cpu_percent_max);
    builder_u64(builder, view->limits.wall_ms_max);
    builder_u64(builder, view->limits.stage_bytes_max);
    builder_u64(builder, view->limits.file_bytes_max);
    builder_u64(builder, view->limits.output_bytes_max);
    builder_u64(builder, view->limits.read_rate_max);
    builder_u64(builder, view->limits.write_rate_max);
    builder_string(builder, view->run_id);
    builder_string(builder, view->template_name);
    builder_string(builder, view->run_folder);
    builder_string(builder, view->workspace);
    builder_string(builder, view->working_folder);
    builder_string(builder, view->home);
    builder_string(builder, view->path);
    builder_u32(builder, view->operation_count);
    builder_u32(builder, view->rule_count);
    builder_u32(builder, view->argument_count);
    builder_u32(builder, view->environment_count);
}

void plan_encode(const struct plan_view *view, struct builder *builder) {
    encode_header(view, builder);
    for (uint32_t i = 0; i < view->operation_count; i++) {
        const struct plan_operation *operation = &view->operations[i];
        builder_u8(builder, operation->type);
        builder_u32(builder, operation->flags);
        builder_u32(builder, operation->mode);
        builder_u64(builder, operation->size);
        builder_u64(builder, operation->dev);
        builder_u64(builder, operation->ino);
        builder_string(builder, operation->source);
        builder_string(builder, operation->target);
        builder_block(builder, operation->content);
    }
    for (uint32_t i = 0; i < view->rule_count; i++) {
        builder_u8(builder, view->rules[i].access);
        builder_string(builder, view->rules[i].path);
    }
    for (uint32_t i = 0; i < view->argument_count; i++) {
        builder_string(builder, view->argv[i]);
    }
    for (uint32_t i = 0; i < view->environment_count; i++) {
        builder_string(builder, view->environment[i]);
    }
}

static bool decode_bool(struct cursor *cursor) {
    uint8_t value = cursor_u8(cursor);
    if (value > 1) {
        cursor_fail(cursor);
    }
    return value == 1;
}

/* A number of things that each take at least `bytes_min` bytes of what is left. */
static uint32_t decode_count(struct cursor *cursor, size_t bytes_min, enum limit_id most) {
    uint32_t count = cursor_u32(cursor);
    if (limit_past(count > limit_row(most)->value, most) ||
        count > cursor_remaining(cursor) / bytes_min) {
        cursor_fail(cursor);
        return 0;
    }
    return count;
}

static void decode_header(struct cursor *cursor, struct plan_view *view) {
    if (cursor_u32(cursor) != PLAN_MAGIC || cursor_u32(cursor) != PLAN_VERSION) {
        cursor_fail(cursor);
    }
    view->seccomp = cursor_u8(cursor);
    view->terminal = decode_bool(cursor);
    view->wait_all = decode_bool(cursor);
    view->listener = decode_bool(cursor);
    view->uid = cursor_u32(cursor);
    view->gid = cursor_u32(cursor);
    view->host_uid = cursor_u32(cursor);
    view->host_gid = cursor_u32(cursor);
    view->limits.memory_bytes_max = cursor_u64(cursor);
    view->limits.pid_count_max = cursor_u32(cursor);
    view->limits.cpu_weight = cursor_u32(cursor);
    view->limits.cpu_percent_max = cursor_u32(cursor);
    view->limits.wall_ms_max = cursor_u64(cursor);
    view->limits.stage_bytes_max = cursor_u64(cursor);
    view->limits.file_bytes_max = cursor_u64(cursor);
    view->limits.output_bytes_max = cursor_u64(cursor);
    view->limits.read_rate_max = cursor_u64(cursor);
    view->limits.write_rate_max = cursor_u64(cursor);
    view->run_id = cursor_string(cursor);
    view->template_name = cursor_string(cursor);
    view->run_folder = cursor_string(cursor);
    view->workspace = cursor_string(cursor);
    view->working_folder = cursor_string(cursor);
    view->home = cursor_string(cursor);
    view->path = cursor_string(cursor);
    view->operation_count = decode_count(cursor, 47, LIMIT_ID_PLAN_OPERATIONS);
    view->rule_count = decode_count(cursor, 6, LIMIT_ID_PLAN_OPERATIONS);
    view->argument_count = decode_count(cursor, 5, LIMIT_ID_ARGUMENT_COUNT);
    view->environment_count = decode_count(cursor, 5, LIMIT_ID_ARGUMENT_COUNT);
}

static void decode_body(struct cursor *cursor, struct plan_view *view) {
    for (uint32_t i = 0; i < view->operation_count; i++) {
        struct plan_operation *operation = &view->operations[i];
        uint8_t type = cursor_u8(cursor);
        if (type >= PLAN_OPERATION_TYPE_COUNT) {
            cursor_fail(cursor);
            return;
        }
        operation->type = type;
        operation->flags = cursor_u32(cursor);
        operation->mode = cursor_u32(cursor);
        operation->size = cursor_u64(cursor);
        operation->dev = cursor_u64(cursor);
        operation->ino = cursor_u64(cursor);
        operation->source = cursor_string(cursor);
        operation->target = cursor_string(cursor);
        operation->content = cursor_block(cursor);
    }
    for (uint32_t i = 0; i < view->rule_count; i++) {
        uint8_t access = cursor_u8(cursor);
        if (access > PLAN_ACCESS_DEVICE) {
            cursor_fail(cursor);
            return;
        }
        view->rules[i].access = access;
        view->rules[i].path = cursor_string(cursor);
    }
    for (uint32_t i = 0; i < view->argument_count; i++) {
        view->argv[i] = cursor_string(cursor);
    }
    for (uint32_t i = 0; i < view->environment_count; i++) {
        view->environment[i] = cursor_string(cursor);
    }
}

status_t plan_decode(struct slice bytes, struct plan_view *ret_view, struct error *err) {
    struct plan_view view = {};
    struct cursor cursor = cursor_of(bytes);
    decode_header(&cursor, &view);
    if (!cursor_is_ok(&cursor)) {
        return error_set(err, ERROR_PLAN_INVALID, 0, "the plan's header cannot be read");
    }
    view.operations = calloc(view.operation_count + 1, sizeof *view.operations);
    view.rules = calloc(view.rule_count + 1, sizeof *view.rules);
    view.argv = calloc(view.argument_count + 1, sizeof *view.argv);
    view.environment = calloc(view.environment_count + 1, sizeof *view.environment);
    if (view.operations == nullptr || view.rules == nullptr || view.argv == nullptr ||
        view.environment == nullptr) {
        plan_view_deinit(&view);
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold the plan");
    }
    decode_body(&cursor, &view);
    if (!cursor_is_finished(&cursor)) {
        plan_view_deinit(&view);
        return error_set(err, ERROR_PLAN_INVALID, 0, "the plan's lists cannot be read");
    }
    *ret_view = view;
    return STATUS_OK;
}

void plan_view_deinit(struct plan_view *view) {
    free(view->operations);
    free(view->rules);
    free((void *)view->argv);
    free((void *)view->environment);
    *view = (struct plan_view){};
}
