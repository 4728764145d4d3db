/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sys/file.h"

static bool parses(struct slice text) {
    struct error err = {0};
    CLEANUP(json_freep) struct json *value = nullptr;
    bool accepted = status_is_ok(json_parse(text, "a test", &value, &err));
    assert_true(accepted || err.code == ERROR_BAD_ENCODING);
    return accepted;
}

static void assert_canonical(const char *in, const char *expected) {
    struct error err;
    struct json *value;
    struct builder out;
    builder_init(&out, 4096);
    assert_true(status_is_ok(json_parse(slice_of_string(in), "a test", &value, &err)));
    json_write_canonical(value, &out);
    assert_string_equal(builder_c_string(&out), expected);
    json_free(value);
    builder_deinit(&out);
}

static void canonical_form_is_rfc_8785(void **state) {
    (void)state;
    assert_canonical(" { \"b\" : [ 1 , -2 , true , null ] , \"a\" : { } } ",
                     "{\"a\":{},\"b\":[1,-2,true,null]}");
    assert_canonical("\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\"",
                     "\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
    /* RFC 8785, section 3.2.3: the order is that of UTF-16, so U+1F600 stands before U+FB33. */
    assert_canonical("{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,"
                     "\"\\u0080\":6,\"\\u00f6\":7}",
                     "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"\xc3\xb6\":7,\"\xe2\x82\xac\":1,"
                     "\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
}

static void only_exact_integers_are_numbers(void **state) {
    (void)state;
    assert_true(parses(SLICE_LITERAL("9007199254740991")));
    assert_true(parses(SLICE_LITERAL("-9007199254740991")));
    assert_false(parses(SLICE_LITERAL("9007199254740992")));
    assert_false(parses(SLICE_LITERAL("1.0")));
    assert_false(parses(SLICE_LITERAL("[1e2]")));
    assert_false(parses(SLICE_LITERAL("{\"a\":{\"b\":[0.5]}}")));
    assert_false(parses(SLICE_LITERAL("99999999999999999999")));
    struct json *object = json_object_new();
    struct builder out;
    builder_init(&out, 256);
    json_set_integer(object, "n", INT64_MAX);
    json_write_canonical(object, &out);
    assert_string_equal(builder_c_string(&out), "{\"n\":\"9223372036854775807\"}");
    builder_deinit(&out);
    json_free(object);
}

static void ambiguous_documents_are_refused(void **state) {
    (void)state;
    assert_false(parses(SLICE_LITERAL("{\"a\":1,\"a\":2}")));
    assert_false(parses(SLICE_LITERAL("{\"a\":1} x")));
    assert_false(parses(SLICE_LITERAL("\"\\u0000\"")));
    assert_false(parses(SLICE_LITERAL("\"a\0b\"")));
    assert_false(parses(SLICE_LITERAL("123\0")));
    assert_false(parses(SLICE_LITERAL("\"\xff\"")));
    assert_false(parses((struct slice){nullptr, 0}));
}

static void depth_is_bounded(void **state) {
    (void)state;
    char deep[1024];
    memset(deep, '[', 128);
    memset(deep + 128, ']', 128);
    assert_true(parses(slice_of(deep, 256)));
    memset(deep, '[', 129);
    memset(deep + 129, ']', 129);
    assert_false(parses(slice_of(deep, 258)));
    /* Brackets inside strings are no depth. */
    memset(deep, '[', sizeof deep);
    deep[0] = '"';
    deep[sizeof deep - 1] = '"';
    assert_true(parses(slice_of(deep, sizeof deep)));
}

static void pretty_hides_no_control(void **state) {
    (void)state;
    struct json *object = json_object_new();
    struct builder out;
    builder_init(&out, 256);
    json_set_text(object, "z", "\xe2\x80\xae");
    json_write_pretty(object, &out);
    assert_string_equal(builder_c_string(&out), "{\n  \"z\": \"\\u202e\"\n}\n");
    builder_deinit(&out);
    json_free(object);
}

/* y_ files that hold floats, exponents or integers past 2^53: refused by our integer rule. */
static bool is_number_we_refuse(const char *name) {
    static const char *const NAMES[] = {
        "y_number.json",
        "y_number_0e+1.json",
        "y_number_0e1.json",
        "y_number_double_close_to_zero.json",
        "y_number_int_with_exp.json",
        "y_number_real_capital_e.json",
        "y_number_real_capital_e_neg_exp.json",
        "y_number_real_capital_e_pos_exp.json",
        "y_number_real_exponent.json",
        "y_number_real_fraction_exponent.json",
        "y_number_real_neg_exp.json",
        "y_object_extreme_numbers.json",
        "y_structure_lonely_negative_real.json",
        "y_number_real_pos_exponent.json",
        "y_number_simple_real.json",
    };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(name, NAMES[i]) == 0) {
            return true;
        }
    }
    return false;
}

struct tally {
    unsigned accepted;
    unsigned refused;
    unsigned by_number;
    unsigned by_nul;
};

static void suite_file(int folder, const char *name, struct tally *tally) {
    struct error err;
    struct builder text;
    bool found = false;
    builder_init(&text, 1 << 20);
    assert_true(status_is_ok(file_read(folder, name, &text, &found, &err)) && found);
    bool accepted = parses(builder_slice(&text));
    /* NUL inside strings is refused: C strings end there. */
    bool has_nul = strcmp(name, "y_string_null_escape.json") == 0 ||
                   strcmp(name, "y_object_escaped_null_in_key.json") == 0;
    builder_deinit(&text);
    /* Two values under one name mean two things to two readers. */
    bool has_duplicate = strncmp(name, "y_object_duplicated_key", 23) == 0;
    bool expected = name[0] == 'y' && !is_number_we_refuse(name) && !has_nul && !has_duplicate;
    if (name[0] != 'i' && accepted != expected) {
        fail_msg("%s: %s", name, accepted ? "accepted" : "refused");
    }
    tally->by_number += name[0] == 'y' && is_number_we_refuse(name);
    tally->by_nul += name[0] == 'y' && has_nul;
    tally->accepted += accepted;
    tally->refused += !accepted;
}

/* nst/JSONTestSuite (MIT): y_ must be accepted, n_ refused, i_ may go either way. */
static void outside_suite(void **state) {
    (void)state;
    const char *vectors = getenv("AIRLOCK_VECTORS");
    char path[4096];
    struct tally tally = {0};
    if (vectors == nullptr) {
        print_message("# AIRLOCK_VECTORS is not set: the outside cases were NOT run\n");
        skip();
    }
    (void)snprintf(path, sizeof path, "%s/json/test_parsing", vectors);
    DIR *folder = opendir(path);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != nullptr; entry = readdir(folder)) {
        if (strstr(entry->d_name, ".json") != nullptr) {
            suite_file(dirfd(folder), entry->d_name, &tally);
        }
    }
    (void)closedir(folder);
    print_message("# %u accepted, %u refused; of the y_ ones %u as no exact integer, %u as NUL\n",
                  tally.accepted, tally.refused, tally.by_number, tally.by_nul);
    assert_true(tally.accepted > 70 && tally.refused > 188);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_form_is_rfc_8785),
        cmocka_unit_test(only_exact_integers_are_numbers),
        cmocka_unit_test(ambiguous_documents_are_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(pretty_hides_no_control),
        cmocka_unit_test(outside_suite),
    };
    return cmocka_run_group_tests_name("json", tests, nullptr, nullptr);
}
