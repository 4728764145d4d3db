/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans: the one that is built is the golden one, it survives encoding, and every broken invariant
 * is refused. AIRLOCK_GOLDEN=update (make golden) writes the golden files anew.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sandbox/plan_format.h"
#include "sandbox/template.h"

#include "plan_fixture.h"

static const char *operation_text(enum plan_operation_type type) {
    static const char *const texts[PLAN_OPERATION_TYPE_COUNT] = {
        [PLAN_TMPFS] = "tmpfs",       [PLAN_FOLDER] = "folder", [PLAN_FILE] = "file",
        [PLAN_SYMLINK] = "symlink",   [PLAN_BIND] = "bind",     [PLAN_PROC] = "proc",
        [PLAN_READONLY] = "readonly", [PLAN_MASK] = "mask",     [PLAN_DEVPTS] = "devpts",
        [PLAN_OVERLAY] = "overlay",   [PLAN_CACHE] = "cache",   [PLAN_SEAL] = "seal",
    };
    assert_in_range(type, 0, PLAN_OPERATION_TYPE_COUNT - 1);
    return texts[type];
}

static void print_operation(FILE *out, const struct plan_operation *operation) {
    fprintf(out, "%s %s", operation_text(operation->type), operation->target);
    if (operation->source[0] != '\0') {
        fprintf(out, " from %s", operation->source);
    }
    if (operation->flags != 0) {
        fprintf(out, "%s%s%s%s", (operation->flags & PLAN_FLAG_OWNED) != 0 ? " owned" : "",
                (operation->flags & PLAN_FLAG_WRITABLE) != 0 ? " writable" : "",
                (operation->flags & PLAN_FLAG_DEVICE) != 0 ? " device" : "",
                (operation->flags & PLAN_FLAG_OPTIONAL) != 0 ? " optional" : "");
    }
    if (operation->ino != 0) {
        fprintf(out, " is %llu:%llu", (unsigned long long)operation->dev,
                (unsigned long long)operation->ino);
    }
    if (operation->mode != 0) {
        fprintf(out, " mode %o", operation->mode);
    }
    if (operation->size != 0) {
        fprintf(out, " size %llu", (unsigned long long)operation->size);
    }
    for (size_t i = 0; i < operation->content.size; i++) {
        unsigned char c = operation->content.data[i];
        fputs(i == 0 ? " = " : "", out);
        if (c == '\n' || c == '\0') {
            fputc('|', out);
        } else {
            fputc(c, out);
        }
    }
    fputc('\n', out);
}

/* Writes the text to a golden file when that is asked for; then the two must be one. */
static void is_golden(const char *kind, const char *name, const char *text) {
    static char expected[65536];
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/tests/golden/%s-%s.txt", getenv("AIRLOCK_SOURCE_DIR"),
                   kind, name);
    const char *mode = getenv("AIRLOCK_GOLDEN");
    if (mode != nullptr && strcmp(mode, "update") == 0) {
        FILE *golden = fopen(path, "we");
        assert_non_null(golden);
        assert_true(fputs(text, golden) >= 0);
        assert_int_equal(fclose(golden), 0);
    }
    FILE *golden = fopen(path, "re");
    if (golden == nullptr) {
        fail_msg("%s is not there; make golden writes it", path);
        return;
    }
    expected[fread(expected, 1, sizeof expected - 1, golden)] = '\0';
    (void)fclose(golden);
    assert_string_equal(text, expected);
}

static void print_plan(FILE *out, const struct plan_view *view) {
    static const char *const access[] = {"read", "write", "device"};
    const struct template_limits *limits = &view->limits;
    for (uint32_t i = 0; i < view->operation_count; i++) {
        print_operation(out, &view->operations[i]);
    }
    for (uint32_t i = 0; i < view->rule_count; i++) {
        fprintf(out, "rule %s %s\n", access[view->rules[i].access], view->rules[i].path);
    }
    fprintf(out, "seccomp %s\n", view->seccomp == SECCOMP_STRICT ? "strict" : "standard");
    fprintf(out, "limits memory %llu pids %u cpu %u%% weight %u time %llu ms\n",
            (unsigned long long)limits->memory_bytes_max, limits->pid_count_max,
            limits->cpu_percent_max, limits->cpu_weight, (unsigned long long)limits->wall_ms_max);
    fprintf(out, "limits read %llu a second write %llu a second\n",
            (unsigned long long)limits->read_rate_max, (unsigned long long)limits->write_rate_max);
    fprintf(out, "limits stage %llu file %llu output %llu\n",
            (unsigned long long)limits->stage_bytes_max, (unsigned long long)limits->file_bytes_max,
            (unsigned long long)limits->output_bytes_max);
}

