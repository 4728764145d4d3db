/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/protocol.h"

#include <stdlib.h>
#include <string.h>

bool egress_target_covers(const struct egress_target *target, const char *host, uint16_t port) {
    if (target->port != port) {
        return false;
    }
    if (target->host[0] != '*') {
        return strcmp(target->host, host) == 0;
    }
    struct host parsed;
    size_t below = strlen(target->host) - 1; /* with its dot; 0: every host */
    size_t size = strlen(host);
    if (below == 0) {
        return true;
    }
    return size > below && memcmp(host + size - below, target->host + 1, below) == 0 &&
           host_parse(slice_of_string(host), false, &parsed) == nullptr && !parsed.is_address;
}

void egress_config_encode(const struct egress_config *config, struct builder *out) {
    builder_u8(out, EGRESS_CONFIG);
    builder_u32(out, config->uid);
    builder_u32(out, config->gid);
    builder_u32(out, config->target_count);
    for (uint32_t i = 0; i < config->target_count; i++) {
        const struct egress_target *target = &config->targets[i];
        builder_string(out, target->host);
        builder_u16(out, target->port);
        builder_u8(out, target->is_private);
        builder_string(out, target->group);
        builder_string(out, target->methods);
        builder_string(out, target->paths);
    }
    builder_u32(out, config->inject_count);
    for (uint32_t i = 0; i < config->inject_count; i++) {
        const struct egress_inject *inject = &config->injects[i];
        builder_string(out, inject->host);
        builder_u16(out, inject->port);
        builder_u8(out, inject->is_tls);
        builder_string(out, inject->name);
        builder_string(out, inject->value);
    }
    builder_string(out, config->ca_file);
}

/* A number of things that each take at least `bytes_min` bytes of what is left. */
static uint32_t decode_count(struct cursor *cursor, size_t bytes_min, uint32_t count_max) {
    uint32_t count = cursor_u32(cursor);
    if (count > count_max || count > cursor_remaining(cursor) / bytes_min) {
        cursor_fail(cursor);
        return 0;
    }
    return count;
}

static bool decode_bool(struct cursor *cursor) {
    uint8_t value = cursor_u8(cursor);
    if (value > 1) {
        cursor_fail(cursor);
    }
    return value == 1;
}

static struct egress_target *decode_targets(struct cursor *cursor, uint32_t *ret_count) {
    *ret_count = decode_count(cursor, 23, LIMIT_EGRESS_TARGETS);
    struct egress_target *targets = calloc(*ret_count + 1, sizeof *targets);
    for (uint32_t i = 0; targets != nullptr && i < *ret_count; i++) {
        targets[i].host = cursor_string(cursor);
        targets[i].port = cursor_u16(cursor);
        targets[i].is_private = decode_bool(cursor);
        targets[i].group = cursor_string(cursor);
        targets[i].methods = cursor_string(cursor);
        targets[i].paths = cursor_string(cursor);
    }
    return targets;
}

static struct egress_inject *decode_injects(struct cursor *cursor, uint32_t *ret_count) {
    *ret_count = decode_count(cursor, 18, LIMIT_EGRESS_INJECT);
    struct egress_inject *injects = calloc(*ret_count + 1, sizeof *injects);
    for (uint32_t i = 0; injects != nullptr && i < *ret_count; i++) {
        injects[i].host = cursor_string(cursor);
        injects[i].port = cursor_u16(cursor);
        injects[i].is_tls = decode_bool(cursor);
        injects[i].name = cursor_string(cursor);
        injects[i].value = cursor_string(cursor);
    }
    return injects;
}

static struct cursor cursor_after(struct slice bytes, enum egress_message type) {
    struct cursor cursor = cursor_of(bytes);
    if (cursor_u8(&cursor) != type) {
        cursor_fail(&cursor);
    }
    return cursor;
}

