/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/fact.h"

#include <string.h>

#include "base/assert.h"

void policy_decision_add_fact(struct policy_decision *decision, const struct policy_fact *fact) {
    if (decision->fact_count == POLICY_FACT_COUNT_MAX) {
        decision->facts_dropped++;
    } else {
        decision->facts[decision->fact_count++] = *fact;
    }
}

/* The tag, or network group, that made a pattern match. */
static const char *matching_tag(const struct policy_pattern *pattern, enum policy_field field,
                                const struct policy_request *request) {
    bool is_network = field == POLICY_FIELD_NETWORK;
    size_t count = is_network ? request->network_count : request->caller_tag_count;
    for (size_t i = 0; i < count; i++) {
        const char *tag = is_network ? request->networks[i] : request->caller_tags[i];
        bool starts = strncmp(tag, (const char *)pattern->text.data, pattern->text.size) == 0;
        if (starts && (pattern->open || tag[pattern->text.size] == '\0')) {
            return tag;
        }
    }
    return nullptr;
}

struct policy_fact policy_fact_make(const struct policy_pattern *pattern, enum policy_field field,
                                    const struct policy_view *view) {
    const struct policy_request *request = view->request;
    struct policy_fact fact = {.field = field, .pattern = pattern->source->text};
    switch (policy_kind_of(field)) {
    case POLICY_KIND_TEXT:
    case POLICY_KIND_PATH:
        fact.value = (const char *)view->text[field].data;
        break;
    case POLICY_KIND_HOST:
        fact.value = request->host;
        break;
    case POLICY_KIND_RANGE:
        fact.number = field == POLICY_FIELD_PORT ? request->port : request->size;
        break;
    case POLICY_KIND_TAG:
        fact.value = matching_tag(pattern, field, request);
        break;
    }
    return fact;
}

const char *policy_outcome_text(enum policy_outcome outcome) {
    switch (outcome) {
    case POLICY_ALLOW:
        return "allow";
    case POLICY_DENY:
        return "deny";
    case POLICY_REVIEW:
        return "require_review";
    }
    ASSERT(!"an outcome of the enum");
    return "";
}

const char *policy_layer_text(enum policy_layer layer) {
    switch (layer) {
    case POLICY_LAYER_BUILTIN:
        return "builtin";
    case POLICY_LAYER_TOKEN:
        return "token";
    case POLICY_LAYER_USER:
        return "user";
    case POLICY_LAYER_WORKSPACE:
        return "workspace";
    case POLICY_LAYER_EXTENSION:
        return "extension";
    case POLICY_LAYER_NONE:
        return "none";
    }
    ASSERT(!"a layer of the enum");
    return "";
}

const char **policy_request_text(struct policy_request *request, enum policy_field field) {
    switch (field) {
    case POLICY_FIELD_OPERATION:
        return &request->operation;
    case POLICY_FIELD_PATH:
        return &request->path;
    case POLICY_FIELD_CALLER:
        return &request->caller;
    case POLICY_FIELD_SESSION_MODE:
        return &request->session_mode;
    case POLICY_FIELD_WORKFLOW_STATE:
        return &request->workflow_state;
    case POLICY_FIELD_HOST:
        return &request->host;
    case POLICY_FIELD_METHOD:
        return &request->method;
    case POLICY_FIELD_TEMPLATE:
        return &request->template_name;
    case POLICY_FIELD_ENGINE:
        return &request->engine;
    case POLICY_FIELD_IMAGE:
        return &request->image;
    case POLICY_FIELD_ARGUMENT_DIGEST:
        return &request->argument_digest;
    case POLICY_FIELD_TRANSPORT:
        return &request->transport;
    case POLICY_FIELD_CALLER_TAG:
    case POLICY_FIELD_NETWORK:
    case POLICY_FIELD_PORT:
    case POLICY_FIELD_SIZE:
    case POLICY_FIELD_COUNT:
        return nullptr;
    }
    return nullptr;
}
