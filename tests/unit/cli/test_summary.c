/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/summary.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct run_exec_result example = {
    .run = {.id = "01a1fc14-bb02-7b16-bf80-5029b0033cc1", .state = RUN_OPEN},
    .levels = {"overlay", "full", 7, "standard", "cgroup-v2"},
    .exit =
        {
            .outcome = LAUNCHER_OUTCOME_EXIT,
            .wall_ns = 12345678,
            .cpu_user_us = 1500000,
            .cpu_system_us = 500000,
            .memory_peak_bytes = 3 * 1024 * 1024,
            .pid_count_peak = 4,
        },
    .stage = {.added = 1, .modified = 2, .deleted = 3},
    .outcome = {.seq = 41},
};

static char *print(const struct run_exec_result *result, bool json) {
    char *text = nullptr;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct cli cli = {};
    if (json) {
        summary_print_json(result, nullptr, out);
    } else {
        summary_print(&cli, result, nullptr, out);
    }
    (void)fclose(out);
    return text;
}

static void a_person_reads_it_whole(void **state) {
    (void)state;
    char *text = print(&example, false);
    assert_string_equal(
        text,
        "airlock  exit 0 in 12.3 ms  run b0033cc1\n"
        "  staged   +1 added  ~2 modified  -3 deleted\n"
        "  used     cpu 2.00 s, memory 3.0 MiB, 4 processes, disk 0.0 MiB read, 0.0 MiB written\n"
        "  walls    files overlay, namespaces full, landlock 7, seccomp standard, limits "
        "cgroup-v2\n"
        "  receipt  entry 41, signed: airlock receipt b0033cc1\n"
        "  next     airlock diff, then airlock apply or airlock discard\n");
    free(text);
}

static void it_tells_how_a_run_ended(void **state) {
    (void)state;
    static const struct {
        struct launcher_message exit;
        const char *text;
    } rows[] = {
        {{.outcome = LAUNCHER_OUTCOME_EXIT, .status = 3}, "exit 3"},
        {{.outcome = LAUNCHER_OUTCOME_SIGNAL, .status = SIGSEGV}, "killed by SIGSEGV"},
        {{.outcome = LAUNCHER_OUTCOME_TIMEOUT}, "stopped at its time limit"},
        {{.outcome = LAUNCHER_OUTCOME_MEMORY}, "killed at its memory limit"},
        {{.outcome = LAUNCHER_OUTCOME_DISK}, "killed at its disk limit"},
        {{.outcome = LAUNCHER_OUTCOME_NOT_FOUND}, "command not found"},
        {{.outcome = LAUNCHER_OUTCOME_NOT_EXECUTABLE}, "command not executable"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct run_exec_result result = example;
        result.exit = rows[i].exit;
        char *text = print(&result, false);
        assert_non_null(strstr(text, rows[i].text));
        free(text);
    }
}

static void what_went_wrong_is_not_left_out(void **state) {
    (void)state;
    struct run_exec_result result = example;
    result.stage.conflicts = 4;
    result.stage.refused = 5;
    result.exit.killed_count = 6;
    result.output_bytes = 100;
    result.output_kept_bytes = 10;
    char *text = print(&result, false);
    assert_non_null(strstr(text, "conflict 4"));
    assert_non_null(strstr(text, "refused  5"));
    assert_non_null(strstr(text, "6 processes"));
    assert_non_null(strstr(text, "first 10 of 100 bytes"));
    free(text);
}

static void an_empty_stage_asks_for_nothing(void **state) {
    (void)state;
    struct run_exec_result result = example;
    result.stage = (struct stage_summary){};
    result.run.state = RUN_EMPTY;
    char *text = print(&result, false);
    assert_non_null(strstr(text, "nothing; the workspace is as it was"));
    assert_null(strstr(text, "airlock apply"));
    free(text);
}

static void json_is_one_line(void **state) {
    (void)state;
    char *text = print(&example, true);
    assert_non_null(strstr(text, "\"outcome\":\"exit\""));
    assert_non_null(strstr(text, "\"seq\":41"));
    assert_non_null(strstr(text, "\"landlock\":7"));
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_person_reads_it_whole),
        cmocka_unit_test(it_tells_how_a_run_ended),
        cmocka_unit_test(what_went_wrong_is_not_left_out),
        cmocka_unit_test(an_empty_stage_asks_for_nothing),
        cmocka_unit_test(json_is_one_line),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
