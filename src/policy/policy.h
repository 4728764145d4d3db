/* SPDX-License-Identifier: Apache-2.0
 *
 * Decisions. Pure: no clock, no file, no socket. What is in force: the built-in rules, which
 * nothing can lift, and the shipped default (run in a known template; apply and discard by the
 * user at the command line). What no rule allows is denied.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum policy_outcome : uint8_t { POLICY_ALLOW, POLICY_DENY, POLICY_REVIEW };
const char *
policy_outcome_text(enum policy_outcome outcome); /* "allow", "deny", "require_review" */

struct policy_request {
    const char *operation;     /* "run.exec", "stage.apply", "stage.discard" */
    const char *caller;        /* "uid:1000" */
    const char *path;          /* below the workspace, resolved; nullptr when about the whole */
    uint32_t mode;             /* st_mode of what will stand at path; 0: it is deleted */
    const char *link_target;   /* of a symbolic link; nullptr otherwise */
    const char *workspace;     /* absolute; judges absolute link targets; may be nullptr */
    const char *template_name; /* of a run */
    bool at_command_line;      /* asked by the user's own command, not through a socket */
};

enum { POLICY_REASON_COUNT_MAX = 12 };

struct policy_decision {
    enum policy_outcome outcome;
    const char *rule;                             /* the rule that decided; a constant */
    const char *reasons[POLICY_REASON_COUNT_MAX]; /* of every rule with that outcome; constants */
    size_t reason_count;
};

/* Deny beats review, review beats allow, and without an allow the answer is deny. Whatever order
 * the rules stand in, the outcome is the same. */
void policy_decide(const struct policy_request *request, struct policy_decision *ret_decision);
