/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a run can begin before log, policy and workspace are known: the launcher is started and
 * lays the ground of the sandbox. It runs nothing of the command, reaches nothing of the workspace,
 * and goes away without a trace when the run does not come about, so no decision is anticipated.
 */
#pragma once

#include "kernel/environment.h"
#include "kernel/templates.h"
#include "sandbox/launcher.h"
#include "sys/random.h"

struct run_exec_request;

struct run_ahead {
    struct launcher *launcher;      /* owned */
    struct plan *ground;            /* owned */
    struct environment environment; /* owned */
    const struct template_row *template_row;
    struct template_definition *own_template; /* owned; the row's, when it is one of the user's */
    char run_id[ID_TEXT_BYTES];
    uint32_t host_uid, host_gid; /* what the payload will be outside */
    uint64_t ram_bytes;          /* of this machine */
};

/* A template with a network needs groups, and groups need sockets: ERROR_SANDBOX_NO_EGRESS. */
status_t run_ahead_check_template(const struct template_row *row, size_t network_count,
                                  struct error *err);
/* Takes the template of that name, of Airlock's or of the user's, in place of what was there. */
status_t run_ahead_use_template(struct run_ahead *ahead, const char *name, size_t network_count,
                                struct error *err);
/* Reads template_name, root and environment of the request. ERROR_SANDBOX_TEMPLATE,
 * ERROR_SANDBOX_NO_EGRESS, ERROR_USAGE for an environment that cannot be, and those of the
 * launcher's start. */
status_t run_ahead_start(const struct run_exec_request *request, struct run_ahead *ret_ahead,
                         struct error *err);
/* Lays another ground, for another template or other ids, with a launcher of its own. */
status_t run_ahead_again(const struct run_exec_request *request, struct run_ahead *ahead,
                         struct error *err);
/* What both parts of the plan are made of, as far as it is known. */
struct plan_request run_ahead_request(const struct run_exec_request *request,
                                      const struct run_ahead *ahead);
void run_ahead_deinit(struct run_ahead *ahead);
