/* SPDX-License-Identifier: Apache-2.0 */
#include "replay_kit.h"

static unsigned auto_lines, auto_files; /* of make_apply() */

/* An apply with its list of paths, all of them allowed then. */
static void make_apply(const char *const *paths, const char *spoil, bool by_path) {
    char run_id[ID_TEXT_BYTES];
    struct facts_list list;
    struct digest digest;
    struct run run = {.lock_fd = -1};
    struct policy_decision allowed = {.outcome = POLICY_ALLOW, .rule = "old"};
    struct policy_request request = {.operation = "stage.apply",
                                     .caller = "uid:1000",
                                     .transport = "cli",
                                     .at_command_line = true};
    id_generate(wall_ms, run_id);
    assert_int_equal(
        file_open_folder(kernel.state.runs_fd, run_id, true, 0700, &run.fd, &failure).code, 0);
    facts_list_init(&list);
    for (size_t i = 0; paths[i] != nullptr; i++) {
        struct policy_request path = request;
        path.path = paths[i];
        path.mode = S_IFREG | 0644;
        path.size = 10 * (i + 1);
        facts_list_add(&list, &path, &allowed);
    }
    assert_int_equal(facts_list_save(&list, &run, &digest, &failure).code, 0);
    facts_list_deinit(&list);
    struct past past = DECIDED(POLICY_ALLOW, "old");
    past.event = AUDIT_EVENT_APPLY_STARTED;
    past.run = run_id;
    past.facts_digest = &digest;
    past.without_facts = by_path;
    past.auto_lines = auto_lines;
    past.auto_files = auto_files;
    append(&past, &request);
    if (spoil != nullptr) {
        const struct file_write_options options = {.mode = 0600};
        assert_int_equal(
            file_write_atomic(run.fd, "facts", slice_of_string(spoil), &options, &failure).code, 0);
    }
    assert_int_equal(close(run.fd), 0);
}

static const char *const PATHS[] = {"src/a.c", "src/b.c", "docs/c", nullptr};

static void paths_of_an_apply_are_judged(void **unused) {
    (void)unused;
    make_apply(PATHS, nullptr, false);
    replay("  - { name: all, match: { operation: stage.apply }, action: allow }\n"
           "  - { name: no-docs, match: { path: 'docs/**' }, action: deny }\n"
           "  - { name: small, match: { path: '*', size: 20.. }, action: require_review }\n");
    assert_int_equal(result.decisions, 4);
    assert_int_equal(seen_count, 2);
    assert_string_equal(seen[0].path, "src/b.c");
    assert_int_equal(seen[0].now, POLICY_REVIEW);
    assert_string_equal(seen[1].path, "docs/c");
    assert_true(seen[1].is_breaking);
    assert_int_equal(strlen(seen[1].run), ID_TEXT_BYTES - 1);
}

static void an_apply_may_be_granted_path_by_path(void **unused) {
    (void)unused;
    static const char rules[] =
        "  - { name: src, match: { operation: stage.apply, path: 'src/**' }, action: allow }\n";
    make_apply(PATHS, nullptr, false);
    make_apply(PATHS, nullptr, true);
    replay(rules);
    assert_int_equal(result.decisions, 6); /* nothing is said of the whole */
    assert_int_equal(seen_count, 2);
    assert_string_equal(seen[0].path, "docs/c");
    assert_string_equal(seen[1].path, "docs/c");
    replay("  - { name: no, match: { operation: stage.apply, transport: cli }, action: deny }\n");
    assert_int_equal(seen_count, 2); /* one for each apply, not for each path */
    assert_string_equal(seen[0].path, "-");
    assert_string_equal(seen[1].path, "-");
}

static void lists_that_are_gone_or_anothers_are_counted(void **unused) {
    (void)unused;
    make_apply(PATHS, "{}\n", false);
    make_apply(PATHS, "", true);
    replay("  - { name: src, match: { operation: stage.apply, path: 'src/**' }, action: allow }\n");
    assert_int_equal(result.expired_lists, 2);
    assert_int_equal(seen_count, 2); /* as a whole, which no rule speaks of */
    assert_string_equal(seen[0].path, "-");
}

/* Nobody was asked; would somebody have been? */
static void an_automatic_apply_is_judged_as_one(void **unused) {
    (void)unused;
    auto_lines = 500;
    auto_files = 3;
    make_apply(PATHS, nullptr, false);
    auto_lines = auto_files = 0;
    make_apply(PATHS, nullptr, false); /* a person's is none of it */
    replay("  - { name: all, match: { operation: stage.apply }, action: allow }\n");
    assert_int_equal(seen_count, 3);
    assert_int_equal(seen[0].was, POLICY_ALLOW);
    assert_int_equal(seen[0].now, POLICY_REVIEW);
    assert_string_equal(seen[0].path, "src/a.c");
    assert_string_equal(seen[0].rule, "all");
    assert_false(seen[0].is_breaking);
    replay("  - { name: few, match: { operation: stage.apply }, action: allow,\n"
           "      constraints: { auto_apply: { changed_lines_max: 499, files_max: 3 } } }\n");
    assert_int_equal(seen_count, 3);
    replay("  - { name: few, match: { operation: stage.apply }, action: allow,\n"
           "      constraints: { auto_apply: { changed_lines_max: 500, files_max: 2 } } }\n");
    assert_int_equal(seen_count, 3);
    replay("  - { name: all, match: { operation: stage.apply }, action: allow }\n"
           "  - { name: src, match: { operation: stage.apply, path: 'src/**' }, action: allow,\n"
           "      constraints: { auto_apply: { changed_lines_max: 500, files_max: 3 } } }\n");
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].path, "docs/c");
    replay("  - { name: all, match: { operation: stage.apply }, action: allow,\n"
           "      constraints: { auto_apply: { changed_lines_max: 500, files_max: 3 } } }\n");
    assert_int_equal(seen_count, 0);
    replay("  - { name: no, match: { operation: stage.apply }, action: deny }\n");
    assert_int_equal(seen_count, 2); /* each whole */
    assert_true(seen[0].is_breaking && seen[1].is_breaking);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(paths_of_an_apply_are_judged),
        TEST(an_apply_may_be_granted_path_by_path),
        TEST(an_automatic_apply_is_judged_as_one),
        TEST(lists_that_are_gone_or_anothers_are_counted),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
