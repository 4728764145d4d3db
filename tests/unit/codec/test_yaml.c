/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"

static void assert_refused(struct slice text, const char *message, const char *hint) {
    struct error err = {};
    struct yaml_fault fault = {};
    struct yaml_tree *tree = nullptr;
    assert_false(status_is_ok(yaml_parse(text, "f.yaml", &fault, &tree, &err)));
    assert_null(tree);
    assert_string_equal(err.message, message);
    assert_string_equal(err.hint, hint);
    char whole[512];
    (void)snprintf(whole, sizeof whole, "f.yaml:%u:%u: %s", fault.line, fault.column,
                   fault.message);
    assert_string_equal(err.message, whole);
    assert_string_equal(fault.hint, hint);
}

static void refused(const char *text, const char *message, const char *hint) {
    assert_refused(slice_of_string(text), message, hint);
}

static struct yaml_tree *parsed(const char *text) {
    struct error err = {};
    struct yaml_tree *tree = nullptr;
    if (!status_is_ok(yaml_parse(slice_of_string(text), "f.yaml", nullptr, &tree, &err))) {
        fail_msg("%s", err.message);
    }
    return tree;
}

static void bytes_that_are_no_text_are_refused(void **state) {
    (void)state;
    refused("a: b\nc: \xff\n", "f.yaml:2:4: the byte 0xff is not UTF-8", "Save the file as UTF-8.");
    refused("a: \xc3", "f.yaml:1:4: the byte 0xc3 is not UTF-8", "Save the file as UTF-8.");
    refused("a: \xed\xa0\x80", "f.yaml:1:4: the byte 0xed is not UTF-8", "Save the file as UTF-8.");
    assert_refused(SLICE_LITERAL("a: b\0c"), "f.yaml:1:5: a NUL byte stands here",
                   "Save it as plain text.");
    assert_refused(SLICE_LITERAL("\xff\xfe"
                                 "a\0"),
                   "f.yaml:1:1: the byte 0xff is not UTF-8", "Save the file as UTF-8.");
    refused("\xef\xbb\xbf"
            "a: b",
            "f.yaml:1:1: the file begins with a byte order mark",
            "Save the file as UTF-8 without a byte order mark.");
    refused("a: \xe2\x80\xae"
            "b",
            "f.yaml:1:4: the invisible character U+202E stands here",
            "Remove it; a text in double quotes may hold it as an escape.");
    refused("a: b # \x1b[2J", "f.yaml:1:8: the invisible character U+001B stands here",
            "Remove it; a text in double quotes may hold it as an escape.");
    refused("a: b\rc: d", "f.yaml:1:5: a carriage return stands alone",
            "End every line with a line feed.");
    refused("a: \"x\\0y\"", "f.yaml:1:4: this text holds a NUL byte",
            "Take the escape \\0 out of it.");
}

static void what_makes_yaml_dangerous_is_refused(void **state) {
    (void)state;
    const char *anchor = "Write the value out where it is used; quote a text that begins with &.";
    const char *alias = "Write the value out; put a text that begins with * into quotes.";
    refused("a: &x [ *x ]", "f.yaml:1:4: anchors are not read here", anchor);
    refused("a: &a [lol]\nb: &b [*a, *a, *a]\n", "f.yaml:1:4: anchors are not read here", anchor);
    refused("- 1\n- &x y", "f.yaml:2:3: anchors are not read here", anchor);
    refused("a: *x", "f.yaml:1:4: aliases are not read here", alias);
    refused("<<: *x", "f.yaml:1:5: aliases are not read here", alias);
    refused("path: *.md",
            "f.yaml:1:8: this is not YAML: did not find expected alphabetic or "
            "numeric character, while scanning an alias",
            "Put a text that begins with * or ! into quotes: \"*.md\".");
    refused("a: !!python/object:os.system x", "f.yaml:1:4: tags are not read here",
            "Remove the tag; put a text that begins with ! into quotes.");
    refused("path: !x", "f.yaml:1:7: tags are not read here",
            "Remove the tag; put a text that begins with ! into quotes.");
    refused("%YAML 1.1\n--- a", "f.yaml:1:1: directives are not read here",
            "Remove the line that begins with %.");
    refused("a: b\n---\nc: d\n", "f.yaml:2:1: a second document begins here",
            "Put each document into a file of its own.");
}

