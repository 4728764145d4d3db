/* SPDX-License-Identifier: Apache-2.0
 *
 * The network of a run: the groups that were asked for, found in the policy and allowed by it,
 * become the targets of an egress proxy that lives as long as the sandbox.
 */
#pragma once

#include "kernel/policy_files.h"
#include "kernel/run_exec.h"
#include "proxy/client.h"

struct egress {
    struct egress_client *client; /* owned; nullptr: the run has no network */
    bool is_ready;
    struct builder trust; /* PEM: what programs inside have to trust; empty: nothing of ours */
    struct egress_report report;
    bool reported;
};

/* The groups of the request are there: ERROR_NETWORK_GROUP, with what to add, else. Before policy
 * is asked whether the run may have them. */
status_t egress_check(const struct policy_in_force *policy, const struct run_exec_request *request,
                      struct error *err);
/* Starts the proxy for them. Without groups there is nothing to do. */
status_t egress_start(const struct policy_in_force *policy, const struct run_exec_request *request,
                      struct egress *egress, struct error *err);
/* Before the plan is built: when headers are added in TLS, waits for the proxy's certificate and
 * puts it behind those of the system into egress->trust. */
status_t egress_trust(const struct run_exec_request *request, struct egress *egress,
                      struct error *err);
/* The sandbox is complete: the proxy gets what listens in it, which is consumed; -1: nothing. */
status_t egress_listen(struct egress *egress, int listener, struct error *err);
/* The sandbox is gone: the report is taken, and kept until deinit. */
void egress_finish(struct egress *egress);
void egress_deinit(struct egress *egress);

/* Whether a header is added in TLS. */
bool egress_adds_tls(const struct run_exec_request *request);

/* For the entry of the outcome; nullptr when the run had no network. */
struct json *egress_record(const struct run_exec_request *request, const struct egress *egress);