/* What each template says when all is resolved, and the plan that it makes. */
static void test_golden(void **state) {
    (void)state;
    for (size_t i = 0; i < template_count(); i++) {
        const struct template_row *row = template_at(i);
        CLEANUP(builder_deinit) struct builder resolved;
        builder_init(&resolved, 4096);
        template_format(row, &resolved);
        builder_format(&resolved, "digest: %s\n", row->digest);
        is_golden("template", row->name, builder_c_string(&resolved));
        struct plan_request request = request_of_test();
        request.template_row = row;
        CLEANUP(plan_freep) struct plan *plan = build(&request);
        struct plan_view view;
        struct error err = {};
        assert_true(status_is_ok(plan_decode(plan_bytes(plan), &view, &err)));
        CLEANUP(memory_freep) char *text = nullptr;
        size_t size = 0;
        FILE *out = open_memstream(&text, &size);
        print_plan(out, &view);
        (void)fclose(out);
        plan_view_deinit(&view);
        is_golden("plan", row->name, text);
    }
}

static void test_round_trip(void **state) {
    (void)state;
    struct plan_request request = request_of_test();
    CLEANUP(plan_freep) struct plan *plan = build(&request);
    struct plan_view view;
    struct error err = {};
    assert_true(status_is_ok(plan_decode(plan_bytes(plan), &view, &err)));
    assert_true(status_is_ok(plan_check(&view, &err)));
    CLEANUP(builder_deinit) struct builder again;
    builder_init(&again, LIMIT_PLAN_BYTES);
    plan_encode(&view, &again);
    assert_true(slice_equal(builder_slice(&again), plan_bytes(plan)));
    plan_view_deinit(&view);
}

/* Any prefix, and any single changed byte, is refused or decodes; nothing else happens. */
static void test_damaged_bytes(void **state) {
    (void)state;
    struct plan_request request = request_of_test();
    CLEANUP(plan_freep) struct plan *plan = build(&request);
    struct slice bytes = plan_bytes(plan);
    struct error err = {};
    struct plan_view view;
    for (size_t size = 0; size < bytes.size; size++) {
        assert_false(status_is_ok(plan_decode(slice_of(bytes.data, size), &view, &err)));
    }
    CLEANUP(memory_freep) uint8_t *copy = malloc(bytes.size + 1);
    for (size_t i = 0; i < bytes.size; i++) {
        memcpy(copy, bytes.data, bytes.size);
        copy[i] ^= 0xff;
        if (status_is_ok(plan_decode(slice_of(copy, bytes.size), &view, &err))) {
            (void)!plan_check(&view, &err).code;
            plan_view_deinit(&view);
        }
    }
    memcpy(copy, bytes.data, bytes.size);
    copy[bytes.size] = 0;
    assert_false(status_is_ok(plan_decode(slice_of(copy, bytes.size + 1), &view, &err)));
}

