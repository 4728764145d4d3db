/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel/config.h"
#include "sys/file.h"

static char folder[64];
static char file[128];

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/airlock-test-config-XXXXXX");
    char below[96];
    if (mkdtemp(folder) == nullptr || setenv("XDG_CONFIG_HOME", folder, 1) != 0) {
        return 1;
    }
    (void)snprintf(below, sizeof below, "%s/airlock", folder);
    (void)snprintf(file, sizeof file, "%s/config.yaml", below);
    return mkdir(below, 0700);
}

static int tear_down(void **state) {
    (void)state;
    struct error err = {0};
    return status_is_ok(file_remove_tree(AT_FDCWD, folder, &err)) ? 0 : 1;
}

static void write_file(const char *path, const void *bytes, size_t size, unsigned mode) {
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void expect(const char *text, enum error_code code, const char *in_message) {
    struct config config;
    struct error err = {0};
    write_file(file, text, strlen(text), 0600);
    status_t status = config_read(&config, &err);
    assert_string_equal(error_slug(err.code), error_slug(code));
    assert_true(status_is_ok(status) == (code == ERROR_NONE));
    if (code == ERROR_NONE) {
        config_deinit(&config);
    } else {
        assert_non_null(strstr(err.message, in_message));
    }
}

static void what_cannot_be_used_is_named_with_its_place(void **state) {
    (void)state;
    expect("storage:\n  key_file: here\n", ERROR_CONFIG_INVALID, "config.yaml:2:13: ");
    expect("storage:\n  key_file: [/a]\n", ERROR_CONFIG_INVALID, "config.yaml:2:13: ");
    expect("storage:\n  key_file:\n", ERROR_CONFIG_INVALID, "config.yaml:2:");
    expect("storage:\n  other: /a\n", ERROR_CONFIG_INVALID, "config.yaml:2:3: ");
    expect("storage: /a\n", ERROR_CONFIG_INVALID, "config.yaml:1:10: ");
    expect("other:\n  key_file: /a\n", ERROR_CONFIG_INVALID, "config.yaml:1:1: ");
    expect("- a\n", ERROR_CONFIG_INVALID, "config.yaml:1:1: ");
    expect("storage: {key_file: /a, key_file: /b}\n", ERROR_CONFIG_INVALID, "config.yaml:1:");
    expect("storage: &a {}\n", ERROR_CONFIG_INVALID, "config.yaml:1:");
    expect("keys: {pq_signatures: yes}\n", ERROR_CONFIG_INVALID, "config.yaml:1:23: ");
    expect("keys: {pq_signatures: /a}\n", ERROR_CONFIG_INVALID, "true or false");
    expect("keys: {pq_signatures: [true]}\n", ERROR_CONFIG_INVALID, "true or false");
    expect("keys: {key_file: /a}\n", ERROR_CONFIG_INVALID, "no such key");
    expect("storage: {key_file: true}\n", ERROR_CONFIG_INVALID, "absolute path");
    expect("\x01\n", ERROR_CONFIG_INVALID, "config.yaml:1:");
}

static void a_switch_is_off_unless_it_says_true(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool is_on;
    } CASES[] = {
        {"storage: {key_file: /a}\n", false},
        {"keys: {}\n", false},
        {"keys: {pq_signatures: false}\n", false},
        {"keys: {pq_signatures: true}\n", true},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct config config;
        struct error err = {0};
        write_file(file, CASES[i].text, strlen(CASES[i].text), 0600);
        assert_true(status_is_ok(config_read(&config, &err)));
        assert_int_equal(config_is_on(&config, CONFIG_KEYS_PQ_SIGNATURES), CASES[i].is_on);
        config_deinit(&config);
    }
}

