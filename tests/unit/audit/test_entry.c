/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/entry.h"

static struct json *with_fact(const char *key, struct json *value) {
    struct json *fields = scratch_fields("r");
    struct json *facts = json_object_new();
    json_set_text(facts, "operation", "fs.write");
    json_set(facts, key, value);
    json_set(fields, "facts", facts);
    return fields;
}

static bool passes(enum audit_event event, struct json *consumed) {
    struct error err = {0};
    status_t status = entry_check(event, consumed, &err);
    json_free(consumed);
    return status_is_ok(status);
}

static void facts_are_the_match_fields_of_policy(void **state) {
    (void)state;
    static const char *const TEXTS[] = {"path",     "caller", "session_mode", "workflow_state",
                                        "host",     "method", "template",     "argument_digest",
                                        "transport"};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        assert_true(
            passes(AUDIT_EVENT_DECISION, with_fact(TEXTS[i], json_text_new(slice_of_string("x")))));
        assert_false(passes(AUDIT_EVENT_DECISION, with_fact(TEXTS[i], json_integer_new(1))));
    }
    assert_true(passes(AUDIT_EVENT_DECISION, with_fact("caller_tag", json_array_new())));
    assert_true(passes(AUDIT_EVENT_DECISION, with_fact("port", json_integer_new(443))));
    assert_true(passes(AUDIT_EVENT_DECISION, with_fact("size", json_integer_new(INT64_MAX))));
    assert_false(passes(AUDIT_EVENT_DECISION, with_fact("port", json_array_new())));
    assert_false(passes(AUDIT_EVENT_DECISION, with_fact("mood", json_integer_new(1))));
    struct json *fields = scratch_fields("r");
    json_set_text(fields, "facts", "none");
    assert_false(passes(AUDIT_EVENT_DECISION, fields));
}

static void digests_and_token_stand_beside_them(void **state) {
    (void)state;
    struct json *fields = with_fact("path", json_text_new(SLICE_LITERAL("src/x.c")));
    json_set_text(fields, "policy_digest", "sha256:00");
    json_set_text(fields, "facts_digest", "sha256:01");
    json_set_text(fields, "token", "t1");
    assert_true(passes(AUDIT_EVENT_DECISION, fields));
}

static struct json *policy_fields(void) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", "uid:1000");
    json_set_text(fields, "operation", "policy.update");
    json_set_text(fields, "request", "r");
    json_set_text(fields, "new_digest", "sha256:02");
    json_set(fields, "changed", json_object_new());
    json_set_integer(fields, "breaking", 0);
    return fields;
}

static void a_policy_update_names_what_it_changes(void **state) {
    (void)state;
    assert_true(passes(AUDIT_EVENT_POLICY_UPDATED, policy_fields()));
    struct json *fields = policy_fields();
    json_set_text(fields, "breaking", "many");
    assert_false(passes(AUDIT_EVENT_POLICY_UPDATED, fields));
    fields = policy_fields();
    json_set_text(fields, "old_digest", "sha256:01");
    json_set_text(fields, "path", "/etc/airlock/policy.yaml");
    assert_true(passes(AUDIT_EVENT_POLICY_UPDATED, fields));
    assert_false(passes(AUDIT_EVENT_POLICY_TRUSTED, policy_fields()));
}

static void events_are_found_by_their_names(void **state) {
    (void)state;
    for (unsigned i = 0; i < AUDIT_EVENT_COUNT; i++) {
        enum audit_event event = AUDIT_EVENT_COUNT;
        assert_true(audit_event_find(audit_event_text((enum audit_event)i), &event));
        assert_int_equal(event, i);
    }
    enum audit_event event;
    assert_false(audit_event_find("", &event));
    assert_false(audit_event_find("run_starte", &event));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_are_the_match_fields_of_policy),
        cmocka_unit_test(digests_and_token_stand_beside_them),
        cmocka_unit_test(a_policy_update_names_what_it_changes),
        cmocka_unit_test(events_are_found_by_their_names),
    };
    return cmocka_run_group_tests_name("entry", tests, nullptr, nullptr);
}