static void keys_are_unique_texts(void **state) {
    (void)state;
    const char *hint = "Remove one of the two, or put both into one.";
    refused("a: 1\nb: 2\na: 3\n", "f.yaml:3:1: the key \"a\" stands here twice", hint);
    refused("x: { a: 1, \"a\": 2 }", "f.yaml:1:12: the key \"a\" stands here twice", hint);
    refused("? [a]\n: b\n", "f.yaml:1:3: a key must be a text",
            "Write a text in front of the colon.");
    refused("? {a: 1}\n: b\n", "f.yaml:1:3: a key must be a text",
            "Write a text in front of the colon.");
    refused("a: 1\nb: 2\nc: 3\nd: 4\ne: 5\nf: 6\ng: 7\nh: 8\ni: 9\nh: 1\nb: 2\n",
            "f.yaml:10:1: the key \"h\" stands here twice", hint);
    yaml_tree_free(parsed("a: {a: {a: 1}}\nb: {a: 1}\n"));
}

static void syntax_errors_have_their_place(void **state) {
    (void)state;
    const char *check = "Check the indent, brackets and quotes of this line and the one above.";
    refused("a: [b, c\nd: e\n",
            "f.yaml:2:2: this is not YAML: did not find expected ',' or ']', "
            "while parsing a flow sequence",
            check);
    refused(
        "\xc3\xa9: 1\n\xc3\xa9\xc3\xa9 \xc3\xa9",
        "f.yaml:2:8: this is not YAML: could not find expected ':', while scanning a simple key",
        check);
    refused("a:\n\t- b",
            "f.yaml:2:1: this is not YAML: found character that cannot start any token, "
            "while scanning for the next token",
            "Indent with spaces; YAML takes no tabs there.");
    refused("a: @b",
            "f.yaml:1:4: this is not YAML: found character that cannot start any token, "
            "while scanning for the next token",
            "Put a text that begins with @, ` or % into quotes.");
    refused("a: \"b",
            "f.yaml:1:6: this is not YAML: found unexpected end of stream, while scanning a "
            "quoted scalar",
            check);
}

static char *repeated(const char *piece, size_t count) {
    size_t size = strlen(piece);
    char *text = malloc(size * count + 1);
    assert_non_null(text);
    for (size_t i = 0; i < count; i++) {
        memcpy(text + i * size, piece, size);
    }
    text[size * count] = '\0';
    return text;
}

static void limits_hold_and_count(void **state) {
    (void)state;
    const char *hint = "Split the file; see the limits: airlock explain limit";
    uint64_t deep = limit_hit_count(LIMIT_ID_YAML_DEPTH);
    char *text = repeated("[", 33);
    refused(text, "f.yaml:1:33: this nests more than 32 levels", hint);
    free(text);
    text = repeated("- ", 100000);
    refused(text, "f.yaml:1:65: this nests more than 32 levels", hint);
    free(text);
    text = repeated("{a: ", 100000);
    refused(text, "f.yaml:1:129: this nests more than 32 levels", hint);
    free(text);
    assert_int_equal(limit_hit_count(LIMIT_ID_YAML_DEPTH), deep + 3);
    uint64_t many = limit_hit_count(LIMIT_ID_YAML_NODES);
    text = repeated("- a\n", 2000000);
    refused(text, "f.yaml:2000000:3: the document has more than 2000000 nodes", hint);
    free(text);
    assert_int_equal(limit_hit_count(LIMIT_ID_YAML_NODES), many + 1);
    /* 100 MiB that nobody may look at: there is only the one byte. */
    uint64_t large = limit_hit_count(LIMIT_ID_YAML_BYTES);
    assert_refused((struct slice){(const uint8_t *)"a", (size_t)100 << 20},
                   "f.yaml:1:1: the document has more than 16777216 bytes", hint);
    assert_int_equal(limit_hit_count(LIMIT_ID_YAML_BYTES), large + 1);
}

