/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/summary_limit.h"

#include <inttypes.h>

/* Exact, in the largest unit that divides it, as a template takes it. */
static void bytes_text(uint64_t bytes, const char *gap, char *ret, size_t capacity) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB"};
    unsigned unit = 0;
    while (unit < 3 && bytes % 1024 == 0 && bytes >= 1024) {
        bytes /= 1024;
        unit++;
    }
    (void)snprintf(ret, capacity, "%" PRIu64 "%s%s", bytes, unit == 0 ? "" : gap,
                   unit == 0 ? "" : units[unit]);
}

static struct summary_limit of_bytes(const char *name, const char *what, uint64_t bytes) {
    struct summary_limit limit = {.name = name, .value = bytes};
    char now[40];
    char more[40];
    bytes_text(bytes, " ", now, sizeof now);
    bytes_text(2 * bytes, "", more, sizeof more);
    (void)snprintf(limit.told, sizeof limit.told, "%s of %s", now, what);
    (void)snprintf(limit.hint, sizeof limit.hint,
                   "a template of yours can say more: limits: { %s: %s }", name, more);
    return limit;
}

struct summary_limit summary_limit_of(const struct run_exec_result *result) {
    struct summary_limit limit = {.name = "time", .value = result->limits.wall_ms_max};
    switch (result->exit.outcome) {
    case LAUNCHER_OUTCOME_TIMEOUT:
        (void)snprintf(limit.told, sizeof limit.told, "%" PRIu64 " ms of time", limit.value);
        (void)snprintf(limit.hint, sizeof limit.hint, "give it more with --timeout %" PRIu64 "ms",
                       2 * limit.value);
        return limit;
    case LAUNCHER_OUTCOME_MEMORY:
        return of_bytes("memory", "memory", result->limits.memory_bytes_max);
    case LAUNCHER_OUTCOME_DISK:
        return of_bytes("stage", "stage, HOME and /tmp", result->limits.stage_bytes_max);
    case LAUNCHER_OUTCOME_EXIT:
    case LAUNCHER_OUTCOME_SIGNAL:
    case LAUNCHER_OUTCOME_NOT_FOUND:
    case LAUNCHER_OUTCOME_NOT_EXECUTABLE:
        break;
    }
    return (struct summary_limit){};
}

struct summary_limit summary_limit_of_output(const struct run_exec_result *result) {
    if (result->output_bytes <= result->output_kept_bytes) {
        return (struct summary_limit){};
    }
    return of_bytes("output", "kept output", result->limits.output_bytes_max);
}
