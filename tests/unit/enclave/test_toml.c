/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "enclave/toml.h"

static struct toml_tree *parse(const char *text, struct toml_fault *fault) {
    struct toml_tree *tree = nullptr;
    struct error err = {};
    if (!status_is_ok(toml_parse(slice_of_string(text), "f", fault, &tree, &err))) {
        assert_int_equal(err.code, ERROR_MANIFEST);
        return nullptr;
    }
    return tree;
}

/* Values and places of what manifests say. */
static void what_manifests_say_is_read(void **state) {
    (void)state;
    struct toml_fault fault;
    struct toml_tree *tree = parse("# a comment\n"
                                   "libos.entrypoint = \"/a \\\"b\\\" \\u00e9\\t\"\r\n"
                                   "  loader.argv = [ 'a\\n', # first\n \"\",\n]\n"
                                   "[sgx]\n"
                                   "debug = false\n"
                                   "size . \"a.b\" = 0x10\n"
                                   "n = -1_000\n"
                                   "[[sgx.files]]\nuri = 'x'\n"
                                   "[[sgx.files]]\nuri = 'y'\ndeep = { a.b = true, c = [1, [2]] }\n"
                                   "[sgx.files.more]\nz = +0",
                                   &fault);
    assert_non_null(tree);
    const struct toml_value *root = toml_root(tree);
    assert_string_equal(toml_find_text(root, "libos.entrypoint"), "/a \"b\" \xc3\xa9\t");
    const struct toml_value *argv = toml_find(root, "loader.argv");
    assert_int_equal(argv->line, 3);
    assert_int_equal(argv->column, 3);
    assert_int_equal(argv->count, 2);
    assert_string_equal(argv->first->text, "a\\n");
    assert_string_equal(argv->last->text, "");
    assert_int_equal(argv->last->line, 4);
    assert_int_equal(toml_find(root, "sgx.debug")->integer, 0);
    assert_int_equal(toml_get(toml_find(root, "sgx.size"), "a.b")->integer, 16);
    assert_int_equal(toml_find(root, "sgx.n")->integer, -1000);
    const struct toml_value *files = toml_find(root, "sgx.files");
    assert_int_equal(files->count, 2);
    assert_string_equal(toml_find_text(files->first, "uri"), "x");
    assert_true(toml_find_true(files->last, "deep.a.b"));
    assert_int_equal(toml_find(files->last, "more.z")->integer, 0);
    assert_null(toml_find(root, "sgx.files.more"));
    assert_null(toml_find(root, "sgx.debug.x"));
    assert_null(toml_find(root, ""));
    toml_tree_free(tree);
}

static void nothing_is_an_empty_table(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"", "\n", "#", " \t\r\n # x"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct toml_fault fault;
        struct toml_tree *tree = parse(TEXTS[i], &fault);
        assert_non_null(tree);
        assert_int_equal(toml_root(tree)->count, 0);
        toml_tree_free(tree);
    }
}

static const struct {
    const char *text;
    uint32_t line, column;
} BAD[] = {
    {"a", 1, 2},
    {"a =", 1, 4},
    {"a = 1 b = 2", 1, 7},
    {"a = 1\na = 2", 2, 3},
    {"a.b = 1\na = 2", 2, 3},
    {"a = 1\na.b = 2", 2, 5},
    {"a.b = 1\na.b.c = 2", 2, 7},
    {"[a]\n[a]", 2, 4},
    {"[a]\nb = 1\n[a.b]", 3, 6},
    {"a.b = 1\n[a]", 2, 4},
    {"a = {}\n[a.b]", 2, 6},
    {"a = {}\na.b = 1", 2, 5},
    {"a = {b.c = 1}\na.b.d = 1", 2, 7},
    {"a = {b = 1, b = 2}", 1, 15},
    {"a = []\n[[a]]", 2, 6},
    {"[[a]]\n[a]", 2, 4},
    {"[a]\n[[a]]", 2, 6},
    {"[[a]]\na = {b = 1,}", 2, 12},
    {"a = {b = 1,\nc = 2}", 1, 12},
    {"a = [1 2]", 1, 8},
    {"a = [1", 1, 7},
    {"a = \"x", 1, 7},
    {"a = \"x\ny\"", 1, 7},
    {"a = \"\\x\"", 1, 7},
    {"a = \"\\ud800\"", 1, 8},
    {"a = \"\\u0000\"", 1, 8},
    {"a = \"\\U00110000\"", 1, 8},
    {"a = \"\x01\"", 1, 6},
    {"a = \"\"\"x\"\"\"", 1, 6},
    {"a = '''x'''", 1, 6},
    {"# \x02", 1, 3},
    {"a = 01", 1, 5},
    {"a = 1__0", 1, 5},
    {"a = _1", 1, 5},
    {"a = 1_", 1, 5},
    {"a = 0x", 1, 5},
    {"a = -0x1", 1, 5},
    {"a = 1.5", 1, 5},
    {"a = 1e3", 1, 5},
    {"a = inf", 1, 5},
    {"a = 2026-01-01", 1, 5},
    {"a = 9223372036854775808", 1, 5},
    {"a = -9223372036854775809", 1, 5},
    {"a = True", 1, 5},
    {"a = yes", 1, 5},
    {"= 1", 1, 1},
    {"a. = 1", 1, 4},
    {".a = 1", 1, 1},
    {"a b = 1", 1, 3},
    {"[]", 1, 2},
    {"[a", 1, 3},
    {"[[a]", 1, 5},
    {"[a] b = 1", 1, 5},
    {"a = 1\rb = 2", 1, 6},
    {"\xff", 1, 1},
    {"{{ x }}", 1, 1},
};

