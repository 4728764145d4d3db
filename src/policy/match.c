/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/match.h"

#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"

static const enum policy_field_kind field_kinds[POLICY_FIELD_COUNT] = {
#define POLICY_FIELD(name, text, kind, meaning) [POLICY_FIELD_##name] = POLICY_KIND_##kind,
#include "policy_fields.def"
#undef POLICY_FIELD
};

enum policy_field_kind policy_kind_of(enum policy_field field) {
    ASSERT(field < POLICY_FIELD_COUNT);
    return field_kinds[field];
}

static uint8_t lower(uint8_t byte) {
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte - 'A' + 'a') : byte;
}

/* FNV-1a over the lower-case form, so that what matches exactly and what matches folded agree; then
 * mixed, because its upper bits move little on short text. */
static const uint64_t HASH_START = 0xcbf29ce484222325;
static const uint64_t HASH_PRIME = 0x100000001b3;

static uint64_t hash_step(uint64_t hash, uint8_t byte) {
    return (hash ^ lower(byte)) * HASH_PRIME;
}

static uint64_t hash_end(uint64_t hash) {
    hash ^= hash >> 32;
    hash *= 0x9e3779b97f4a7c15;
    return hash ^ hash >> 29;
}

uint64_t policy_text_hash(unsigned kind, struct slice text) {
    uint64_t hash = hash_step(HASH_START, (uint8_t)kind);
    for (size_t i = 0; i < text.size; i++) {
        hash = hash_step(hash, text.data[i]);
    }
    return hash_end(hash);
}

static void mask_set(struct policy_mask *mask, unsigned bit) {
    if (bit < 64) {
        mask->low |= UINT64_C(1) << bit;
    } else {
        mask->high |= UINT64_C(1) << (bit - 64);
    }
}

/* Two bits of those the fields leave free. */
static void mask_add_hash(struct policy_mask *mask, uint64_t hash) {
    enum { FREE = 128 - POLICY_FIELD_COUNT };
    mask_set(mask, POLICY_FIELD_COUNT + (unsigned)((hash & 0xffffffff) % FREE));
    mask_set(mask, POLICY_FIELD_COUNT + (unsigned)((hash >> 32) % FREE));
}

void policy_mask_add_text(struct policy_mask *mask, unsigned kind, struct slice text) {
    mask_add_hash(mask, policy_text_hash(kind, text));
}

static void view_set(struct policy_view *view, enum policy_field field, const char *text) {
    if (text == nullptr) {
        return;
    }
    view->text[field] = slice_of_string(text);
    mask_set(&view->mask, field);
    if (policy_kind_of(field) == POLICY_KIND_TEXT && field != POLICY_FIELD_OPERATION) {
        policy_mask_add_text(&view->mask, field, view->text[field]);
    }
}

/* Backwards, so that one walk over a host gives the hash of all its domains. */
void policy_mask_add_domain(struct policy_mask *mask, struct slice domain) {
    uint64_t hash = hash_step(HASH_START, POLICY_MASK_DOMAIN);
    for (size_t i = domain.size; i > 0; i--) {
        hash = hash_step(hash, domain.data[i - 1]);
    }
    mask_add_hash(mask, hash_end(hash));
}

/* A host in lower case and without the dot that may end it. */
static void view_set_host(struct policy_view *view, const char *host) {
    size_t size = host != nullptr ? strlen(host) : 0;
    size -= size > 0 && host[size - 1] == '.' ? 1 : 0;
    if (size == 0) {
        return;
    }
    mask_set(&view->mask, POLICY_FIELD_HOST);
    if (size > sizeof view->host_text) {
        view->unfit = "the host is longer than a name can be";
        return;
    }
    uint64_t hash = hash_step(HASH_START, POLICY_MASK_DOMAIN);
    for (size_t i = size; i > 0; i--) {
        view->host_text[i - 1] = (char)lower((uint8_t)host[i - 1]);
        hash = hash_step(hash, (uint8_t)host[i - 1]);
        if (host[i - 1] == '.') {
            mask_add_hash(&view->mask, hash_end(hash));
        }
    }
    view->text[POLICY_FIELD_HOST] = slice_of(view->host_text, size);
    policy_mask_add_text(&view->mask, POLICY_MASK_HOST, view->text[POLICY_FIELD_HOST]);
}

/* What a component of a path lets a rule ask for. */
static void mask_add_component(struct policy_mask *mask, struct slice component, bool first) {
    if (first) {
        policy_mask_add_text(mask, POLICY_MASK_FIRST, component);
    }
    policy_mask_add_text(mask, POLICY_MASK_COMPONENT, component);
    const uint8_t *dot =
        component.size > 0 ? memrchr(component.data, '.', component.size) : nullptr;
    if (dot != nullptr) {
        size_t start = (size_t)(dot - component.data) + 1;
        policy_mask_add_text(mask, POLICY_MASK_EXTENSION,
                             slice_of(component.data + start, component.size - start));
    }
}

static bool component_is_fit(struct slice component) {
    bool dots = (component.size == 1 && component.data[0] == '.') ||
                (component.size == 2 && component.data[0] == '.' && component.data[1] == '.');
    return component.size > 0 && !dots;
}

