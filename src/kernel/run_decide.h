/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a command may run: the rules, the template they ask for, the person they want asked, and
 * how often there may be one. A refusal is in the log when this returns.
 */
#pragma once

#include "kernel/policy_files.h"
#include "kernel/rates.h"
#include "kernel/run_exec.h"

struct run_decision {
    char request_id[ID_TEXT_BYTES];       /* set by the caller, for the entry of a refusal */
    int rates_fd;                         /* the lock, while it is held; the caller sets -1 */
    const struct policy_in_force *policy; /* the kernel's */
    struct policy_request judged;         /* what policy was asked */
    struct policy_decision decision;
    const char *reviewer;     /* who agreed; nullptr: nobody had to */
    struct rate_refusal rate; /* when one is full: the decision points here */
};

/* When nobody named a template, the ground may be laid anew for the one that policy asks for.
 * ERROR_POLICY_DENIED, ERROR_POLICY_REVIEW, ERROR_POLICY_INVALID for a policy that cannot be used,
 * ERROR_SANDBOX_TEMPLATE. */
status_t run_decide(struct kernel *kernel, const struct run_exec_request *request,
                    struct run_ahead *ahead, struct run_decision *decision, struct error *err);
/* The intent is in the log, or never will be: others may count. */
void run_decision_counted(struct run_decision *decision);
