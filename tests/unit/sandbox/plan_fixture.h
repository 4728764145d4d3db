/* SPDX-License-Identifier: Apache-2.0
 *
 * The plan that the tests of plans look at, and break.
 */
#pragma once

#include "sandbox/plan_format.h"

struct plan_request request_of_test(void);
struct plan_host *host_of_test(void); /* the caller frees it */
struct plan *build(const struct plan_request *request);

/* Breaks one thing of a decoded plan. */
typedef void breaks(struct plan_view *view);
/* The first operation of a type; fails the test when there is none. */
struct plan_operation *find(struct plan_view *view, enum plan_operation_type type);
