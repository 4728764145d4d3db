/* SPDX-License-Identifier: Apache-2.0
 *
 * What an entry keeps of the request it was decided about.
 */
#include "kernel/facts.h"

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

#include "audit/entry.h"
#include "base/cleanup.h"
#include "kernel/records.h"
#include "kernel/refusal.h"
#include "sys/fd.h"
#include "sys/file.h"

static struct error failure;

static void assert_json_is(const struct json *value, const char *text) {
    struct builder out;
    builder_init(&out, 4096);
    json_write_canonical(value, &out);
    assert_string_equal(builder_c_string(&out), text);
    builder_deinit(&out);
}

static void only_what_the_request_has(void **state) {
    (void)state;
    static const char *const tags[] = {"third_party", "core_plugin"};
    CLEANUP(json_freep)
    struct json *few = facts_of(&(struct policy_request){.operation = "run.exec"});
    assert_json_is(few, "{\"operation\":\"run.exec\"}");
    CLEANUP(json_freep)
    struct json *all = facts_of(&(struct policy_request){
        .operation = "fs.write",
        .caller = "uid:1",
        .path = "a\nb\xff",
        .template_name = "small",
        .has_port = true,
        .has_size = true,
        .port = 80,
        .size = 0,
        .caller_tags = tags,
        .caller_tag_count = 2,
        .session_mode = "m",
        .workflow_state = "w",
        .host = "h",
        .method = "GET",
        .argument_digest = "sha256:00",
        .transport = "cli",
    });
    assert_json_is(all, "{\"argument_digest\":\"sha256:00\",\"caller\":\"uid:1\",\"caller_tag\":["
                        "\"third_party\",\"core_plugin\"],\"host\":\"h\",\"method\":\"GET\","
                        "\"operation\":\"fs.write\",\"path\":\"a\\\\nb\\\\xff\",\"port\":80,"
                        "\"session_mode\":\"m\",\"size\":0,\"template\":\"small\","
                        "\"transport\":\"cli\",\"workflow_state\":\"w\"}");
}

static void the_log_takes_them(void **state) {
    (void)state;
    const struct policy_in_force policy = {.digest = {{1, 2}}};
    struct policy_decision decision = {
        .outcome = POLICY_DENY,
        .rule = "no",
        .reasons = {"because"},
        .deciders = {{.name = "no", .file = "/p\n.yaml", .line = 7}},
        .reason_count = 1,
    };
    CLEANUP(json_freep) struct json *fields = json_object_new();
    json_set_text(fields, "caller", "uid:1");
    json_set_text(fields, "operation", "run.exec");
    json_set_text(fields, "request", "r");
    json_set(fields, "decision", record_decision(&decision));
    facts_record(fields, &(struct policy_request){.operation = "run.exec"}, &policy);
    assert_int_equal(entry_check(AUDIT_EVENT_DECISION, fields, &failure).code, 0);
    assert_memory_equal(json_get_text(fields, "policy_digest"), "0102000000", 10);
    assert_json_is(json_get(fields, "decision"),
                   "{\"outcome\":\"deny\",\"reasons\":[\"because\"],\"rule\":\"no\",\"rules\":[{"
                   "\"file\":\"/p\\\\n.yaml\",\"line\":7,\"name\":\"no\"}]}");
}