/* Goes over the components of the path as it is; false when it is not a resolved one. */
static bool view_scan_path(struct policy_view *view) {
    size_t at = 0;
    bool fit = true;
    while (at <= view->path.size) {
        const uint8_t *start = view->path.data + at;
        const uint8_t *slash = memchr(start, '/', view->path.size - at);
        size_t size = slash != nullptr ? (size_t)(slash - start) : view->path.size - at;
        struct slice component = slice_of(start, size);
        fit = fit && component_is_fit(component);
        mask_add_component(&view->mask, component, at == 0);
        at += size + 1;
    }
    return fit;
}

/* The folded path: components in one text, a slash between them. */
static void view_fold_path(struct policy_view *view) {
    const struct policy_path *parsed = view->parsed;
    size_t used = 0;
    for (size_t i = 0; i < parsed->count; i++) {
        size_t size = strlen(parsed->component[i]);
        ASSERT(used + size + 1 <= sizeof view->folded_text);
        if (i > 0) {
            view->folded_text[used++] = '/';
        }
        memcpy(view->folded_text + used, parsed->component[i], size);
        used += size;
        mask_add_component(&view->mask, slice_of(parsed->component[i], size), i == 0);
    }
    view->folded = slice_of(view->folded_text, used);
}

static void view_set_path(struct policy_view *view, const char *path) {
    if (path == nullptr) {
        return;
    }
    mask_set(&view->mask, POLICY_FIELD_PATH);
    view->path = slice_of_string(path);
    view->text[POLICY_FIELD_PATH] = view->path;
    policy_path_parse(path, &view->parsed_path);
    view->parsed = &view->parsed_path;
    view->is_folder = S_ISDIR(view->request->mode);
    if (view->parsed_path.overflow) {
        view->unfit = "the path is too long to judge";
    } else if (view->parsed_path.escapes || !view_scan_path(view)) {
        view->unfit = "the path is not a resolved one below the workspace";
    } else {
        view_fold_path(view);
    }
}

/* The engine of a run that names none is the native one. Any other has thinner walls. */
static void view_set_engine(struct policy_view *view) {
    const struct policy_request *request = view->request;
    const char *engine = strcmp(request->operation, "run.exec") == 0 ? "native" : nullptr;
    view_set(view, POLICY_FIELD_ENGINE, request->engine != nullptr ? request->engine : engine);
    if (request->engine != nullptr && strcmp(request->engine, "native") != 0) {
        view->to_name |= UINT32_C(1) << POLICY_FIELD_ENGINE;
    }
}

void policy_view_init(struct policy_view *view, const struct policy_request *request) {
    ASSERT(request->operation != nullptr);
    memset(view, 0, offsetof(struct policy_view, folded_text));
    view->request = request;
    view_set(view, POLICY_FIELD_OPERATION, request->operation);
    view_set(view, POLICY_FIELD_CALLER, request->caller);
    view_set(view, POLICY_FIELD_SESSION_MODE, request->session_mode);
    view_set(view, POLICY_FIELD_WORKFLOW_STATE, request->workflow_state);
    view_set(view, POLICY_FIELD_METHOD, request->method);
    view_set(view, POLICY_FIELD_TEMPLATE, request->template_name);
    view_set(view, POLICY_FIELD_IMAGE, request->image);
    view_set_engine(view);
    view_set(view, POLICY_FIELD_ARGUMENT_DIGEST, request->argument_digest);
    const char *line = request->at_command_line ? "cli" : nullptr;
    view_set(view, POLICY_FIELD_TRANSPORT,
             request->transport != nullptr ? request->transport : line);
    if (request->caller_tag_count > 0) {
        mask_set(&view->mask, POLICY_FIELD_CALLER_TAG);
    }
    if (request->network_count > 0) {
        mask_set(&view->mask, POLICY_FIELD_NETWORK);
        view->to_name |= UINT32_C(1) << POLICY_FIELD_NETWORK;
    }
    if (request->has_port) {
        mask_set(&view->mask, POLICY_FIELD_PORT);
    }
    if (request->has_size) {
        mask_set(&view->mask, POLICY_FIELD_SIZE);
    }
    view_set_host(view, request->host);
    view_set_path(view, request->path);
}

static bool text_holds(const struct policy_pattern *pattern, struct slice text) {
    if (text.data == nullptr || text.size < pattern->text.size ||
        (!pattern->open && text.size != pattern->text.size)) {
        return false;
    }
    return memcmp(text.data, pattern->text.data, pattern->text.size) == 0;
}

/* "*.example.org" is any name below it, so something stands before the dot. */
static bool host_holds(const struct policy_pattern *pattern, struct slice host) {
    if (host.data == nullptr || !pattern->open) {
        return text_holds(pattern, host);
    }
    if (pattern->text.size == 0) {
        return true;
    }
    return host.size > pattern->text.size && memcmp(host.data + host.size - pattern->text.size,
                                                    pattern->text.data, pattern->text.size) == 0;
}

