/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/network.h"

#include <string.h>

static const struct policy_network_group *find(const struct policy_document *document,
                                               const char *name) {
    for (size_t i = 0; document != nullptr && i < document->group_count; i++) {
        if (strcmp(document->groups[i].name, name) == 0) {
            return &document->groups[i];
        }
    }
    return nullptr;
}

enum policy_network_result policy_network_find(const struct policy_layer_source *layers,
                                               size_t layer_count, const char *name,
                                               const struct policy_network_group **ret_group) {
    enum policy_network_result result = POLICY_NETWORK_NONE;
    for (size_t i = 0; i < layer_count && result != POLICY_NETWORK_FOUND; i++) {
        const struct policy_network_group *group = find(layers[i].document, name);
        if (group != nullptr && layers[i].mode == POLICY_LAYER_FULL) {
            result = POLICY_NETWORK_FOUND;
            *ret_group = group;
        } else if (group != nullptr) {
            result = POLICY_NETWORK_UNTRUSTED;
        }
    }
    return result;
}
