/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/records.h"

#include <string.h>

#include "base/assert.h"
#include "codec/text.h"
#include "kernel/facts.h"

enum { FIELD_BYTES_MAX = 4 * LIMIT_PATH_BYTES + 1, NAMES_BYTES_MAX = 16384 };

void record_text(struct json *object, const char *key, const char *any_bytes) {
    struct builder text;
    builder_init(&text, FIELD_BYTES_MAX);
    text_escape(slice_of_string(any_bytes), &text);
    json_set_text(object, key, builder_c_string(&text));
    builder_deinit(&text);
}

void record_digest(struct json *object, const char *key, const struct digest *digest) {
    struct builder text;
    builder_init(&text, (size_t)2 * DIGEST_BYTES + 1);
    text_hex(slice_of(digest->bytes, DIGEST_BYTES), &text);
    json_set_text(object, key, builder_c_string(&text));
    builder_deinit(&text);
}

/* The rules behind a decision, in the order of its reasons. */
static struct json *deciders_array(const struct policy_decision *decision) {
    struct json *rules = json_array_new();
    for (size_t i = 0; i < decision->reason_count; i++) {
        const struct policy_rule_ref *decider = &decision->deciders[i];
        struct json *rule = json_object_new();
        json_set_text(rule, "name", decider->name);
        if (decider->file != nullptr) {
            record_text(rule, "file", decider->file);
            json_set_integer(rule, "line", decider->line);
        }
        json_append(rules, rule);
    }
    return rules;
}

struct json *record_decision(const struct policy_decision *decision) {
    struct json *object = json_object_new();
    json_set_text(object, "outcome", policy_outcome_text(decision->outcome));
    json_set_text(object, "rule", decision->rule);
    struct json *reasons = json_array_new();
    for (size_t i = 0; i < decision->reason_count; i++) {
        json_append_text(reasons, decision->reasons[i]);
    }
    json_set(object, "reasons", reasons);
    json_set(object, "rules", deciders_array(decision));
    return object;
}

/* Names only. An entry has a maximum, so names past NAMES_BYTES_MAX are counted, not listed. */
static struct json *environment_names(const char *const *environment) {
    struct json *names = json_array_new();
    size_t used = 0;
    for (size_t i = 0; environment[i] != nullptr; i++) {
        size_t length = strcspn(environment[i], "=");
        used += length;
        if (used > NAMES_BYTES_MAX) {
            json_append_text(names, "...");
            break;
        }
        struct builder name; /* escaped: the name of a variable may be any bytes */
        builder_init(&name, NAMES_BYTES_MAX * 4 + 1);
        text_escape(slice_of(environment[i], length), &name);
        json_append_text(names, builder_c_string(&name));
        builder_deinit(&name);
    }
    return names;
}

struct json *record_caches(const struct plan_caches *caches) {
    struct json *array = json_array_new();
    for (size_t i = 0; i < caches->count; i++) {
        json_append_text(array, caches->folder[i]);
    }
    return array;
}

struct json *record_run_started(const struct kernel *kernel, const struct record_start *start) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", kernel->caller);
    json_set_text(fields, "operation", start->operation != nullptr ? start->operation : "run.exec");
    json_set_text(fields, "request", start->request);
    json_set_text(fields, "run", start->run);
    record_text(fields, "workspace", start->workspace);
    json_set_text(fields, "template", start->template_name);
    if (start->template_digest != nullptr) {
        json_set_text(fields, "template_digest", start->template_digest);
    }
    struct json *decision = record_decision(start->decision);
    if (start->reviewer != nullptr) {
        json_set_text(decision, "reviewer", start->reviewer);
    }
    json_set(fields, "decision", decision);
    facts_record(fields, start->judged, start->policy);
    record_digest(fields, "plan_digest", start->plan);
    record_digest(fields, "argv_commitment", start->argv);
    if (start->mode != nullptr) {
        json_set_text(fields, "mode", start->mode);
    }
    if (start->parent[0] != '\0') {
        json_set_text(fields, "parent", start->parent);
    }
    if (start->caches != nullptr && start->caches->count > 0) {
        json_set(fields, "caches", record_caches(start->caches));
    }
    if (start->engine != nullptr) {
        json_set_text(fields, "engine", start->engine);
        record_text(fields, "image", start->image);
        json_set_text(fields, "image_digest", start->image_digest);
    }
    json_set(fields, "env_names", environment_names(start->environment));
    return fields;
}

struct json *record_levels(const struct sandbox_levels *levels) {
    struct json *object = json_object_new();
    json_set_text(object, "files", levels->files);
    json_set_text(object, "namespaces", levels->namespaces);
    json_set_integer(object, "landlock", levels->landlock_abi);
    json_set_text(object, "seccomp", levels->seccomp);
    json_set_text(object, "limits", levels->limits);
    if (levels->disk_rate[0] != '\0') {
        json_set_text(object, "disk_rate", levels->disk_rate);
    }
    return object;
}

