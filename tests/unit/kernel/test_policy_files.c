/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose policy is in force, and what is no policy at all.
 */
#include "kernel/policy_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "kernel/policy_trust.h"
#include "sys/fd.h"
#include "sys/file.h"

#define ALLOW_RUN                          \
    "version: 1\nrules:\n"                 \
    "  - name: runs\n"                     \
    "    match: { operation: run.exec }\n" \
    "    action: allow\n"
#define DENY_RUN                           \
    "version: 1\nrules:\n"                 \
    "  - name: no-runs\n"                  \
    "    match: { operation: run.exec }\n" \
    "    action: deny\n"
#define USER "config/airlock/policy.yaml"
#define THEIRS "work/.airlock/policy.yaml"

static char *top; /* owned */
static int top_fd = -1;
static char workspace[LIMIT_PATH_BYTES];
static struct state state_folder;
static struct error failure;

static void put(const char *path, const char *text) {
    struct file_write_options options = {.mode = 0600};
    assert_int_equal(
        file_write_atomic(top_fd, path, slice_of_string(text), &options, &failure).code, 0);
}

static int setup(void **unused) {
    (void)unused;
    static char name[] = "policy-files-XXXXXX";
    (void)snprintf(name, sizeof name, "policy-files-XXXXXX");
    assert_non_null(mkdtemp(name));
    top = realpath(name, nullptr);
    assert_non_null(top);
    top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(top_fd >= 0);
    static const char *const folders[] = {"config", "config/airlock", "work", "work/.airlock",
                                          "state"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        assert_int_equal(mkdirat(top_fd, folders[i], 0700), 0);
    }
    char path[LIMIT_PATH_BYTES];
    (void)snprintf(path, sizeof path, "%s/config", top);
    assert_int_equal(setenv("XDG_CONFIG_HOME", path, 1), 0);
    (void)snprintf(path, sizeof path, "%s/state", top);
    assert_int_equal(setenv("AIRLOCK_STATE_DIR", path, 1), 0);
    (void)snprintf(workspace, sizeof workspace, "%s/work", top);
    return state_open(&state_folder, &failure).code;
}

static int teardown(void **unused) {
    (void)unused;
    state_close(&state_folder);
    fd_closep(&top_fd);
    assert_int_equal(file_remove_tree(AT_FDCWD, top, &failure).code, 0);
    free(TAKE(top));
    return 0;
}

static enum error_code load(struct policy_in_force *policy) {
    return (enum error_code)policy_files_load(&state_folder, workspace, policy, &failure).code;
}

static enum policy_outcome outcome(const struct policy_in_force *policy, const char *operation) {
    struct policy_decision decision;
    policy_evaluate(&policy->engine,
                    &(struct policy_request){.operation = operation,
                                             .template_name = "small",
                                             .workspace = workspace,
                                             .at_command_line = true},
                    &decision);
    return decision.outcome;
}

/* The policy in force says this about a run. */
static void assert_run_is(enum policy_outcome wanted) {
    struct policy_in_force policy;
    assert_int_equal(load(&policy), ERROR_NONE);
    assert_int_equal(outcome(&policy, "run.exec"), wanted);
    policy_in_force_deinit(&policy);
}

static void assert_refused(const char *part_of_message, const char *part_of_rest) {
    struct policy_in_force policy;
    assert_int_equal(load(&policy), ERROR_POLICY_INVALID);
    assert_non_null(strstr(failure.message, part_of_message));
    char rest[ERROR_DETAIL_BYTES_MAX + ERROR_HINT_BYTES_MAX];
    (void)snprintf(rest, sizeof rest, "%s|%s", failure.detail, failure.hint);
    assert_non_null(strstr(rest, part_of_rest));
    assert_null(policy.rules); /* nothing is left to decide by */
    assert_null(policy.user.document);
}

static void no_file_is_the_default(void **unused) {
    (void)unused;
    struct policy_in_force policy;
    assert_int_equal(load(&policy), ERROR_NONE);
    assert_string_equal(policy.user.path, "default");
    assert_string_equal(policy.workspace.path, "");
    assert_int_equal(policy.trust, POLICY_TRUST_NONE);
    assert_int_equal(outcome(&policy, "run.exec"), POLICY_ALLOW);
    assert_int_equal(outcome(&policy, "stage.apply"), POLICY_ALLOW);
    policy_in_force_deinit(&policy);
}

