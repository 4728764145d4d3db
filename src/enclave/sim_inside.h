/* SPDX-License-Identifier: Apache-2.0
 *
 * What happens inside the namespaces, before the program is executed.
 */
#pragma once

#include "enclave/sim.h"

/* Makes the root of the plan and enters it. `listener`, an unbound Unix socket, is bound where the
 * program asks for quotes. Needs to be root of its own user and mount namespace. */
status_t sim_root_enter(const struct sim_plan *plan, int listener, struct error *err);
/* Limits, no capabilities, and the calls that Gramine has. The last thing before execve(2). */
status_t sim_calls_limit(const struct sim_plan *plan, struct error *err);
