/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "release/statement.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define PREDICATE                                                                 \
    "{\"buildDefinition\":{\"buildType\":\"b\",\"externalParameters\":{\"a\":1}," \
    "\"resolvedDependencies\":[{\"uri\":\"git\"}]},\"runDetails\":{\"builder\":{\"id\":\"i\"}}}"
#define STATEMENT(subjects, predicate)                                  \
    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicateType\":" \
    "\"https://slsa.dev/provenance/v1\",\"subject\":" subjects ",\"predicate\":" predicate "}"
#define SUBJECT(name, hex) "{\"name\":\"" name "\",\"digest\":{\"sha256\":\"" hex "\"}}"

static struct statement statement;

static bool is_taken(const char *text) {
    struct error err = {};
    status_t status = statement_parse(slice_of_string(text), &statement, &err);
    assert_true(status_is_ok(status) || err.code == ERROR_RELEASE_UNVERIFIED);
    statement_deinit(&statement);
    return status_is_ok(status);
}

static void names_are_names_of_files(void **state) {
    (void)state;
    assert_false(is_taken(STATEMENT("[" SUBJECT("", ZEROS) "]", PREDICATE)));
    assert_false(is_taken(STATEMENT("[" SUBJECT(".", ZEROS) "]", PREDICATE)));
    assert_false(is_taken(STATEMENT("[" SUBJECT("..", ZEROS) "]", PREDICATE)));
    assert_false(is_taken(STATEMENT("[" SUBJECT("a/b", ZEROS) "]", PREDICATE)));
    assert_false(is_taken(STATEMENT("[" SUBJECT("/etc", ZEROS) "]", PREDICATE)));
    assert_false(is_taken(STATEMENT("[" SUBJECT("a\\u001b[2J", ZEROS) "]", PREDICATE)));
    assert_false(is_taken(STATEMENT("[" SUBJECT("a\\u202eb", ZEROS) "]", PREDICATE)));
    assert_true(is_taken(STATEMENT("[" SUBJECT("a-1.0.tar.gz", ZEROS) "]", PREDICATE)));
}

static void every_subject_has_one_name_and_a_sha_256(void **state) {
    (void)state;
    assert_false(is_taken(STATEMENT("[]", PREDICATE)));
    assert_false(is_taken(STATEMENT("{}", PREDICATE)));
    assert_false(is_taken(STATEMENT("[{\"name\":\"a\"}]", PREDICATE)));
    assert_false(is_taken(STATEMENT("[" SUBJECT("a", "00") "]", PREDICATE)));
    assert_false(is_taken(STATEMENT("[" SUBJECT("a", ZEROS "00") "]", PREDICATE)));
    assert_false(
        is_taken(STATEMENT("[" SUBJECT("a", ZEROS) "," SUBJECT("a", ZEROS) "]", PREDICATE)));
    assert_true(
        is_taken(STATEMENT("[" SUBJECT("a", ZEROS) "," SUBJECT("b", ZEROS) "]", PREDICATE)));
}

static void provenance_says_who_built_what_how(void **state) {
    (void)state;
    assert_false(is_taken(STATEMENT("[" SUBJECT("a", ZEROS) "]", "{}")));
    assert_false(is_taken(STATEMENT("[" SUBJECT("a", ZEROS) "]", "null")));
    assert_false(is_taken(
        STATEMENT("[" SUBJECT("a", ZEROS) "]",
                  "{\"buildDefinition\":{\"buildType\":\"b\",\"externalParameters\":{\"a\":1},"
                  "\"resolvedDependencies\":[]},\"runDetails\":{\"builder\":{\"id\":\"i\"}}}")));
    assert_false(is_taken(
        STATEMENT("[" SUBJECT("a", ZEROS) "]",
                  "{\"buildDefinition\":{\"buildType\":\"b\",\"externalParameters\":{\"a\":1},"
                  "\"resolvedDependencies\":[{\"uri\":\"a\\n\"}]},\"runDetails\":{\"builder\":"
                  "{\"id\":\"i\"}}}")));
}

static void a_subject_is_found_by_its_whole_name(void **state) {
    (void)state;
    struct error err;
    assert_true(status_is_ok(statement_parse(
        SLICE_LITERAL(STATEMENT("[" SUBJECT("ab", ZEROS) "]", PREDICATE)), &statement, &err)));
    assert_non_null(statement_find(&statement, "ab"));
    assert_null(statement_find(&statement, "a"));
    assert_null(statement_find(&statement, "abc"));
    assert_string_equal(statement.builder, "i");
    assert_string_equal(statement.source, "git");
    statement_deinit(&statement);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_names_of_files),
        cmocka_unit_test(every_subject_has_one_name_and_a_sha_256),
        cmocka_unit_test(provenance_says_who_built_what_how),
        cmocka_unit_test(a_subject_is_found_by_its_whole_name),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