static void break_host_root(struct plan_view *v) {
    v->host_uid = 0;
}
static void break_host_group(struct plan_view *v) {
    v->host_gid = 0;
}
static void break_memory(struct plan_view *v) {
    v->limits.memory_bytes_max = 0;
}
static void break_pids(struct plan_view *v) {
    v->limits.pid_count_max = 0;
}
static void break_stage(struct plan_view *v) {
    v->limits.stage_bytes_max = 0;
}
static void break_command(struct plan_view *v) {
    v->argument_count = 0;
}
static void break_variable(struct plan_view *v) {
    v->environment[0] = "NAMELESS";
}
static void break_seal(struct plan_view *v) {
    v->operation_count--;
}
static void break_root(struct plan_view *v) {
    v->operations[0].type = PLAN_FOLDER;
}
static void break_id(struct plan_view *v) {
    v->run_id = "../x";
}
static void break_workspace(struct plan_view *v) {
    v->workspace = "/home/ada/other";
}
static void break_cwd(struct plan_view *v) {
    v->working_folder = "/etc";
}
static void break_target(struct plan_view *v) {
    find(v, PLAN_MASK)->target = "/proc/../etc";
}
static void break_relative(struct plan_view *v) {
    find(v, PLAN_BIND)->source = "usr";
}
static void break_writable(struct plan_view *v) {
    find(v, PLAN_BIND)->flags |= PLAN_FLAG_WRITABLE;
}
static void break_device(struct plan_view *v) {
    find(v, PLAN_BIND)->flags |= PLAN_FLAG_DEVICE;
}
static void break_flags(struct plan_view *v) {
    find(v, PLAN_BIND)->flags |= 1u << 20;
}
static void break_secret(struct plan_view *v) {
    find(v, PLAN_BIND)->source = "/home/ada/.ssh/x";
}
static void break_host(struct plan_view *v) {
    find(v, PLAN_BIND)->source = "/";
}
static void break_setuid(struct plan_view *v) {
    find(v, PLAN_FILE)->mode = 04755;
}
static void break_overlay(struct plan_view *v) {
    find(v, PLAN_OVERLAY)->type = PLAN_FOLDER;
}
static void break_layer(struct plan_view *v) {
    find(v, PLAN_OVERLAY)->content = SLICE_LITERAL("no-end");
}
static void break_run_folder(struct plan_view *v) {
    v->run_folder = "/home/ada/project/.runs/1";
}
static void break_rule(struct plan_view *v) {
    v->rules[0] = (struct plan_rule){.access = PLAN_ACCESS_WRITE, .path = "/usr"};
}
static void break_rules(struct plan_view *v) {
    v->rule_count = 0;
}
static void break_writable_source(struct plan_view *v) {
    for (uint32_t i = 0; i < v->operation_count; i++) {
        if ((v->operations[i].flags & PLAN_FLAG_WRITABLE) != 0) {
            v->operations[i].source = "/etc";
        }
    }
}

static void break_cache_other(struct plan_view *v) {
    find(v, PLAN_CACHE)->source = "/home/ada/.npm/_cacache";
}
static void break_cache_row(struct plan_view *v) {
    find(v, PLAN_CACHE)->source = find(v, PLAN_CACHE)->target = "/home/ada/.npm";
}
static void break_cache_secret(struct plan_view *v) {
    find(v, PLAN_CACHE)->source = find(v, PLAN_CACHE)->target = "/home/ada/.config";
}
static void break_cache_home(struct plan_view *v) {
    find(v, PLAN_CACHE)->source = find(v, PLAN_CACHE)->target = "/home/ada";
}
static void break_cache_elsewhere(struct plan_view *v) {
    find(v, PLAN_CACHE)->source = find(v, PLAN_CACHE)->target = "/root/.npm/_cacache";
}
static void break_cache_number(struct plan_view *v) {
    find(v, PLAN_CACHE)->size = PLAN_CACHE_COUNT;
}
static void break_cache_numbers(struct plan_view *v) {
    find(v, PLAN_CACHE)->size = 1;
}
static void break_cache_identity(struct plan_view *v) {
    find(v, PLAN_CACHE)->ino = 0;
}
static void break_cache_layers(struct plan_view *v) {
    find(v, PLAN_CACHE)->content = SLICE_LITERAL("/etc");
}
static void break_cache_workspace(struct plan_view *v) {
    v->workspace = v->working_folder = find(v, PLAN_OVERLAY)->target = "/home/ada/go";
}
static void break_cache_below(struct plan_view *v) {
    v->workspace = v->working_folder = find(v, PLAN_OVERLAY)->target = "/home/ada/go/pkg/mod/x";
}
static void break_cache_run(struct plan_view *v) {
    v->run_folder = "/home/ada/go/pkg/mod/run";
    for (uint32_t i = 0; i < v->operation_count; i++) {
        if ((v->operations[i].flags & PLAN_FLAG_WRITABLE) != 0) {
            v->operations[i].source = "/home/ada/go/pkg/mod/run/x";
        }
    }
}
static void break_bind_holds_secret(struct plan_view *v) {
    find(v, PLAN_BIND)->source = "/home/ada/.cargo";
}

