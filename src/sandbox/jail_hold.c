/* SPDX-License-Identifier: Apache-2.0
 *
 * Standing still without a cgroup: init stops every process of the sandbox with SIGSTOP, which none
 * can refuse, and continues them with SIGCONT. Two reasons may want it, a pause that was ordered
 * and a quota of the processors; all goes on when neither does. kill(-1) reaches every process but
 * init, and a fork under way waits for it (kernel/fork.c, copy_process), so none slips through.
 *
 * What it cannot hide: a shell with job control inside sees its jobs stop, and a process that was
 * stopped before goes on with the others.
 */
#include <signal.h>

#include "sandbox/jail.h"

/* What may be used at once after a time of doing little. */
enum { CREDIT_MS = 100 };

void jail_hold_apply(const struct jail_hold *hold) {
    (void)kill(-1, hold->is_paused || hold->is_over_cpu ? SIGSTOP : SIGCONT);
}

void jail_hold_charge(struct jail_hold *hold, uint64_t now_ns, uint64_t cpu_us, uint32_t percent) {
    int64_t credit_max = (int64_t)CREDIT_MS * 10 * percent;
    uint64_t passed_us = hold->looked_ns == 0 ? 0 : (now_ns - hold->looked_ns) / 1000;
    /* A process that was seen and then died unseen by its parent may take some time with it. */
    uint64_t used_us = cpu_us > hold->cpu_us ? cpu_us - hold->cpu_us : 0;
    if (hold->looked_ns == 0) {
        hold->credit_us = credit_max;
    }
    if (hold->is_over_cpu && !hold->is_paused) {
        hold->held_us += passed_us;
    }
    hold->credit_us += (int64_t)(passed_us * percent / 100) - (int64_t)used_us;
    hold->credit_us = hold->credit_us < credit_max ? hold->credit_us : credit_max;
    hold->looked_ns = now_ns;
    hold->cpu_us = cpu_us > hold->cpu_us ? cpu_us : hold->cpu_us;
    bool is_over = hold->credit_us < 0;
    if (is_over || hold->is_over_cpu) {
        hold->is_over_cpu = is_over;
        jail_hold_apply(hold); /* stopped again each time: someone may have been continued */
    }
}
