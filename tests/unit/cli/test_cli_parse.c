/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The parser prints help through the table; these tests never ask for it. */
const struct cli_command_row *cli_command_find(const char *name) {
    (void)name;
    return nullptr;
}

struct parsed {
    struct cli cli;
    bool all;
    const char *name;
    const char **list;
    int argc;
    struct error err;
};

static status_t parse(struct parsed *parsed, const char **argv, bool stop) {
    *parsed = (struct parsed){};
    const struct cli_option options[] = {
        {.name = "all", .letter = 'a', .flag = &parsed->all},
        {.name = "name", .letter = 'n', .value = &parsed->name, .argument = "NAME"},
        {.name = "item", .list = &parsed->list, .argument = "ITEM"},
    };
    while (argv[parsed->argc] != nullptr) {
        parsed->argc++;
    }
    const struct cli_form form = {
        .options = options,
        .option_count = 3,
        .stop_at_operand = stop,
        .examples = "",
    };
    return cli_parse(&parsed->cli, &parsed->argc, (char **)(uintptr_t)argv, &form, &parsed->err);
}

#define ARGV(...) ((const char *[]){"cmd", __VA_ARGS__, nullptr})

static void options_and_operands_mix(void **state) {
    (void)state;
    struct parsed parsed;
    const char **argv = ARGV("x", "--all", "y", "--name=v", "--json", "z");
    assert_true(status_is_ok(parse(&parsed, argv, false)));
    assert_true(parsed.all && parsed.cli.json);
    assert_string_equal(parsed.name, "v");
    assert_int_equal(parsed.argc, 3);
    assert_string_equal(argv[1], "x");
    assert_string_equal(argv[3], "z");
    assert_null(argv[4]);
}

static void values_come_in_every_form(void **state) {
    (void)state;
    struct parsed parsed;
    assert_true(status_is_ok(parse(&parsed, ARGV("-an", "v"), false)));
    assert_true(parsed.all);
    assert_string_equal(parsed.name, "v");
    assert_true(status_is_ok(parse(&parsed, ARGV("-nv"), false)));
    assert_string_equal(parsed.name, "v");
    assert_true(status_is_ok(parse(&parsed, ARGV("--item", "1", "--item=2"), false)));
    assert_string_equal(parsed.list[0], "1");
    assert_string_equal(parsed.list[1], "2");
    assert_null(parsed.list[2]);
    free(parsed.list);
}

static void the_command_keeps_its_own_options(void **state) {
    (void)state;
    struct parsed parsed;
    const char **argv = ARGV("--all", "--", "ls", "--name", "--", "-x");
    assert_true(status_is_ok(parse(&parsed, argv, true)));
    assert_int_equal(parsed.argc, 4);
    assert_string_equal(argv[2], "--name");
    assert_string_equal(argv[3], "--");
    assert_null(parsed.name);
    const char **direct = ARGV("ls", "--all");
    assert_true(status_is_ok(parse(&parsed, direct, true)));
    assert_int_equal(parsed.argc, 2);
    assert_false(parsed.all);
}

static void mistakes_are_usage_errors(void **state) {
    (void)state;
    struct parsed parsed;
    const char **rows[] = {ARGV("--nonesuch"), ARGV("-z"),   ARGV("--name"),  ARGV("-n"),
                           ARGV("--all=1"),    ARGV("--al"), ARGV("--json=1")};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_false(status_is_ok(parse(&parsed, rows[i], false)));
        assert_int_equal(parsed.err.code, ERROR_USAGE);
    }
}

static void empty_and_dash_are_operands(void **state) {
    (void)state;
    struct parsed parsed;
    assert_true(status_is_ok(parse(&parsed, ARGV("", "-"), false)));
    assert_int_equal(parsed.argc, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_and_operands_mix),
        cmocka_unit_test(values_come_in_every_form),
        cmocka_unit_test(the_command_keeps_its_own_options),
        cmocka_unit_test(mistakes_are_usage_errors),
        cmocka_unit_test(empty_and_dash_are_operands),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
