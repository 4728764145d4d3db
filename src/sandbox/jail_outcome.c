/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "sandbox/jail_supervisor.h"

enum { END_PATIENCE_MS = 2000 };

static enum launcher_outcome outcome_of(const struct supervisor *run,
                                        const struct jail_report *report, bool was_oom) {
    if (run->timed_out) {
        return LAUNCHER_OUTCOME_TIMEOUT;
    }
    if (run->over_disk) {
        return LAUNCHER_OUTCOME_DISK;
    }
    bool failed = report->by_signal || report->status != 0;
    if (run->over_memory || (was_oom && failed)) {
        return LAUNCHER_OUTCOME_MEMORY;
    }
    if (run->exec_errno != 0) {
        return run->exec_errno == ENOENT || run->exec_errno == ENOTDIR
                   ? LAUNCHER_OUTCOME_NOT_FOUND
                   : LAUNCHER_OUTCOME_NOT_EXECUTABLE;
    }
    return report->by_signal ? LAUNCHER_OUTCOME_SIGNAL : LAUNCHER_OUTCOME_EXIT;
}

static uint64_t most(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

struct protocol_exit jail_outcome(struct supervisor *run, const struct jail_report *report) {
    struct jail_usage *usage = &run->jail.cgroup.usage;
    jail_cgroup_look(&run->jail.cgroup);
    uint64_t memory_peak = usage->memory_peak_bytes;
    uint32_t pid_peak = usage->pid_count_peak > report->pid_count_peak ? usage->pid_count_peak
                                                                       : report->pid_count_peak;
    uint64_t passed_ns = report->time_ns - run->executing_ns;
    uint64_t paused_ns = jail_pause_ns(&run->jail.pause, report->time_ns);
    paused_ns = paused_ns < passed_ns ? paused_ns : passed_ns; /* one may begin before the exec */
    return (struct protocol_exit){
        .outcome = outcome_of(run, report, usage->was_oom),
        .status = report->status,
        .killed_count = report->killed_count,
        .wall_ns = passed_ns - paused_ns,
        .paused_ns = paused_ns,
        .cpu_user_us = report->cpu_user_us,
        .cpu_system_us = report->cpu_system_us,
        .memory_peak_bytes = memory_peak != 0 ? memory_peak : report->memory_peak_bytes,
        .pid_count_peak = pid_peak != 0 ? pid_peak : 1, /* it ended before anybody looked */
        .io_read_bytes = most(usage->io_read_bytes, report->io_read_bytes),
        .io_write_bytes = most(usage->io_write_bytes, report->io_write_bytes),
        .cpu_throttled_us = usage->cpu_throttled_us + report->cpu_held_us,
        .setup_ns = run->ready_ns - run->received_ns + (run->executing_ns - run->go_ns),
    };
}

void jail_let_die(struct jail *jail) {
    jail_pause_end(jail);
    jail_disk_release(&jail->cgroup);
}

/* By init, which knows what everything has used; one that does not is killed a moment later. A
 * frozen one would not hear of it. */
void jail_end(struct supervisor *run) {
    struct error ignored = {};
    struct jail_order order = {.kind = ORDER_END};
    jail_let_die(&run->jail);
    if (run->end_by_ns == 0) {
        run->end_by_ns = jail_now_ns() + (uint64_t)END_PATIENCE_MS * 1000000u;
        (void)jail_order_send(&run->jail, &order, nullptr, &ignored).code;
    }
}
