/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/builtin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "default_kit.h"

static enum policy_outcome decide(const char *path, uint32_t mode, const char *target) {
    struct policy_decision decision;
    default_decide(
        &(struct policy_request){
            .operation = "stage.apply",
            .caller = "uid:1000",
            .path = path,
            .mode = mode,
            .link_target = target,
            .workspace = "/ws",
            .at_command_line = true,
        },
        &decision);
    assert_true(decision.reason_count > 0);
    return decision.outcome;
}

struct row {
    const char *path;
    enum policy_outcome outcome;
};

static void assert_rows(const struct row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        enum policy_outcome got = decide(rows[i].path, S_IFREG | 0644, nullptr);
        if (got != rows[i].outcome) {
            fail_msg("%s: %s", rows[i].path, policy_outcome_text(got));
        }
    }
}

static void files_get_the_rule_of_their_path(void **state) {
    (void)state;
    static const struct row rows[] = {
        {"src/main.c", POLICY_ALLOW},
        {".gitignore", POLICY_ALLOW},
        {".git/index", POLICY_ALLOW},
        {".git/refs/heads/config-change", POLICY_ALLOW},
        {"hooks/pre-commit", POLICY_ALLOW},
        {"config", POLICY_ALLOW},
        {"sub/.airlock/x", POLICY_DENY},
        {"sub/.Airlock", POLICY_DENY},
        {"sub/airlock/x", POLICY_ALLOW},
        {".git/rebase-merge/git-rebase-todo", POLICY_REVIEW},
        {"sub/.git/rebase-merge", POLICY_REVIEW},
        {".github/README.md", POLICY_ALLOW},
        {".airlock/policy.yaml", POLICY_DENY},
        {".AIRLOCK/policy.yaml", POLICY_DENY},
        {".airlock", POLICY_DENY},
        {".git/hooks/pre-commit", POLICY_DENY},
        {".git/config", POLICY_DENY},
        {".git/config.worktree", POLICY_DENY},
        {".git/commondir", POLICY_DENY},
        {"deep/er/.git/hooks/x", POLICY_DENY},
        {"deep/.Git/CONFIG", POLICY_DENY},
        {".git./hooks/x", POLICY_DENY},
        {".git /config", POLICY_DENY},
        {"git~1/config", POLICY_DENY},
        {".git/modules/a/b/hooks/x", POLICY_DENY},
        {".git/modules/a/config", POLICY_DENY},
        {".git/worktrees/w/config.worktree", POLICY_DENY},
        {".git", POLICY_DENY},
        {"sub/.git", POLICY_DENY},
        {"../x", POLICY_DENY},
        {"", POLICY_DENY},
        {".vscode/tasks.json", POLICY_REVIEW},
        {"sub/.VSCode/tasks.json", POLICY_REVIEW},
        {"x.code-workspace", POLICY_REVIEW},
        {".mcp.json", POLICY_REVIEW},
        {".claude/settings.json", POLICY_REVIEW},
        {"CLAUDE.md", POLICY_REVIEW},
        {".github/workflows/ci.yml", POLICY_REVIEW},
        {".gitlab-ci.yml", POLICY_REVIEW},
        {"sub/.envrc", POLICY_REVIEW},
        {".bashrc", POLICY_REVIEW},
        {".husky/pre-commit", POLICY_REVIEW},
        {".gitattributes", POLICY_REVIEW},
    };
    assert_rows(rows, sizeof rows / sizeof rows[0]);
}

static void a_git_folder_may_come_but_not_be_replaced(void **state) {
    (void)state;
    assert_int_equal(decide(".git", S_IFDIR | 0755, nullptr), POLICY_ALLOW);
    assert_int_equal(decide(".git", 0, nullptr), POLICY_DENY);
    assert_int_equal(decide("sub/.git", S_IFLNK | 0777, "elsewhere"), POLICY_DENY);
}

static void links_are_judged_by_where_they_lead(void **state) {
    (void)state;
    static const struct {
        const char *path, *target;
        enum policy_outcome outcome;
    } rows[] = {
        {"a", "b", POLICY_ALLOW},
        {"a/b", "../c", POLICY_ALLOW},
        {"a", "/ws/src", POLICY_ALLOW},
        {"a", "../c", POLICY_DENY},
        {"a/b", "../../c", POLICY_DENY},
        {"a", "/etc/passwd", POLICY_DENY},
        {"a", "/wsx", POLICY_DENY},
        {"a", ".git/hooks", POLICY_DENY},
        {"a", ".git", POLICY_DENY},
        {"a", "sub/.GIT/config", POLICY_DENY},
        {"a", "/ws/.git/hooks/pre-commit", POLICY_DENY},
        {"a", ".airlock", POLICY_DENY},
        {"a", "/usr/../etc/passwd", POLICY_DENY},
        {"a", "/usr/bin/python3", POLICY_REVIEW},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum policy_outcome got = decide(rows[i].path, S_IFLNK | 0777, rows[i].target);
        if (got != rows[i].outcome) {
            fail_msg("%s -> %s: %s", rows[i].path, rows[i].target, policy_outcome_text(got));
        }
    }
}

static void special_files_never_pass(void **state) {
    (void)state;
    assert_int_equal(decide("a", S_IFCHR | 0600, nullptr), POLICY_DENY);
    assert_int_equal(decide("a", S_IFSOCK | 0600, nullptr), POLICY_DENY);
    assert_int_equal(decide("a", S_IFIFO | 0600, nullptr), POLICY_DENY);
    assert_int_equal(decide("a", S_IFREG | S_ISUID | 0755, nullptr), POLICY_DENY);
    assert_int_equal(decide("a", S_IFREG | S_ISGID | 0755, nullptr), POLICY_DENY);
    assert_int_equal(decide("a", S_IFDIR | S_ISGID | 0755, nullptr), POLICY_ALLOW);
    assert_int_equal(decide("a", 0, nullptr), POLICY_ALLOW);
}

static void there_are_at_most_ten(void **state) {
    (void)state;
    assert_true(policy_builtin_count <= 10);
    for (size_t i = 0; i < policy_builtin_count; i++) {
        assert_int_not_equal(policy_builtin_rules[i].outcome, POLICY_ALLOW);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_get_the_rule_of_their_path),
        cmocka_unit_test(a_git_folder_may_come_but_not_be_replaced),
        cmocka_unit_test(links_are_judged_by_where_they_lead),
        cmocka_unit_test(special_files_never_pass),
        cmocka_unit_test(there_are_at_most_ten),
    };
    return cmocka_run_group_tests(tests, default_setup, default_teardown);
}
