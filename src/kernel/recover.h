/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sandbox/stage.h"

/* Closes the intent of an apply that a crash cut short; context is the struct kernel. A
 * stage_recovered. */
status_t kernel_close_apply(void *context, const struct run *run,
                            const struct stage_recovery *recovery, struct error *err);
