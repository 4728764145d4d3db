/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a run's writes to caches of package managers go, until they are thrown away with the run.
 */
#pragma once

#include "sandbox/plan.h"
#include "sandbox/stage.h"

/* Makes runs/<id>/caches for a plan of this request: upper-N and work-N for the N-th cache that it
 * shows. */
status_t run_make_caches(const struct run *run, const struct plan_request *request,
                         const struct plan_caches *caches, struct error *err);
