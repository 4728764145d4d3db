/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "enclave/template.h"

static const struct template_value ROWS[] = {
    {"a", "x"}, {"gramine.runtimedir()", "/g"}, {"none", nullptr}, {"brackets", "{{ a }}"}};
static const struct template_values VALUES = {ROWS, 4};

static void names_are_filled_in(void **state) {
    (void)state;
    static const struct {
        const char *template, *text;
    } CASES[] = {
        {"", ""},
        {"plain\n", "plain\n"},
        {"{{ a }}{{a}} {{  gramine.runtimedir()}}", "xx /g"},
        {"{% if a %}\nyes\n{% endif %}\nend\n", "yes\nend\n"},
        {"  {% if none %}\n{{ nobody }}\n{% endif %}\nend", "end"},
        {"{{ brackets }}", "{{ a }}"}, /* what is filled in is not filled in again */
        {"} } { { }}", "} } { { }}"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct builder text;
        struct error err = {};
        builder_init(&text, 1000);
        assert_true(
            status_is_ok(template_fill(slice_of_string(CASES[i].template), &VALUES, &text, &err)));
        assert_string_equal(builder_c_string(&text), CASES[i].text);
        builder_deinit(&text);
    }
}

static void what_is_not_known_is_refused(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "\n{{ nobody }}",
        "\n{{ none }}",
        "\n{{ a",
        "\n{{}}",
        "\n{{ a | upper }}",
        "\n{% if nobody %}\n{% endif %}",
        "\n{% endif %}",
        "\n{% if a",
        "\n{% for a in b %}",
        "\n{% if a %}{% endif %}",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct builder text;
        struct error err = {};
        builder_init(&text, 1000);
        assert_false(status_is_ok(template_fill(slice_of_string(BAD[i]), &VALUES, &text, &err)));
        assert_int_equal(err.code, ERROR_MANIFEST);
        assert_non_null(strstr(err.message, "line 2"));
        builder_deinit(&text);
    }
    struct builder text;
    struct error err = {};
    builder_init(&text, 1000);
    assert_false(status_is_ok(
        template_fill(SLICE_LITERAL("{% if a %}\n{% if a %}\n"), &VALUES, &text, &err)));
    assert_false(status_is_ok(template_fill(SLICE_LITERAL("{% if a %}\n"), &VALUES, &text, &err)));
    builder_deinit(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_filled_in),
        cmocka_unit_test(what_is_not_known_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
