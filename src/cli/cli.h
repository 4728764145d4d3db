/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line: one file per sub-command, one row per sub-command in schema/commands.def.
 */
#pragma once

#include <stdio.h>

#include "base/error.h"

/* What main() found before the sub-command. */
struct cli {
    const char *program; /* argv[0], for messages */
    bool json;
    bool is_answered; /* --help was asked for and given */
    bool color_out;   /* colour on stdout / stderr: a terminal, no NO_COLOR, TERM is not dumb */
    bool color_err;
};

/* A sub-command: argv[0] is its own name. Returns the exit status; prints its own errors with
 * cli_error(). */
typedef int cli_command(struct cli *cli, int argc, char **argv);

#define COMMAND(name, function, arguments, summary) cli_command function;
#include "commands.def"
#undef COMMAND

/* Prints an error in its four lines (what, why, fix, context), or as a JSON object with --json, to
 * stderr; returns the exit status of its table row. */
int cli_error(const struct cli *cli, const struct error *err);

/* Colours; "" where colour is off. */
enum cli_color { CLI_PLAIN, CLI_BOLD, CLI_DIM, CLI_RED, CLI_GREEN, CLI_YELLOW, CLI_BLUE };
const char *cli_color(bool enabled, enum cli_color color);

/* Options of a sub-command, GNU style (--name VALUE, --name=VALUE, -x), permuted, "--" ends them.
 * A row with value = nullptr is a switch. */
struct cli_option {
    const char *name;   /* without dashes */
    char letter;        /* 0: none */
    bool *flag;         /* for a switch */
    const char **value; /* for one value; the last one given counts */
    const char **
        *list; /* for a repeatable value: a nullptr-terminated array, grown; freed by nobody */
    const char *argument; /* "DIR", for help */
    const char *help;
};
/* What a sub-command takes. */
struct cli_form {
    const struct cli_option *options;
    size_t option_count;
    bool stop_at_operand; /* the first operand ends the options (for `run`) */
    const char *examples; /* for help */
};
#define CLI_FORM(rows, text) \
    ((struct cli_form){      \
        .options = (rows), .option_count = sizeof(rows) / sizeof(rows)[0], .examples = (text)})
/* The row of --workspace, for commands that work on one. */
#define CLI_WORKSPACE(variable) \
    {.name = "workspace",       \
     .letter = 'w',             \
     .value = &(variable),      \
     .argument = "DIR",         \
     .help = "the workspace (default: the git top, or here)"}
/* Parses argv in place. Operands are left in argv[1..*argc], so *argc is their number and argv[1]
 * the first one; argv[*argc + 1] is nullptr. --json sets cli->json. --help prints the row's text,
 * the options and the examples, and sets cli->is_answered. */
status_t cli_parse(struct cli *cli, int *argc, char **argv, const struct cli_form *form,
                   struct error *err);
/* How a sub-command begins: cli_parse(), and what comes of it. False: there is nothing left to do,
 * and *ret_exit is the exit status. */
bool cli_begin(struct cli *cli, int *argc, char **argv, const struct cli_form *form, int *ret_exit);

/* Reads one line from stdin: y or yes, in any case. */
bool cli_answer_is_yes(void);

/* A kernel_ask_review() for commands at a terminal: names what is asked about, and asks y/N.
 * Answers no when stdin or stderr is not a terminal. `context` is the struct cli. */
struct kernel_review_item;
bool cli_ask_review(void *context, const struct kernel_review_item *items, size_t count);
bool cli_ask_discard(void *context, const struct kernel_review_item *items, size_t count);
bool cli_ask_patch(void *context, const struct kernel_review_item *items, size_t count);
bool cli_ask_run(void *context, const struct kernel_review_item *items, size_t count);
