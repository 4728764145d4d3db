/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/trickle.h"

#include <errno.h>
#include <sys/socket.h>

#include "engine/call.h"
#include "engine/scan.h"
#include "sys/fd.h"

void trickle_start(struct trickle *trickle, int fd, size_t bytes_max) {
    trickle->fd = fd;
    http_init(&trickle->response, &CALL_RESPONSES);
    builder_init(&trickle->body, bytes_max);
}

void trickle_stop(struct trickle *trickle) {
    fd_closep(&trickle->fd);
    http_deinit(&trickle->response);
    builder_deinit(&trickle->body);
}

enum http_result trickle_read(struct trickle *trickle) {
    uint8_t bytes[8192];
    struct slice piece;
    ssize_t got = recv(trickle->fd, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return HTTP_MORE;
    }
    if (got <= 0) {
        return trickle->response.status == 0 ? HTTP_MALFORMED : http_end(&trickle->response);
    }
    struct slice rest = slice_of(bytes, (size_t)got);
    enum http_result result;
    while ((result = http_feed(&trickle->response, false, &rest, &piece)) == HTTP_BODY) {
        builder_bytes(&trickle->body, piece);
    }
    return builder_is_ok(&trickle->body) ? result : HTTP_TOO_LONG;
}

static void take_line(struct usage *usage, struct slice line) {
    struct scan_want wants[] = {
        {.path = "memory_stats/usage", .kind = SCAN_INTEGER},
        {.path = "memory_stats/max_usage", .kind = SCAN_INTEGER},
        {.path = "cpu_stats/cpu_usage/usage_in_usermode", .kind = SCAN_INTEGER},
        {.path = "cpu_stats/cpu_usage/usage_in_kernelmode", .kind = SCAN_INTEGER},
    };
    if (!scan_json(line, wants, sizeof wants / sizeof wants[0])) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        if (wants[i].is_found && wants[i].number > usage->memory_peak) {
            usage->memory_peak = wants[i].number;
        }
    }
    if (wants[2].is_found && wants[3].is_found && wants[2].number >= usage->cpu_user_ns) {
        usage->cpu_user_ns = wants[2].number;
        usage->cpu_system_ns = wants[3].number;
    }
}

void usage_take(struct usage *usage, struct trickle *samples) {
    struct builder left;
    struct cursor cursor = cursor_of(builder_slice(&samples->body));
    size_t taken = 0;
    builder_init(&left, samples->body.size_max);
    while (cursor_remaining(&cursor) > 0) {
        struct slice line = cursor_until(&cursor, '\n');
        if (!cursor_is_ok(&cursor)) {
            break;
        }
        take_line(usage, line);
        taken = cursor.offset;
    }
    struct slice body = builder_slice(&samples->body);
    if (taken > 0) {
        builder_bytes(&left, slice_of(body.data + taken, body.size - taken));
        builder_deinit(&samples->body);
        samples->body = left;
    }
}
