/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandbox/merge_check.h"
#include "sandbox/merge_steps.h"

/* Turns a checked plan into steps. Nothing is written. */
status_t merge_write_steps(const struct merge *merge, const struct merge_plan *plan,
                           struct merge_steps *steps, struct error *err);
/* Writes the temporaries that the steps name: files, links, whole new folders. On failure the
 * caller removes what there is. */
status_t merge_write_temporaries(const struct merge *merge, const struct merge_plan *plan,
                                 const struct merge_steps *steps, struct error *err);