static void what_is_no_toml_is_refused_where_it_stands(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct toml_fault fault = {};
        struct toml_tree *tree = parse(BAD[i].text, &fault);
        if (tree != nullptr || fault.line != BAD[i].line || fault.column != BAD[i].column) {
            print_message("%s: %u:%u %s\n", BAD[i].text, fault.line, fault.column, fault.message);
        }
        assert_null(tree);
        assert_int_equal(fault.line, BAD[i].line);
        assert_int_equal(fault.column, BAD[i].column);
        assert_int_not_equal(strlen(fault.message), 0);
    }
}

static void what_is_added_where_toml_lets_it(void **state) {
    (void)state;
    static const char *const TEXTS[] = {
        "[a.b]\nx = 1\n[a]\ny = 2",
        "a.x = 1\na.y = 2",
        "[a]\nb.x = 1\nb.y = 2\n[a.c]",
        "[a]\n[a.b]\n[a.c.d]\n[a.c]",
        "a.b = 1\n[[a.c]]\n[[a.c]]",
        "a = 9223372036854775807\nb = -9223372036854775808",
        "\"\" = 1", /* an empty name is one */
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct toml_fault fault = {};
        struct toml_tree *tree = parse(TEXTS[i], &fault);
        if (tree == nullptr) {
            print_message("%s: %s\n", TEXTS[i], fault.message);
        }
        assert_non_null(tree);
        toml_tree_free(tree);
    }
}

static void depth_and_number_have_an_end(void **state) {
    (void)state;
    static char text[LIMIT_MANIFEST_BYTES + 2];
    struct toml_fault fault = {};
    struct toml_tree *tree = nullptr;
    struct error err = {};
    memset(text, '[', 1000);
    memcpy(text, "a = ", 4);
    text[1000] = '\0';
    assert_null(parse(text, &fault));
    memset(text, 0, sizeof text);
    for (size_t i = 0; i < 40; i++) {
        memcpy(text + 2 * i, "a.", 2);
    }
    assert_null(parse(text, &fault));
    memset(text, 0, sizeof text);
    memcpy(text, "a = [", 5);
    for (size_t i = 0; i <= LIMIT_MANIFEST_NODES; i++) {
        memcpy(text + 5 + 2 * i, "1,", 2);
    }
    uint64_t hits = limit_hit_count(LIMIT_ID_MANIFEST_NODES);
    assert_null(parse(text, &fault));
    assert_int_equal(limit_hit_count(LIMIT_ID_MANIFEST_NODES), hits + 1);
    memset(text, '#', sizeof text);
    assert_false(
        status_is_ok(toml_parse(slice_of(text, sizeof text - 1), "f", nullptr, &tree, &err)));
    assert_int_equal(err.code, ERROR_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_manifests_say_is_read),
        cmocka_unit_test(nothing_is_an_empty_table),
        cmocka_unit_test(what_is_no_toml_is_refused_where_it_stands),
        cmocka_unit_test(what_is_added_where_toml_lets_it),
        cmocka_unit_test(depth_and_number_have_an_end),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