static bool tag_holds(const struct policy_pattern *pattern, const struct policy_request *request) {
    for (size_t i = 0; i < request->caller_tag_count; i++) {
        if (text_holds(pattern, slice_of_string(request->caller_tags[i]))) {
            return true;
        }
    }
    return false;
}

static bool range_holds(const struct policy_pattern *pattern, enum policy_field field,
                        const struct policy_request *request) {
    bool is_port = field == POLICY_FIELD_PORT;
    bool has = is_port ? request->has_port : request->has_size;
    uint64_t value = is_port ? request->port : request->size;
    return has && value >= pattern->low && value <= pattern->high;
}

static bool path_holds(const struct policy_rules *rules, const struct policy_pattern *pattern,
                       const struct policy_view *view) {
    if (view->path.data == nullptr) {
        return false;
    }
    if (glob_match(&rules->globs[pattern->glob], view->path, view->is_folder)) {
        return true;
    }
    return pattern->folded != POLICY_NO_GLOB && pattern->narrows != view->granting &&
           glob_match(&rules->globs[pattern->folded], view->folded, view->is_folder);
}

static bool pattern_holds(const struct policy_rules *rules, enum policy_field field,
                          const struct policy_pattern *pattern, const struct policy_view *view) {
    switch (policy_kind_of(field)) {
    case POLICY_KIND_TEXT:
        return text_holds(pattern, view->text[field]);
    case POLICY_KIND_PATH:
        return path_holds(rules, pattern, view);
    case POLICY_KIND_HOST:
        return host_holds(pattern, view->text[field]);
    case POLICY_KIND_RANGE:
        return range_holds(pattern, field, view->request);
    case POLICY_KIND_TAG:
        return tag_holds(pattern, view->request);
    }
    ASSERT(!"a kind of the enum");
    return false;
}

/* The pattern of a test over groups that holds. To hold back, one group that is meant is enough;
 * to grant, every group of the request must be. */
static const struct policy_pattern *groups_hold(const struct policy_rules *rules,
                                                const struct policy_test *test,
                                                const struct policy_view *view) {
    bool all = test->widens != view->granting;
    const struct policy_pattern *found = nullptr;
    for (size_t g = 0; g < view->request->network_count; g++) {
        const struct policy_pattern *one = nullptr;
        for (uint32_t i = 0; i < test->count && one == nullptr; i++) {
            const struct policy_pattern *pattern = &rules->patterns[test->first + i];
            if (text_holds(pattern, slice_of_string(view->request->networks[g]))) {
                one = pattern;
            }
        }
        if (one == nullptr && all) {
            return nullptr;
        }
        found = found == nullptr ? one : found;
    }
    return found;
}

const struct policy_pattern *policy_test_holds(const struct policy_rules *rules,
                                               const struct policy_test *test,
                                               const struct policy_view *view) {
    if (test->field == POLICY_FIELD_NETWORK) {
        return groups_hold(rules, test, view);
    }
    const struct policy_pattern *patterns = rules->patterns + test->first;
    const struct policy_pattern *found = nullptr;
    for (uint32_t i = 0; i < test->inclusion_count && found == nullptr; i++) {
        if (pattern_holds(rules, test->field, &patterns[i], view)) {
            found = &patterns[i];
        }
    }
    for (uint32_t i = test->inclusion_count; i < test->count && found != nullptr; i++) {
        if (pattern_holds(rules, test->field, &patterns[i], view)) {
            found = nullptr;
        }
    }
    return found;
}

const struct policy_test *policy_condition_failure(const struct policy_rules *rules,
                                                   const struct policy_condition *condition,
                                                   const struct policy_view *view) {
    for (uint32_t i = 0; i < condition->count; i++) {
        const struct policy_test *test = &rules->tests[condition->first + i];
        if (policy_test_holds(rules, test, view) == nullptr) {
            return test;
        }
    }
    return nullptr;
}

uint32_t policy_rule_unnamed(const struct policy_compiled_rule *rule,
                             const struct policy_view *view) {
    bool grants = rule->source->action == POLICY_ACTION_ALLOW || view->granting;
    return grants ? view->to_name & ~rule->source->match.present : 0;
}

bool policy_rule_applies(const struct policy_rules *rules, const struct policy_compiled_rule *rule,
                         const struct policy_view *view) {
    const struct policy_condition *condition = &rules->conditions[rule->condition];
    if (policy_rule_unnamed(rule, view) != 0 ||
        policy_condition_failure(rules, condition, view) != nullptr) {
        return false;
    }
    for (size_t i = 1; i <= rule->source->except_count; i++) {
        if (policy_condition_failure(rules, condition + i, view) == nullptr) {
            return false;
        }
    }
    return true;
}

bool policy_rule_grants(const struct policy_rules *rules, const struct policy_compiled_rule *rule,
                        struct policy_view *view) {
    ASSERT(rule->source->action == POLICY_ACTION_REVIEW);
    if (rule->restricted || (view->path.data == nullptr && view->to_name == 0)) {
        return !rule->restricted;
    }
    view->granting = true;
    bool grants = policy_rule_applies(rules, rule, view);
    view->granting = false;
    return grants;
}