static void a_file_that_is_too_long_is_not_read(void **state) {
    (void)state;
    size_t size = LIMIT_CONFIG_BYTES + 1;
    char *text = malloc(size + 1);
    assert_non_null(text);
    memset(text, '\n', size);
    text[size] = '\0';
    expect(text, ERROR_LIMIT, "config.yaml");
    free(text);
}

static void nothing_and_an_empty_file_configure_nothing(void **state) {
    (void)state;
    struct config config;
    struct error err = {0};
    (void)unlink(file);
    assert_true(status_is_ok(config_read(&config, &err)));
    assert_null(config.values[CONFIG_STORAGE_KEY_FILE]);
    config_deinit(&config);
    expect("", ERROR_NONE, "");
    expect("# nothing\n", ERROR_NONE, "");
    expect("storage: {}\n", ERROR_NONE, "");
}

static void a_path_is_taken_as_it_is(void **state) {
    (void)state;
    struct config config;
    struct error err = {0};
    write_file(file, "storage: { key_file: /a/b c }\n", 30, 0644);
    assert_true(status_is_ok(config_read(&config, &err)));
    assert_string_equal(config.values[CONFIG_STORAGE_KEY_FILE], "/a/b c");
    config_deinit(&config);
}

static void a_file_of_others_is_refused(void **state) {
    (void)state;
    struct config config;
    struct error err = {0};
    write_file(file, "\n", 1, 0620);
    assert_false(status_is_ok(config_read(&config, &err)));
    assert_int_equal(err.code, ERROR_CONFIG_INVALID);
    assert_non_null(strstr(err.hint, "chmod go-w"));
    if (geteuid() == 0) {
        err = (struct error){0};
        assert_int_equal(chmod(file, 0600), 0);
        assert_int_equal(chown(file, 4242, 4242), 0);
        assert_false(status_is_ok(config_read(&config, &err)));
        assert_non_null(strstr(err.detail, "4242"));
    }
}

static void a_key_is_32_bytes_that_nobody_else_reads(void **state) {
    (void)state;
    char path[128];
    uint8_t bytes[33];
    struct error err = {0};
    struct secret *key = nullptr;
    memset(bytes, 0xa5, sizeof bytes);
    (void)snprintf(path, sizeof path, "%s/key", folder);
    assert_false(status_is_ok(config_read_key(path, &key, &err)));
    assert_int_equal(err.code, ERROR_AUDIT_KEY);
    static const struct {
        size_t size;
        unsigned mode;
        bool is_fine;
    } CASES[] = {{0, 0600, false},  {31, 0600, false}, {33, 0600, false}, {32, 0640, false},
                 {32, 0604, false}, {32, 0620, false}, {32, 0600, true},  {32, 0400, true}};
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        err = (struct error){0};
        (void)unlink(path);
        write_file(path, bytes, CASES[i].size, CASES[i].mode);
        assert_true(status_is_ok(config_read_key(path, &key, &err)) == CASES[i].is_fine);
        assert_int_equal(err.code, CASES[i].is_fine ? ERROR_NONE : ERROR_AUDIT_KEY);
        if (CASES[i].is_fine) {
            assert_int_equal(secret_size(key), 32);
            assert_memory_equal(secret_data_const(key), bytes, 32);
            secret_freep(&key);
        }
    }
    err = (struct error){0};
    assert_false(status_is_ok(config_read_key(folder, &key, &err)));
    assert_non_null(strstr(err.detail, "no regular file"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_cannot_be_used_is_named_with_its_place),
        cmocka_unit_test(a_switch_is_off_unless_it_says_true),
        cmocka_unit_test(a_file_that_is_too_long_is_not_read),
        cmocka_unit_test(nothing_and_an_empty_file_configure_nothing),
        cmocka_unit_test(a_path_is_taken_as_it_is),
        cmocka_unit_test(a_file_of_others_is_refused),
        cmocka_unit_test(a_key_is_32_bytes_that_nobody_else_reads),
    };
    return cmocka_run_group_tests_name("config", tests, set_up, tear_down);
}
