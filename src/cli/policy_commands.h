/* SPDX-License-Identifier: Apache-2.0
 *
 * The sub-commands of `airlock policy`; cmd_policy.c parses and picks.
 */
#pragma once

#include "cli/cli.h"
#include "kernel/policy_files.h"

struct policy_options {
    const char *workspace; /* --workspace, or nullptr */
    const char *policy;    /* a file to judge by instead of the user's own; nullptr: none */
    /* Of the request that explain is about; nullptr: not given. */
    const char *caller, *template_name, *engine, *image, *host, *port, *method, *size, *transport;
    const char **tags;
    const char **networks;
    const char *limit; /* of replay */
    bool drop;         /* of trust */
};

/* `operands` ends with nullptr. *ret_exit is 0 unless the command says otherwise. */
typedef status_t policy_command(const struct cli *cli, const struct policy_options *options,
                                char **operands, int *ret_exit, struct error *err);
policy_command policy_command_check, policy_command_show, policy_command_explain,
    policy_command_test, policy_command_replay, policy_command_update, policy_command_edit,
    policy_command_trust;

/* What is judged by: state folder, workspace and the policy in force, or that with another text in
 * place of the user's file. */
struct policy_session {
    struct state state;
    char workspace[LIMIT_PATH_BYTES];
    struct policy_in_force policy;
};
/* `file` is a path, "-" for standard input, or nullptr for what is in force. */
status_t policy_session_open(const struct policy_options *options, const char *file,
                             struct policy_session *ret_session, struct error *err);
void policy_session_close(struct policy_session *session);

/* The text of a policy file, in a builder that the caller deinitialises whatever comes. */
status_t policy_read_file(const char *path, struct builder *ret_text, struct error *err);

/* Checks a text and prints what is wrong and right with it, as `policy check` does, but without a
 * last word under --json. */
status_t policy_check_text(const struct cli *cli, struct slice text, const char *name,
                           bool *ret_valid, struct error *err);

/* ERROR_POLICY_REVIEW unless a person is at the terminal, outside of any run. `what` begins the
 * message: "changing the policy". */
status_t policy_person_check(const char *what, struct error *err);
/* Reads one line from the terminal and compares it. */
bool policy_person_types(const char *phrase);
/* The error of a no. */
status_t policy_person_declined(const char *what, struct error *err);

/* Helpers of showing. The place of a rule, "FILE:LINE", or where else it stands; escaped. */
void policy_show_place(const struct policy_rule_ref *rule, struct builder *out);
enum cli_color policy_outcome_color(enum policy_outcome outcome);
void policy_json_rule(struct json *object, const struct policy_rule_ref *rule);
/* Writes the value in one line, with --json as canonical JSON; consumes it. */
void policy_print_json(struct json *consumed);
/* Text for JSON, whatever its bytes. */
void policy_json_text(struct json *object, const char *key, const char *any_bytes);
/* Prints diagnostics for people, with colour where it is on. */
void policy_print_diagnostics(const struct cli *cli, const struct policy_diagnostics *diagnostics);
struct json *policy_json_diagnostics(const struct policy_diagnostics *diagnostics);