static void an_empty_file_denies_everything(void **unused) {
    (void)unused;
    struct policy_in_force policy;
    put(USER, "");
    assert_int_equal(load(&policy), ERROR_NONE);
    assert_int_equal(policy.user.diagnostics->warning_count, 1);
    assert_int_equal(outcome(&policy, "run.exec"), POLICY_DENY);
    assert_int_equal(outcome(&policy, "stage.apply"), POLICY_DENY);
    assert_int_equal(outcome(&policy, "stage.discard"), POLICY_DENY);
    policy_in_force_deinit(&policy);
}

static void a_broken_file_is_no_policy(void **unused) {
    (void)unused;
    put(USER, "version: 1\nrules:\n  - name: a\n    match: { operation: x }\n    action: alow\n");
    assert_refused(USER ":5:13: there is no action \"alow\"", "airlock policy check");
    put(USER, "version: 1\nrules: [\n");
    assert_refused(USER ":", "airlock policy check");
    put(USER, ALLOW_RUN);
    put(THEIRS, "version: 7\n");
    assert_refused(THEIRS ":1:10: ", "airlock policy check");
    put(THEIRS, "version: 1\nrules:\n  - name: a\n    match: { operation: x, path: [\"!y\"] }\n"
                "    action: allow\n");
    assert_refused(THEIRS ":4:", "");
}

static void others_may_not_write_it(void **unused) {
    (void)unused;
    put(USER, ALLOW_RUN);
    assert_int_equal(fchmodat(top_fd, USER, 0620, 0), 0);
    assert_refused(USER, "other users can write it|Close it to them: chmod go-w /");
    assert_int_equal(fchmodat(top_fd, USER, 0602, 0), 0);
    assert_refused(USER, "chmod go-w");
    assert_int_equal(fchmodat(top_fd, USER, 0644, 0), 0);
    assert_run_is(POLICY_ALLOW);
    if (geteuid() == 0) {
        assert_int_equal(fchownat(top_fd, USER, 12345, 12345, 0), 0);
        assert_refused(USER, "it belongs to another user|Make it yours: chown 0 /");
    }
}

static void only_a_regular_file_is_one(void **unused) {
    (void)unused;
    assert_int_equal(mkfifoat(top_fd, USER, 0600), 0);
    assert_refused(USER, "it is no regular file");
    assert_int_equal(unlinkat(top_fd, USER, 0), 0);
    assert_int_equal(mkdirat(top_fd, USER, 0700), 0);
    assert_refused(USER, "it is no regular file");
    assert_int_equal(unlinkat(top_fd, USER, AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("nowhere", top_fd, USER), 0);
    assert_refused(USER, "a link that leads nowhere");
    assert_int_equal(unlinkat(top_fd, USER, 0), 0);
    put("config/mine.yaml", DENY_RUN); /* the user's own link is followed, as dotfiles are kept */
    assert_int_equal(symlinkat("../mine.yaml", top_fd, USER), 0);
    assert_run_is(POLICY_DENY);
}

static void a_file_too_large_is_not_looked_at(void **unused) {
    (void)unused;
    struct policy_in_force policy;
    put(USER, ALLOW_RUN);
    CLEANUP(fd_closep) int fd = openat(top_fd, USER, O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, LIMIT_YAML_BYTES + 1), 0);
    assert_int_equal(load(&policy), ERROR_LIMIT);
}

static void an_untrusted_workspace_only_restricts(void **unused) {
    (void)unused;
    struct policy_in_force policy;
    put(USER, "version: 1\n");
    put(THEIRS, ALLOW_RUN);
    assert_int_equal(load(&policy), ERROR_NONE);
    assert_int_equal(policy.trust, POLICY_TRUST_UNTRUSTED);
    assert_int_equal(outcome(&policy, "run.exec"), POLICY_DENY);
    policy_in_force_deinit(&policy);
    put(USER, ALLOW_RUN);
    assert_run_is(POLICY_ALLOW);
    put(THEIRS, DENY_RUN);
    assert_run_is(POLICY_DENY);
}