bool egress_config_decode(struct slice bytes, struct egress_config *ret_config) {
    struct cursor cursor = cursor_after(bytes, EGRESS_CONFIG);
    struct egress_config config = {.uid = cursor_u32(&cursor), .gid = cursor_u32(&cursor)};
    config.targets = decode_targets(&cursor, &config.target_count);
    config.injects = decode_injects(&cursor, &config.inject_count);
    config.ca_file = cursor_string(&cursor);
    if (!cursor_is_finished(&cursor) || config.targets == nullptr || config.injects == nullptr) {
        egress_config_deinit(&config);
        return false;
    }
    *ret_config = config;
    return true;
}

void egress_config_deinit(struct egress_config *config) {
    free(config->targets);
    free(config->injects);
    *config = (struct egress_config){};
}

void egress_ready_encode(const struct egress_ready *ready, struct builder *out) {
    builder_u8(out, EGRESS_READY);
    builder_u8(out, ready->is_ready);
    builder_string(out, ready->text);
    builder_block(out, ready->ca);
}

bool egress_ready_decode(struct slice bytes, struct egress_ready *ret_ready) {
    struct cursor cursor = cursor_after(bytes, EGRESS_READY);
    struct egress_ready ready = {.is_ready = decode_bool(&cursor)};
    ready.text = cursor_string(&cursor);
    ready.ca = cursor_block(&cursor);
    if (!cursor_is_finished(&cursor)) {
        return false;
    }
    *ret_ready = ready;
    return true;
}

void egress_report_encode(const struct egress_report *report, struct builder *out) {
    builder_u8(out, EGRESS_REPORT);
    builder_u64(out, report->connections);
    builder_u64(out, report->denied);
    builder_u64(out, report->bytes_up);
    builder_u64(out, report->bytes_down);
    builder_u32(out, report->rows_dropped);
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        builder_u32(out, report->limit_hits[id]);
    }
    builder_u32(out, report->row_count);
    for (uint32_t i = 0; i < report->row_count; i++) {
        const struct egress_row *row = &report->rows[i];
        builder_string(out, row->host);
        builder_u16(out, row->port);
        builder_u32(out, row->connections);
        builder_u64(out, row->bytes_up);
        builder_u64(out, row->bytes_down);
        builder_u32(out, row->denied);
        builder_string(out, row->reason);
    }
}

static struct egress_row *decode_rows(struct cursor *cursor, uint32_t *ret_count) {
    *ret_count = decode_count(cursor, 36, LIMIT_EGRESS_HOSTS_SHOWN);
    struct egress_row *rows = calloc(*ret_count + 1, sizeof *rows);
    for (uint32_t i = 0; rows != nullptr && i < *ret_count; i++) {
        rows[i].host = cursor_string(cursor);
        rows[i].port = cursor_u16(cursor);
        rows[i].connections = cursor_u32(cursor);
        rows[i].bytes_up = cursor_u64(cursor);
        rows[i].bytes_down = cursor_u64(cursor);
        rows[i].denied = cursor_u32(cursor);
        rows[i].reason = cursor_string(cursor);
    }
    return rows;
}

bool egress_report_decode(struct slice bytes, struct egress_report *ret_report) {
    struct cursor cursor = cursor_after(bytes, EGRESS_REPORT);
    struct egress_report report = {
        .connections = cursor_u64(&cursor),
        .denied = cursor_u64(&cursor),
        .bytes_up = cursor_u64(&cursor),
        .bytes_down = cursor_u64(&cursor),
        .rows_dropped = cursor_u32(&cursor),
    };
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        report.limit_hits[id] = cursor_u32(&cursor);
    }
    report.rows = decode_rows(&cursor, &report.row_count);
    if (!cursor_is_finished(&cursor) || report.rows == nullptr) {
        egress_report_deinit(&report);
        return false;
    }
    *ret_report = report;
    return true;
}

void egress_report_deinit(struct egress_report *report) {
    free(report->rows);
    *report = (struct egress_report){};
}
