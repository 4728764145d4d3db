/* SPDX-License-Identifier: Apache-2.0
 *
 * The constraint `auto_apply` of an allow: up to how much may be applied without a person. One path
 * that no rule permits it for is enough for a person to decide about the whole.
 */
#pragma once

#include <stdint.h>

struct policy_auto_apply {
    bool is_permitted;
    uint32_t lines_max; /* changed lines, of both sides */
    uint32_t files_max;
    const char *rule; /* who says lines_max; nullptr in a rule's own constraints */
};

/* Adds what one more rule, or path, is permitted: the fewer of each. */
void policy_auto_apply_merge(struct policy_auto_apply *known, const struct policy_auto_apply *more);