static void trust_is_in_these_bytes(void **unused) {
    (void)unused;
    struct policy_in_force policy;
    struct digest untrusted;
    put(USER, "version: 1\n");
    put(THEIRS, ALLOW_RUN);
    assert_int_equal(load(&policy), ERROR_NONE);
    untrusted = policy.digest;
    assert_int_equal(
        policy_trust_set(&state_folder, workspace, &policy.workspace.digest, true, &failure).code,
        0);
    policy_in_force_deinit(&policy);
    assert_int_equal(load(&policy), ERROR_NONE);
    assert_int_equal(policy.trust, POLICY_TRUST_TRUSTED);
    assert_int_equal(outcome(&policy, "run.exec"), POLICY_ALLOW);
    assert_false(digest_equal(&untrusted, &policy.digest)); /* the same bytes, another policy */
    policy_in_force_deinit(&policy);
    put(THEIRS, ALLOW_RUN "# \n");
    assert_run_is(POLICY_DENY);
    put(THEIRS, ALLOW_RUN);
    assert_run_is(POLICY_ALLOW);
    put("state/trust.json", "{\"trusted\":");
    assert_int_not_equal(load(&policy), ERROR_NONE); /* a list that cannot be read is not empty */
}

static void a_workspace_file_is_never_followed(void **unused) {
    (void)unused;
    put("config/allow.yaml", ALLOW_RUN);
    assert_int_equal(symlinkat("../../config/allow.yaml", top_fd, THEIRS), 0);
    assert_refused(THEIRS, "links are not followed there");
    assert_int_equal(unlinkat(top_fd, THEIRS, 0), 0);
    assert_int_equal(mkfifoat(top_fd, THEIRS, 0600), 0);
    assert_refused(THEIRS, "it is no regular file");
    assert_int_equal(unlinkat(top_fd, THEIRS, 0), 0);
    assert_int_equal(unlinkat(top_fd, "work/.airlock", AT_REMOVEDIR), 0);
    assert_int_equal(symlinkat("../config", top_fd, "work/.airlock"), 0);
    assert_refused(THEIRS, "links are not followed there");
    assert_int_equal(unlinkat(top_fd, "work/.airlock", 0), 0);
    put("work/.airlock", "a file, not a folder");
    assert_refused(THEIRS, "ls -l");
    assert_int_equal(unlinkat(top_fd, "work/.airlock", 0), 0);
    assert_run_is(POLICY_ALLOW);
}

static void another_text_can_be_tried(void **unused) {
    (void)unused;
    struct policy_in_force policy;
    put(USER, ALLOW_RUN);
    assert_int_equal(policy_files_load_with(&state_folder, nullptr, SLICE_LITERAL(DENY_RUN),
                                            "candidate.yaml", &policy, &failure)
                         .code,
                     0);
    assert_string_equal(policy.user.path, "candidate.yaml");
    assert_int_equal(outcome(&policy, "run.exec"), POLICY_DENY);
    policy_in_force_deinit(&policy);
    assert_int_equal(policy_files_load_with(&state_folder, nullptr, SLICE_LITERAL("version: 0"),
                                            "candidate.yaml", &policy, &failure)
                         .code,
                     ERROR_POLICY_INVALID);
    assert_non_null(strstr(failure.message, "candidate.yaml:1:10"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(no_file_is_the_default),
        TEST(an_empty_file_denies_everything),
        TEST(a_broken_file_is_no_policy),
        TEST(others_may_not_write_it),
        TEST(only_a_regular_file_is_one),
        TEST(a_file_too_large_is_not_looked_at),
        TEST(an_untrusted_workspace_only_restricts),
        TEST(trust_is_in_these_bytes),
        TEST(a_workspace_file_is_never_followed),
        TEST(another_text_can_be_tried),
    };
    return cmocka_run_group_tests_name("kernel/policy_files", tests, nullptr, nullptr);
}
