/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "audit/jsonl.h"

/* An export of a log of `count` entries, as text. */
struct exported {
    struct scratch scratch;
    char *lines;
    char *salts;
    size_t lines_size;
    size_t salts_size;
    char vkey[512];
};

static void export(struct exported *exported, unsigned count) {
    struct audit_jsonl_result result;
    struct builder vkey;
    scratch_open(&exported->scratch);
    scratch_append(&exported->scratch, count);
    struct json *fields = scratch_fields("r");
    struct json *facts = json_object_new();
    json_set_text(fields, "caller", "uid:1001");
    json_set_text(facts, "caller", "uid:1001");
    json_set(fields, "facts", facts);
    struct audit_append entry = {AUDIT_EVENT_DECISION, fields};
    must(audit_log_append(exported->scratch.log, &entry, 1, nullptr, &scratch_error));
    sign(&exported->scratch, count);
    FILE *lines = open_memstream(&exported->lines, &exported->lines_size);
    FILE *salts = open_memstream(&exported->salts, &exported->salts_size);
    assert_non_null(lines);
    assert_non_null(salts);
    must(audit_jsonl_write(exported->scratch.log, lines, salts, &result, &scratch_error));
    assert_int_equal(result.size, count + 1);
    assert_int_equal(result.callers, 2);
    assert_int_equal(fclose(lines), 0);
    assert_int_equal(fclose(salts), 0);
    builder_init(&vkey, sizeof exported->vkey);
    must(receipt_own_vkey(&exported->scratch.state, &vkey, &scratch_error));
    (void)snprintf(exported->vkey, sizeof exported->vkey, "%s", builder_c_string(&vkey));
    builder_deinit(&vkey);
}

static void close_export(struct exported *exported) {
    free(exported->lines);
    free(exported->salts);
    scratch_close(&exported->scratch);
}

static status_t check_text(const struct exported *exported, const char *lines, size_t size,
                           bool with_salts, struct audit_jsonl_check *ret_check) {
    FILE *in = fmemopen((void *)(uintptr_t)lines, size, "r");
    FILE *salts = fmemopen(exported->salts, exported->salts_size, "r");
    assert_non_null(in);
    assert_non_null(salts);
    scratch_error = (struct error){0};
    struct note_keys keys;
    assert_true(note_keys_parse(slice_of_string(exported->vkey), &keys));
    status_t status =
        audit_jsonl_check(in, with_salts ? salts : nullptr, &keys, ret_check, &scratch_error);
    (void)fclose(in);
    (void)fclose(salts);
    return status;
}

static void an_export_checks_with_and_without_its_salts(void **state) {
    (void)state;
    struct exported exported = {0};
    struct audit_jsonl_check check = {0};
    export(&exported, 20);
    assert_null(strstr(exported.lines, "uid:"));
    assert_non_null(strstr(exported.salts, "uid:1000"));
    assert_non_null(strstr(exported.salts, "uid:1001"));
    must(check_text(&exported, exported.lines, exported.lines_size, false, &check));
    assert_int_equal(check.salted, 21);
    must(check_text(&exported, exported.lines, exported.lines_size, true, &check));
    assert_int_equal(check.salted, 0);
    assert_int_equal(check.size, 21);
    close_export(&exported);
}

/* Every byte of the export, with the salts: none can change unseen. */
static void any_changed_byte_is_found(void **state) {
    (void)state;
    struct exported exported = {0};
    struct audit_jsonl_check check;
    export(&exported, 4);
    char *copy = malloc(exported.lines_size);
    assert_non_null(copy);
    /* Members of the first line that are there for people; the checkpoint is what counts. */
    const char *told = strstr(exported.lines, "\",\"origin\":");
    const char *end = strchr(exported.lines, '\n');
    for (size_t i = 0; i < exported.lines_size; i++) {
        if (exported.lines + i > told && exported.lines + i < end) {
            continue;
        }
        memcpy(copy, exported.lines, exported.lines_size);
        copy[i] ^= 1;
        /* A commitment that nothing opens any more is counted, not passed over. */
        if (status_is_ok(check_text(&exported, copy, exported.lines_size, true, &check)) &&
            check.salted == 0) {
            fail_msg("byte %zu can change unseen: %.60s", i, exported.lines + i);
        }
    }
    for (size_t size = 1; size < exported.lines_size; size += 7) {
        assert_false(status_is_ok(check_text(&exported, exported.lines, size, true, &check)));
    }
    free(copy);
    close_export(&exported);
}

static void what_opens_nothing_is_refused(void **state) {
    (void)state;
    struct exported exported = {0};
    struct audit_jsonl_check check;
    export(&exported, 2);
    for (size_t i = 0; i < exported.salts_size; i++) {
        exported.salts[i] ^= 1;
        if (status_is_ok(
                check_text(&exported, exported.lines, exported.lines_size, true, &check))) {
            fail_msg("byte %zu of the salts can change unseen", i);
        }
        exported.salts[i] ^= 1;
    }
    /* Another log's key. */
    struct exported other = {0};
    export(&other, 2);
    memcpy(exported.vkey, other.vkey, sizeof other.vkey);
    assert_false(
        status_is_ok(check_text(&exported, exported.lines, exported.lines_size, true, &check)));
    assert_string_equal(error_slug(scratch_error.code), "receipt.key");
    close_export(&other);
    close_export(&exported);
}

static void a_line_without_end_takes_no_memory_without_end(void **state) {
    (void)state;
    struct exported exported = {0};
    struct audit_jsonl_check check;
    export(&exported, 1);
    size_t size = (size_t)4 << 20;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, ' ', size);
    assert_false(status_is_ok(check_text(&exported, text, size, false, &check)));
    assert_string_equal(error_slug(scratch_error.code), "receipt.malformed");
    free(text);
    close_export(&exported);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_export_checks_with_and_without_its_salts),
        cmocka_unit_test(any_changed_byte_is_found),
        cmocka_unit_test(what_opens_nothing_is_refused),
        cmocka_unit_test(a_line_without_end_takes_no_memory_without_end),
    };
    return cmocka_run_group_tests_name("jsonl", tests, nullptr, nullptr);
}
