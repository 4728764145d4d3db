/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/protocol.h"

static void messages_come_whole_and_printable(void **state) {
    (void)state;
    struct builder bytes;
    struct engine_message got;
    struct engine_message message = {
        .kind = ENGINE_KIND_EXITED,
        .operation = ENGINE_START,
        .outcome = ENGINE_DONE,
        .status = 200,
        .text = "text",
        .name = "name",
        .numbers = {1, -2, INT64_MAX},
    };
    builder_init(&bytes, ENGINE_REPLY_BYTES);
    assert_true(engine_message_encode(&message, &bytes));
    assert_true(engine_message_decode(builder_slice(&bytes), &got));
    assert_string_equal(got.text, "text");
    assert_true(got.numbers[1] == -2 && got.numbers[2] == INT64_MAX);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_false(engine_message_decode(slice_of(bytes.data, size), &got));
    }
    message.text = "a\x1b[31m";
    builder_reset(&bytes);
    assert_true(engine_message_encode(&message, &bytes));
    assert_false(engine_message_decode(builder_slice(&bytes), &got));
    message.text = "";
    message.kind = ENGINE_KIND_COUNT;
    builder_reset(&bytes);
    assert_true(engine_message_encode(&message, &bytes));
    assert_false(engine_message_decode(builder_slice(&bytes), &got));
    builder_deinit(&bytes);
}

static void requests(void **state) {
    (void)state;
    struct builder bytes;
    struct engine_request got;
    const struct engine_request request = {
        .operation = ENGINE_KILL,
        .name = "airlock-x",
        .text = "",
        .numbers = {9},
    };
    builder_init(&bytes, ENGINE_REQUEST_BYTES);
    assert_true(engine_request_encode(&request, &bytes));
    assert_true(engine_request_decode(builder_slice(&bytes), &got));
    assert_int_equal(got.numbers[0], 9);
    bytes.data[4] = ENGINE_OPERATION_COUNT;
    assert_false(engine_request_decode(builder_slice(&bytes), &got));
    builder_deinit(&bytes);
    assert_true(engine_is_permitted(ENGINE_OPEN, ENGINE_STATE_NEW));
    for (unsigned i = 0; i < ENGINE_OPERATION_COUNT; i++) {
        bool is_open = i == ENGINE_OPEN;
        assert_int_equal(engine_is_permitted((enum engine_operation)i, ENGINE_STATE_NEW), is_open);
        assert_true(!is_open || !engine_is_permitted(ENGINE_OPEN, ENGINE_STATE_IDLE));
    }
    assert_false(engine_is_permitted(ENGINE_CREATE, ENGINE_STATE_RUNNING));
}

static void containers(void **state) {
    (void)state;
    struct builder bytes;
    struct engine_container got;
    const char *const argv[] = {"sh", "-c", "", nullptr};
    const char *const environment[] = {"A=1", nullptr};
    const struct engine_container container = {
        .name = "airlock-1",
        .image = "sha256:0",
        .run_id = "1",
        .user = "1:1",
        .folder = "/w",
        .volume = "v",
        .target = "/w",
        .gate = "/gate",
        .gate_socket = "/socket",
        .trust = "",
        .trust_target = "/trust",
        .argv = argv,
        .environment = environment,
        .memory_bytes = 1,
        .pid_count = 2,
        .cpu_shares = 3,
        .cpu_nano = 4,
        .file_bytes = 5,
        .open_files = 6,
        .tmp_bytes = 7,
        .terminal = true,
    };
    builder_init(&bytes, 4096);
    assert_true(engine_container_encode(&container, &bytes));
    assert_true(engine_container_decode(builder_slice(&bytes), &got));
    assert_string_equal(got.argv[1], "-c");
    assert_null(got.argv[3]);
    assert_string_equal(got.target, "/w");
    assert_string_equal(got.gate_socket, "/socket");
    assert_int_equal(got.tmp_bytes, 7);
    assert_true(got.terminal);
    engine_container_deinit(&got);
    for (size_t size = 0; size < bytes.size; size++) {
        assert_false(engine_container_decode(slice_of(bytes.data, size), &got));
    }
    builder_deinit(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_whole_and_printable),
        cmocka_unit_test(requests),
        cmocka_unit_test(containers),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
