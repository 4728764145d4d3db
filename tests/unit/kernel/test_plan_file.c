/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/plan_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec/json.h"
#include "codec/text.h"
#include "sys/file.h"

static const char *const argv_of_test[] = {"sh", "-c", "bytes \xff and\nmore", nullptr};
static const char *const environment_of_test[] = {"TOKEN=correct-horse", "PATH=/bin", nullptr};

/* Writes the file into a fresh folder, reads it back and removes both. */
static struct json *write_and_read(struct plan_commitments *commitments) {
    char folder[] = "/tmp/airlock-test-plan-XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct run run = {.fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    struct error err;
    assert_true(status_is_ok(plan_file_write(&run, argv_of_test, environment_of_test,
                                             SLICE_LITERAL("plan"), commitments, &err)));
    struct stat status;
    assert_int_equal(fstatat(run.fd, "plan.json", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    /* A second one would replace what the log committed to. */
    struct plan_commitments second;
    assert_false(status_is_ok(plan_file_write(&run, argv_of_test, environment_of_test,
                                              SLICE_LITERAL("plan"), &second, &err)));
    struct builder text;
    builder_init(&text, 65536);
    bool found;
    assert_true(status_is_ok(file_read(run.fd, "plan.json", &text, &found, &err)) && found);
    assert_null(memmem(text.data, text.size, "correct-horse", 13));
    struct json *object = nullptr;
    assert_true(status_is_ok(json_parse(builder_slice(&text), "plan.json", &object, &err)));
    builder_deinit(&text);
    assert_int_equal(unlinkat(run.fd, "plan.json", 0), 0);
    assert_int_equal(close(run.fd), 0);
    assert_int_equal(rmdir(folder), 0);
    return object;
}

static void the_file_opens_the_commitment(void **state) {
    (void)state;
    struct plan_commitments commitments;
    struct json *object = write_and_read(&commitments);
    uint8_t salt[COMMITMENT_SALT_BYTES];
    assert_true(text_unhex(slice_of_string(json_get_text(object, "salt")), salt, sizeof salt));
    struct builder argv;
    builder_init(&argv, 4096);
    assert_true(text_unbase64(slice_of_string(json_get_text(object, "argv_base64")), &argv));
    assert_memory_equal(argv.data, "sh\0-c\0bytes \xff and\nmore", argv.size);
    struct digest commitment;
    commitment_make("argv", salt, builder_slice(&argv), &commitment);
    assert_true(digest_equal(&commitment, &commitments.argv));
    commitment_make("plan", salt, SLICE_LITERAL("plan"), &commitment);
    assert_true(digest_equal(&commitment, &commitments.plan));
    builder_deinit(&argv);
    json_free(object);
}

static void names_are_listed_and_values_are_not(void **state) {
    (void)state;
    struct plan_commitments commitments;
    struct json *object = write_and_read(&commitments);
    const struct json *names = json_get(object, "env_names");
    assert_int_equal(json_array_count(names), 2);
    assert_string_equal(json_as_text(json_array_at(names, 0)), "TOKEN");
    assert_int_equal(json_array_count(json_get(object, "argv")), 3);
    json_free(object);
}

static void equal_commands_get_different_commitments(void **state) {
    (void)state;
    struct plan_commitments first;
    struct plan_commitments second;
    json_free(write_and_read(&first));
    json_free(write_and_read(&second));
    assert_false(digest_equal(&first.argv, &second.argv));
    assert_false(digest_equal(&first.plan, &second.plan));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_opens_the_commitment),
        cmocka_unit_test(names_are_listed_and_values_are_not),
        cmocka_unit_test(equal_commands_get_different_commitments),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
