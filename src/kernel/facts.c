/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/facts.h"

#include "base/cleanup.h"
#include "kernel/records.h"
#include "sys/file.h"

static const char FACTS_FILE[] = "facts";

static void set_text(struct json *object, enum policy_field field, const char *value) {
    if (value != nullptr) {
        record_text(object, policy_field_text(field), value);
    }
}

static void set_tags(struct json *object, enum policy_field field, const char *const *values,
                     size_t count) {
    if (count == 0) {
        return;
    }
    struct json *tags = json_array_new();
    for (size_t i = 0; i < count; i++) {
        json_append_text(tags, values[i]);
    }
    json_set(object, policy_field_text(field), tags);
}

struct json *facts_of(const struct policy_request *request) {
    struct json *object = json_object_new();
    set_text(object, POLICY_FIELD_OPERATION, request->operation);
    set_text(object, POLICY_FIELD_PATH, request->path);
    set_text(object, POLICY_FIELD_CALLER, request->caller);
    set_text(object, POLICY_FIELD_SESSION_MODE, request->session_mode);
    set_text(object, POLICY_FIELD_WORKFLOW_STATE, request->workflow_state);
    set_text(object, POLICY_FIELD_HOST, request->host);
    set_text(object, POLICY_FIELD_METHOD, request->method);
    set_text(object, POLICY_FIELD_TEMPLATE, request->template_name);
    set_text(object, POLICY_FIELD_ENGINE, request->engine);
    set_text(object, POLICY_FIELD_IMAGE, request->image);
    set_text(object, POLICY_FIELD_ARGUMENT_DIGEST, request->argument_digest);
    set_text(object, POLICY_FIELD_TRANSPORT, request->transport);
    set_tags(object, POLICY_FIELD_CALLER_TAG, request->caller_tags, request->caller_tag_count);
    set_tags(object, POLICY_FIELD_NETWORK, request->networks, request->network_count);
    if (request->has_port) {
        json_set_integer(object, policy_field_text(POLICY_FIELD_PORT), request->port);
    }
    if (request->has_size) {
        json_set_integer(object, policy_field_text(POLICY_FIELD_SIZE), (int64_t)request->size);
    }
    return object;
}

void facts_record(struct json *fields, const struct policy_request *request,
                  const struct policy_in_force *policy) {
    if (request != nullptr) {
        json_set(fields, "facts", facts_of(request));
    }
    record_digest(fields, "policy_digest", &policy->digest);
}

void facts_list_init(struct facts_list *list) {
    builder_init(&list->text, LIMIT_FACTS_BYTES);
}

void facts_list_deinit(struct facts_list *list) {
    builder_deinit(&list->text);
}

void facts_list_add(struct facts_list *list, const struct policy_request *request,
                    const struct policy_decision *decision) {
    CLEANUP(json_freep) struct json *line = json_object_new();
    record_text(line, "path", request->path);
    json_set_integer(line, "mode", request->mode);
    json_set_integer(line, "size", (int64_t)request->size);
    if (request->link_target != nullptr) {
        record_text(line, "link_target", request->link_target);
    }
    json_set_text(line, "outcome", policy_outcome_text(decision->outcome));
    json_set_text(line, "rule", decision->rule);
    json_write_canonical(line, &list->text);
    builder_u8(&list->text, '\n');
}

status_t facts_list_save(const struct facts_list *list, const struct run *run,
                         struct digest *ret_digest, struct error *err) {
    if (!builder_is_ok(&list->text)) {
        limit_hit(LIMIT_ID_FACTS_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "what the paths of run %s were judged by is too long",
                         run->id);
    }
    struct slice text = builder_slice(&list->text);
    TRY(file_write_atomic(run->fd, FACTS_FILE, text,
                          &(struct file_write_options){.mode = 0600, .durable = true}, err));
    sha256_of(text, ret_digest);
    return STATUS_OK;
}