static void are_refused(const struct plan_request *request, breaks *const *all, size_t count) {
    CLEANUP(plan_freep) struct plan *plan = build(request);
    for (size_t i = 0; i < count; i++) {
        struct plan_view view;
        struct error err = {};
        assert_true(status_is_ok(plan_decode(plan_bytes(plan), &view, &err)));
        assert_true(status_is_ok(plan_check(&view, &err)));
        all[i](&view);
        if (status_is_ok(plan_check(&view, &err))) {
            fail_msg("broken invariant %zu was not seen", i);
        }
        assert_int_equal(err.code, ERROR_PLAN_INVALID);
        plan_view_deinit(&view);
    }
}

/* A cache is a row of the table, at its own place, known by identity, with a number of its own. */
static void test_caches(void **state) {
    (void)state;
    static breaks *const all[] = {
        break_cache_other,       break_cache_row,       break_cache_secret,  break_cache_home,
        break_cache_elsewhere,   break_cache_number,    break_cache_numbers, break_cache_identity,
        break_cache_layers,      break_cache_workspace, break_cache_below,   break_cache_run,
        break_bind_holds_secret,
    };
    struct plan_request request = request_of_test();
    request.template_row = template_find("package-caches");
    are_refused(&request, all, sizeof all / sizeof all[0]);
    CLEANUP(plan_freep) struct plan *plan = build(&request);
    assert_int_equal(plan_caches(plan).count, 2);
    assert_string_equal(plan_caches(plan).folder[1], ".npm/_cacache");
    request.workspace = request.working_folder = "/home/ada/go/pkg";
    CLEANUP(plan_freep) struct plan *within = build(&request);
    assert_int_equal(plan_caches(within).count, 1); /* the workspace shows the other */
}

static void test_invariants(void **state) {
    (void)state;
    static breaks *const all[] = {
        break_host_root,       break_host_group, break_memory,     break_pids,     break_stage,
        break_command,         break_variable,   break_seal,       break_root,     break_id,
        break_workspace,       break_cwd,        break_target,     break_relative, break_writable,
        break_device,          break_flags,      break_secret,     break_host,     break_setuid,
        break_overlay,         break_layer,      break_run_folder, break_rule,     break_rules,
        break_writable_source,
    };
    struct plan_request request = request_of_test();
    are_refused(&request, all, sizeof all / sizeof all[0]);
}

static void test_clean_paths(void **state) {
    (void)state;
    assert_true(plan_path_is_clean("/"));
    assert_true(plan_path_is_clean("/a/.b/..c"));
    static const char *const bad[] = {"",   "a",   "/a/",     "//a",  "/a//b",
                                      "/.", "/..", "/a/../b", "/a/.", "/a/.."};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(plan_path_is_clean(bad[i]));
    }
    assert_true(plan_path_is_below("/a/b", "/a"));
    assert_true(plan_path_is_below("/a", "/a"));
    assert_false(plan_path_is_below("/ab", "/a"));
}

/* A workspace that is HOME shows none of its secrets, and HOME is not bound over it. */
static void test_workspace_is_home(void **state) {
    (void)state;
    struct plan_request request = request_of_test();
    request.workspace = "/home/ada";
    request.working_folder = "/home/ada";
    CLEANUP(plan_freep) struct plan *plan = build(&request);
    struct plan_view view;
    struct error err = {};
    assert_true(status_is_ok(plan_decode(plan_bytes(plan), &view, &err)));
    bool is_masked = false;
    for (uint32_t i = 0; i < view.operation_count; i++) {
        const struct plan_operation *operation = &view.operations[i];
        is_masked |=
            operation->type == PLAN_MASK && strcmp(operation->target, "/home/ada/.ssh") == 0;
        assert_false(operation->type == PLAN_BIND && strcmp(operation->target, "/home/ada") == 0);
    }
    assert_true(is_masked);
    plan_view_deinit(&view);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_damaged_bytes), cmocka_unit_test(test_invariants),
        cmocka_unit_test(test_clean_paths),   cmocka_unit_test(test_workspace_is_home),
        cmocka_unit_test(test_caches),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
