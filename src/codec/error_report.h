/* SPDX-License-Identifier: Apache-2.0
 *
 * How every program of ours shows an error: what, why, fix, context; or the same as a JSON object.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

struct error_report {
    bool json;
    bool color; /* standard error is a terminal that wants it */
};

/* Whether `fd` is a terminal that wants colours: NO_COLOR and TERM=dumb in the environment say no.
 */
bool error_report_color(int fd, char *const *environment);

/* The second line of an error: its detail, what the system said, or the meaning of its code. */
void error_report_why(const struct error *err, char *ret_text, size_t size);

/* Prints an error that is set to standard error; returns the exit status of its table row. */
int error_report(const struct error_report *how, const struct error *err);