static struct json *resources_object(const struct launcher_message *exit) {
    struct json *object = json_object_new();
    json_set_integer(object, "wall_us", (int64_t)(exit->wall_ns / 1000));
    json_set_integer(object, "cpu_user_us", (int64_t)exit->cpu_user_us);
    json_set_integer(object, "cpu_system_us", (int64_t)exit->cpu_system_us);
    json_set_integer(object, "cpu_throttled_us", (int64_t)exit->cpu_throttled_us);
    json_set_integer(object, "memory_peak_bytes", (int64_t)exit->memory_peak_bytes);
    json_set_integer(object, "pids_peak", exit->pid_count_peak);
    json_set_integer(object, "io_read_bytes", (int64_t)exit->io_read_bytes);
    json_set_integer(object, "io_write_bytes", (int64_t)exit->io_write_bytes);
    if (exit->paused_ns > 0) {
        json_set_integer(object, "paused_us", (int64_t)(exit->paused_ns / 1000));
    }
    json_set_integer(object, "killed", exit->killed_count);
    return object;
}

struct json *record_stage(const struct stage_summary *stage) {
    struct json *object = json_object_new();
    json_set_integer(object, "added", stage->added);
    json_set_integer(object, "modified", stage->modified);
    json_set_integer(object, "deleted", stage->deleted);
    json_set_integer(object, "other", stage->other);
    json_set_integer(object, "bytes", (int64_t)stage->bytes);
    json_set_integer(object, "refused", stage->refused);
    json_set_integer(object, "conflicts", stage->conflicts);
    record_digest(object, "digest", &stage->digest);
    return object;
}

/* Limits that refused something in this process, by name; nullptr when none did. */
static struct json *limits_object(void) {
    struct json *object = nullptr;
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        uint64_t count = limit_hit_count((enum limit_id)id);
        if (count > 0) {
            object = object != nullptr ? object : json_object_new();
            json_set_integer(object, limit_row((enum limit_id)id)->name, (int64_t)count);
        }
    }
    return object;
}

struct json *record_run_finished(const struct kernel *kernel, const struct record_finish *finish) {
    struct json *fields = json_object_new();
    json_set_text(fields, "caller", kernel->caller);
    json_set_text(fields, "operation",
                  finish->operation != nullptr ? finish->operation : "run.exec");
    json_set_text(fields, "run", finish->run);
    json_set_text(fields, "request", finish->request);
    json_set_integer(fields, "intent_seq", (int64_t)finish->intent->seq);
    record_digest(fields, "intent_leaf", &finish->intent->leaf);
    json_set_text(fields, "outcome", finish->outcome);
    if (finish->exit_status >= 0) {
        json_set_integer(fields, "exit", finish->exit_status);
    }
    if (finish->error_slug != nullptr) {
        json_set_text(fields, "error", finish->error_slug);
    }
    if (finish->levels != nullptr) {
        json_set(fields, "levels", record_levels(finish->levels));
    }
    if (finish->exit != nullptr) {
        json_set(fields, "resources", resources_object(finish->exit));
    }
    if (finish->stage != nullptr) {
        json_set(fields, "stage", record_stage(finish->stage));
    }
    struct json *output = json_object_new();
    json_set_integer(output, "bytes", (int64_t)finish->output_bytes);
    json_set_integer(output, "kept_bytes", (int64_t)finish->output_kept_bytes);
    json_set(fields, "output", output);
    json_set_integer(fields, "duration_us", (int64_t)finish->duration_us);
    if (finish->egress != nullptr) {
        json_set(fields, "egress", json_clone(finish->egress));
    }
    struct json *limits = limits_object();
    if (limits != nullptr) {
        json_set(fields, "limits_hit", limits);
    }
    return fields;
}

const char *record_outcome_text(enum launcher_outcome outcome) {
    switch (outcome) {
    case LAUNCHER_OUTCOME_EXIT:
        return "exit";
    case LAUNCHER_OUTCOME_SIGNAL:
        return "signal";
    case LAUNCHER_OUTCOME_TIMEOUT:
        return "timeout";
    case LAUNCHER_OUTCOME_MEMORY:
        return "memory";
    case LAUNCHER_OUTCOME_DISK:
        return "disk";
    case LAUNCHER_OUTCOME_NOT_FOUND:
        return "not-found";
    case LAUNCHER_OUTCOME_NOT_EXECUTABLE:
        return "not-executable";
    }
    ASSERT(!"an outcome of the enum");
    return "";
}

int record_exit_status(const struct launcher_message *exit) {
    enum { KILLED = 128 + 9 };
    switch (exit->outcome) {
    case LAUNCHER_OUTCOME_EXIT:
        return exit->status;
    case LAUNCHER_OUTCOME_SIGNAL:
        return 128 + exit->status;
    case LAUNCHER_OUTCOME_TIMEOUT:
        return 124;
    case LAUNCHER_OUTCOME_MEMORY:
    case LAUNCHER_OUTCOME_DISK:
        return KILLED;
    case LAUNCHER_OUTCOME_NOT_FOUND:
        return 127;
    case LAUNCHER_OUTCOME_NOT_EXECUTABLE:
        return 126;
    }
    ASSERT(!"an outcome of the enum");
    return 125;
}