static void the_list_has_one_line_a_path(void **state) {
    (void)state;
    static const char wanted[] =
        "{\"mode\":33188,\"outcome\":\"allow\",\"path\":\"a\",\"rule\":\"yes\",\"size\":3}\n"
        "{\"link_target\":\"../x\\\\n\",\"mode\":41471,\"outcome\":\"require_review\","
        "\"path\":\"b\",\"rule\":\"look\",\"size\":0}\n"
        "{\"mode\":0,\"outcome\":\"deny\",\"path\":\"c\",\"rule\":\"no\",\"size\":0}\n";
    char folder[] = "facts-XXXXXX";
    struct facts_list list;
    struct digest digest;
    struct digest right;
    assert_non_null(mkdtemp(folder));
    struct run run = {.id = "id", .fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    assert_true(run.fd >= 0);
    facts_list_init(&list);
    facts_list_add(&list, &(struct policy_request){.path = "a", .mode = S_IFREG | 0644, .size = 3},
                   &(struct policy_decision){.outcome = POLICY_ALLOW, .rule = "yes"});
    facts_list_add(
        &list,
        &(struct policy_request){.path = "b", .mode = S_IFLNK | 0777, .link_target = "../x\n"},
        &(struct policy_decision){.outcome = POLICY_REVIEW, .rule = "look"});
    facts_list_add(&list, &(struct policy_request){.path = "c"},
                   &(struct policy_decision){.outcome = POLICY_DENY, .rule = "no"});
    assert_int_equal(facts_list_save(&list, &run, &digest, &failure).code, 0);
    facts_list_deinit(&list);
    sha256_of(SLICE_LITERAL(wanted), &right);
    assert_true(digest_equal(&digest, &right));
    struct builder text;
    bool found = false;
    builder_init(&text, 4096);
    assert_int_equal(file_read(run.fd, "facts", &text, &found, &failure).code, 0);
    assert_string_equal(builder_c_string(&text), wanted);
    builder_deinit(&text);
    fd_closep(&run.fd);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder, &failure).code, 0);
}

static void a_list_too_long_is_an_error(void **state) {
    (void)state;
    struct facts_list list;
    struct digest digest;
    const struct run run = {.id = "id", .fd = -1};
    facts_list_init(&list);
    list.text.size_max = 32;
    facts_list_add(&list, &(struct policy_request){.path = "a"},
                   &(struct policy_decision){.outcome = POLICY_ALLOW, .rule = "yes"});
    assert_int_equal(facts_list_save(&list, &run, &digest, &failure).code, ERROR_LIMIT);
    facts_list_deinit(&list);
}

static void a_refusal_keeps_the_place_of_its_rule(void **state) {
    (void)state;
    struct policy_decision decision = {
        .outcome = POLICY_ALLOW,
        .rule = "first",
        .reasons = {"one", "two"},
        .deciders = {{.name = "first", .layer = POLICY_LAYER_USER},
                     {.name = "second", .file = "p.yaml", .line = 9, .layer = POLICY_LAYER_USER}},
        .reason_count = 2,
    };
    refusal_make(&decision, "second", "too often");
    assert_int_equal(decision.outcome, POLICY_DENY);
    assert_int_equal(refusal_error(&decision, "run.exec", &failure).code, ERROR_POLICY_DENIED);
    assert_string_equal(failure.message, "run.exec is refused by the rule second (p.yaml:9)");
    assert_string_equal(failure.detail, "too often");
}

static void a_deny_by_nobody_says_what_the_nearest_allow_lacks(void **state) {
    (void)state;
    const struct policy_decision decision = {
        .outcome = POLICY_DENY,
        .rule = "default.deny",
        .reasons = {"no rule allows this operation", "it is outside the hours"},
        .deciders = {{.name = "default.deny", .layer = POLICY_LAYER_NONE},
                     {.name = "by-day", .file = "p.yaml", .line = 3, .layer = POLICY_LAYER_USER}},
        .reason_count = 2,
    };
    assert_int_equal(refusal_error(&decision, "run.exec", &failure).code, ERROR_POLICY_DENIED);
    assert_string_equal(failure.message, "run.exec is refused by the rule default.deny");
    assert_string_equal(failure.detail,
                        "no rule allows this operation; by-day: it is outside the hours");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_the_request_has),
        cmocka_unit_test(the_log_takes_them),
        cmocka_unit_test(the_list_has_one_line_a_path),
        cmocka_unit_test(a_list_too_long_is_an_error),
        cmocka_unit_test(a_refusal_keeps_the_place_of_its_rule),
        cmocka_unit_test(a_deny_by_nobody_says_what_the_nearest_allow_lacks),
    };
    return cmocka_run_group_tests_name("kernel/facts", tests, nullptr, nullptr);
}
