/* SPDX-License-Identifier: Apache-2.0
 *
 * What policy_explain.c finds out, and its two ways to the user.
 */
#pragma once

#include "cli/policy_commands.h"
#include "cli/policy_target.h"
#include "policy/explain.h"

struct explanation {
    const struct cli *cli;
    const struct policy_options *options;
    struct policy_session session;
    struct policy_request request;
    struct policy_target target;
    bool has_path;
    char caller[32];
    struct policy_decision decision;
    struct json *rules;  /* with --json; owned */
    struct builder text; /* of the table of rules, or of one line */
    size_t rule_count, name_width, place_width;
};

/* "allow", "deny" ... as in a file. */
const char *explain_action_text(enum policy_action action);

/* Prints it for people; asks the rules once more, now that the widths are known. */
void explain_print_text(struct explanation *explanation, char **operands);
/* Adds a rule to the array of rules. */
void explain_add_json_rule(struct explanation *explanation, const struct policy_trace *trace);
/* Prints it as one object; takes the rules. */
void explain_print_json(struct explanation *explanation, char **operands);
