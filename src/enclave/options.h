/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of airlock-enclave: rows say what a verb takes, and make its help.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

enum { OPTION_LIST_MAX = 64, OPERAND_MAX = 4 };

struct option_list {
    const char *values[OPTION_LIST_MAX];
    size_t count;
};

/* One of the three outputs is set. */
struct option_row {
    const char *name; /* without dashes */
    char letter;      /* '\0': none */
    const char *value_name;
    const char *help;
    bool *ret_flag;
    const char **ret_text;
    struct option_list *ret_list;
};

struct verb {
    const char *name;
    const char *operands; /* "FILE" */
    const char *summary;
    size_t operand_count_max;
    const struct option_row *rows;
    size_t row_count;
};

struct operands {
    const char *values[OPERAND_MAX];
    size_t count;
};

/* argv[0] is the verb. *ret_help: --help was printed, nothing else is to be done. ERROR_USAGE. */
status_t options_parse(const struct verb *verb, int argc, char **argv,
                       struct operands *ret_operands, bool *ret_help, struct error *err);
