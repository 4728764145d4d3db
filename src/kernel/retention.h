/* SPDX-License-Identifier: Apache-2.0
 *
 * Retention of the log, which alone knows nothing of runs: nothing goes that belongs to a run whose
 * stage is still open, or to anything after it.
 */
#pragma once

#include "kernel/kernel.h"

/* Deletes what is due; cheap when nothing is. What cannot be deleted now stays for the next time,
 * so an error here is no reason to refuse a command. */
status_t kernel_retain(struct kernel *kernel, struct error *err);
