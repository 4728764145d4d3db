/* SPDX-License-Identifier: Apache-2.0
 *
 * How every program of ours shows an error: what, why, fix, context; or the same as a JSON object.
 */
#pragma once

#include "base/error.h"

struct error_report {
    bool json;
    bool color; /* standard error is a terminal that wants it */
};

/* Prints an error that is set to standard error; returns the exit status of its table row. */
int error_report(const struct error_report *how, const struct error *err);
