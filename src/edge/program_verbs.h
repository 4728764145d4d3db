/* SPDX-License-Identifier: Apache-2.0
 *
 * What program.c hands to the verbs.
 */
#pragma once

#include "base/error.h"
#include "codec/error_report.h"
#include "codec/json.h"

struct program_call {
    struct error_report report;
    const char *file; /* -c */
    const char *to;   /* --to */
    bool is_unconfined;
    unsigned given;   /* bits of the options, for program.c */
    uint32_t seconds; /* --seconds; 0: not given */
    int operand_count;
    char **operands;
};

/* Verbs: what could not be done is in `err`; *ret_exit is the exit status of what was done. */
typedef status_t program_verb(const struct program_call *call, int *ret_exit, struct error *err);
program_verb program_check, program_health, program_init, program_serve, program_bench;

[[gnu::format(printf, 2, 3)]]
status_t program_usage(struct error *err, const char *format, ...);
/* Prints it, with a line end, to standard output. */
void program_print_json(const struct json *value);
/* The text of any bytes: escaped. */
void program_set_text(struct json *object, const char *key, const char *text);
