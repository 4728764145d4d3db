/* SPDX-License-Identifier: Apache-2.0
 *
 * profiles/policy-default.yaml, embedded while building: the policy of a user who has none.
 */
#pragma once

#include "base/bytes.h"

/* Its text, for policy_load(); a constant. */
struct slice policy_default_text(void);
/* The name its positions carry. */
#define POLICY_DEFAULT_FILE "policy-default.yaml"