/* What a parser that looks back or ahead without bound needs minutes and gigabytes for. */
static void monotonous_files_end_soon(void **state) {
    (void)state;
    static const char *const starts[] = {"", "- ", "[", "a: ", "? ", "\"", "|\n ", "a: >\n "};
    static const char *const pieces[] = {" ",  "\n",  "a",   "'", "a,", ": ",
                                         "? ", "\\n", "&a ", "#", "!"};
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
            char *rest = repeated(pieces[k], 200000);
            size_t size = strlen(starts[i]) + strlen(rest);
            char *text = malloc(size + 1);
            assert_non_null(text);
            (void)snprintf(text, size + 1, "%s%s", starts[i], rest);
            struct error err = {};
            struct yaml_tree *tree = nullptr;
            (void)!status_is_ok(yaml_parse(slice_of(text, size), "f", nullptr, &tree, &err));
            yaml_tree_free(tree);
            free(text);
            free(rest);
        }
    }
}

static void empty_documents_have_no_root(void **state) {
    (void)state;
    static const char *const texts[] = {"",  "\n\n",   "# a comment\n", "---\n",
                                        "~", "null\n", "---\n...\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct yaml_tree *tree = parsed(texts[i]);
        assert_null(yaml_root(tree));
        yaml_tree_free(tree);
    }
    struct yaml_tree *quoted = parsed("''");
    assert_non_null(yaml_root(quoted));
    yaml_tree_free(quoted);
}

static void a_tree_has_kinds_texts_and_places(void **state) {
    (void)state;
    struct yaml_tree *tree = parsed("version: 1\r\n"
                                    "list:\r\n"
                                    "  - one\r\n"
                                    "  - 'two'\r\n"
                                    "map: { \xc3\xa9: \"\\u20ac\", b: [] , c: }\r\n"
                                    "text: |\r\n"
                                    "  two\r\n"
                                    "  lines\r\n");
    const struct yaml_node *root = yaml_root(tree);
    assert_int_equal(root->kind, YAML_KIND_MAPPING);
    assert_int_equal(root->count, 4);
    const struct yaml_node *version = yaml_get(root, "version");
    assert_string_equal(version->text, "1");
    assert_false(version->quoted);
    const struct yaml_node *list = yaml_get(root, "list");
    assert_int_equal(list->kind, YAML_KIND_SEQUENCE);
    assert_int_equal(list->count, 2);
    assert_string_equal(list->first->text, "one");
    assert_null(list->first->key);
    assert_true(list->first->next->quoted);
    assert_int_equal(list->first->next->line, 4);
    assert_int_equal(list->first->next->column, 5);
    const struct yaml_node *map = yaml_get(root, "map");
    assert_int_equal(map->count, 3);
    assert_string_equal(map->first->key->text, "\xc3\xa9");
    assert_string_equal(map->first->text, "\xe2\x82\xac");
    assert_int_equal(map->first->column, 12); /* in bytes */
    assert_int_equal(yaml_get(map, "b")->kind, YAML_KIND_SEQUENCE);
    assert_true(yaml_is_null(yaml_get(map, "c")));
    assert_string_equal(yaml_get(root, "text")->text, "two\nlines\n");
    assert_null(yaml_get(root, "none"));
    assert_null(yaml_get(list, "one"));
    assert_null(yaml_get(nullptr, "one"));
    yaml_tree_free(tree);
    yaml_tree_free(nullptr);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_that_are_no_text_are_refused),
        cmocka_unit_test(what_makes_yaml_dangerous_is_refused),
        cmocka_unit_test(keys_are_unique_texts),
        cmocka_unit_test(syntax_errors_have_their_place),
        cmocka_unit_test(limits_hold_and_count),
        cmocka_unit_test(monotonous_files_end_soon),
        cmocka_unit_test(empty_documents_have_no_root),
        cmocka_unit_test(a_tree_has_kinds_texts_and_places),
    };
    return cmocka_run_group_tests_name("codec/yaml", tests, nullptr, nullptr);
}
