/* SPDX-License-Identifier: Apache-2.0
 *
 * Network groups of the layers in force. A group gives nothing by itself: a rule has to allow a run
 * with it (`network: [GROUP]`), and then its targets are what the egress proxy dials.
 */
#pragma once

#include "policy/compile.h"

enum policy_network_result : uint8_t {
    POLICY_NETWORK_FOUND,
    POLICY_NETWORK_NONE,
    POLICY_NETWORK_UNTRUSTED, /* only a layer that is not trusted has it */
};

/* The group of that name in the first layer that has it: a workspace cannot add to a group of the
 * user's. Borrows from the layer's document. */
enum policy_network_result policy_network_find(const struct policy_layer_source *layers,
                                               size_t layer_count, const char *name,
                                               const struct policy_network_group **ret_group);
