/* SPDX-License-Identifier: Apache-2.0
 *
 * The launcher's view of the one sandbox it serves: jail_main.c and jail_outcome.c.
 */
#pragma once

#include "sandbox/jail.h"
#include "sandbox/launcher.h"

struct supervisor {
    struct jail jail;
    enum protocol_state state;
    int landlock_abi;
    uint64_t received_ns;
    uint64_t ready_ns;
    uint64_t go_ns;
    uint64_t executing_ns;
    bool started;
    bool timed_out;
    bool over_memory;
    bool over_disk;
    int exec_errno;
    uint64_t end_by_ns; /* everything is to be dead by then; 0: nobody wants that */
};

/* How it ended and what it took, once init has told the end. Looks at the cgroups. */
struct protocol_exit jail_outcome(struct supervisor *run, const struct jail_report *report);
/* Has init kill everything, thawed first; end_by_ns says when it has had its time. */
void jail_end(struct supervisor *run);
/* What is frozen, or waits for a disk that is held to a rate, does not die. */
void jail_let_die(struct jail *jail);
