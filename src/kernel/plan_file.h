/* SPDX-License-Identifier: Apache-2.0
 *
 * runs/<id>/plan.json: what the log only commits to. Mode 0600.
 */
#pragma once

#include "crypto/commitment.h"
#include "kernel/kernel.h"
#include "sandbox/plan.h"

struct plan_commitments {
    uint8_t salt[COMMITMENT_SALT_BYTES];
    struct digest argv; /* over every argument with its final NUL */
    struct digest plan; /* over the encoded plan; salted, because it holds values of variables */
};

/* Draws a salt, commits, and writes argv, names of variables and the salt to plan.json. */
status_t plan_file_write(struct run *run, const char *const *argv, const char *const *environment,
                         struct slice plan, struct plan_commitments *ret_commitments,
                         struct error *err);
