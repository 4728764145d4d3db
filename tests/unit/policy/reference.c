/* SPDX-License-Identifier: Apache-2.0 */
#include "reference.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"

enum { COMPONENTS_MAX = 64, TEXT_MAX = 512 };

struct components {
    char text[TEXT_MAX];
    const char *at[COMPONENTS_MAX];
    size_t count;
};

static void split(const char *text, struct components *out) {
    ASSERT(strlen(text) < TEXT_MAX);
    memcpy(out->text, text, strlen(text) + 1);
    out->count = 0;
    char *rest = out->text;
    while (rest != nullptr) {
        ASSERT(out->count < COMPONENTS_MAX);
        out->at[out->count++] = strsep(&rest, "/");
    }
}

static bool byte_in_class(const char *set, size_t size, char byte) {
    bool negated = size > 0 && (set[0] == '!' || set[0] == '^');
    bool found = false;
    for (size_t i = negated ? 1 : 0; i < size; i++) {
        if (set[i] == '[' && i + 1 < size && set[i + 1] == ':') {
            bool alpha = strncmp(set + i, "[:alpha:]", 9) == 0;
            ASSERT(alpha || strncmp(set + i, "[:digit:]", 9) == 0);
            found = found || (alpha ? isalpha((uint8_t)byte) : isdigit((uint8_t)byte)) != 0;
            i += 8;
        } else if (i + 2 < size && set[i + 1] == '-') {
            found =
                found || ((uint8_t)byte >= (uint8_t)set[i] && (uint8_t)byte <= (uint8_t)set[i + 2]);
            i += 2;
        } else {
            found = found || byte == set[i];
        }
    }
    return found != negated;
}

/* Size of a class's inside, from behind its bracket to the one that closes it. */
static size_t class_size(const char *set) {
    size_t size = set[0] == '!' || set[0] == '^' ? 1 : 0;
    size += set[size] == ']' ? 1 : 0;
    while (set[size] != ']') {
        ASSERT(set[size] != '\0');
        size += set[size] == '[' && set[size + 1] == ':' ? strcspn(set + size, "]") + 1 : 1;
    }
    return size;
}

static bool same_byte(char pattern, char byte, bool fold) {
    return fold ? tolower((uint8_t)pattern) == byte : pattern == byte;
}

static bool component_fits(const char *pattern, const char *name, bool fold) {
    if (pattern[0] == '\0') {
        return name[0] == '\0';
    }
    if (pattern[0] == '*') {
        return component_fits(pattern + 1, name, fold) ||
               (name[0] != '\0' && component_fits(pattern, name + 1, fold));
    }
    if (name[0] == '\0') {
        return false;
    }
    if (pattern[0] == '?') {
        return component_fits(pattern + 1, name + 1, fold);
    }
    if (pattern[0] == '[') {
        size_t size = class_size(pattern + 1);
        bool in = byte_in_class(pattern + 1, size, name[0]) ||
                  (fold && byte_in_class(pattern + 1, size, (char)toupper((uint8_t)name[0])));
        return in && component_fits(pattern + size + 2, name + 1, fold);
    }
    pattern += pattern[0] == '\\' ? 1 : 0;
    return same_byte(pattern[0], name[0], fold) && component_fits(pattern + 1, name + 1, fold);
}

/* What all_fit() walks: parts of the pattern over the first `stop` components of the path. */
struct fit {
    struct components parts, names;
    size_t stop;
    bool fold;
};

static bool all_fit(const struct fit *fit, size_t p, size_t n) {
    if (p == fit->parts.count) {
        return n == fit->stop;
    }
    if (strcmp(fit->parts.at[p], "**") == 0) {
        bool last = p + 1 == fit->parts.count;
        if (!last && all_fit(fit, p + 1, n)) {
            return true;
        }
        return n < fit->stop && ((last && n + 1 == fit->stop) || all_fit(fit, p, n + 1));
    }
    return n < fit->stop && component_fits(fit->parts.at[p], fit->names.at[n], fit->fold) &&
           all_fit(fit, p + 1, n + 1);
}

bool reference_glob(const char *pattern, const char *path, bool is_folder, bool fold) {
    static struct fit fit; /* not copied: its components point into it */
    char text[TEXT_MAX];
    size_t size = strlen(pattern);
    ASSERT(size > 0 && size < sizeof text);
    memcpy(text, pattern, size + 1);
    bool folder_only = text[size - 1] == '/';
    if (folder_only) {
        text[size - 1] = '\0';
    }
    bool anchored = strchr(text, '/') != nullptr;
    split(text[0] == '/' ? text + 1 : text, &fit.parts);
    split(path, &fit.names);
    fit.fold = fold;
    /* The path itself, or any folder above it. */
    for (fit.stop = 1; path[0] != '\0' && fit.stop <= fit.names.count; fit.stop++) {
        if (fit.stop == fit.names.count && folder_only && !is_folder) {
            continue;
        }
        if (anchored ? all_fit(&fit, 0, 0)
                     : component_fits(fit.parts.at[0], fit.names.at[fit.stop - 1], fold)) {
            return true;
        }
    }
    return false;
}

static void fold_path(const char *path, char *out, size_t size) {
    struct policy_path parsed;
    policy_path_parse(path, &parsed);
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < parsed.count; i++) {
        ASSERT(used + strlen(parsed.component[i]) + 2 <= size);
        if (i > 0) {
            out[used++] = '/';
        }
        memcpy(out + used, parsed.component[i], strlen(parsed.component[i]) + 1);
        used += strlen(parsed.component[i]);
    }
}

/* Paths are folded for what narrows only: narrows says so of the inclusions, and the exclusions are
 * the other way around. */
static bool path_value_fits(const struct policy_value *value, const struct policy_request *request,
                            bool fold) {
    const char *pattern = value->text[0] == '!' ? value->text + 1 : value->text;
    bool is_folder = S_ISDIR(request->mode);
    if (reference_glob(pattern, request->path, is_folder, false)) {
        return true;
    }
    char folded[TEXT_MAX];
    fold_path(request->path, folded, sizeof folded);
    return fold && reference_glob(pattern, folded, is_folder, true);
}

static bool path_fits(const struct policy_values *values, const struct policy_request *request,
                      bool narrows, bool folding) {
    bool in = false;
    bool out = false;
    for (size_t i = 0; i < values->count && request->path != nullptr; i++) {
        bool excludes = values->values[i].text[0] == '!';
        bool fits = path_value_fits(&values->values[i], request, folding && narrows != excludes);
        in = in || (fits && !excludes);
        out = out || (fits && excludes);
    }
    return in && !out;
}

static bool text_fits(const char *pattern, const char *text) {
    size_t size = strlen(pattern);
    if (size > 0 && pattern[size - 1] == '*') {
        return strncmp(pattern, text, size - 1) == 0;
    }
    return strcmp(pattern, text) == 0;
}

static bool host_fits(const char *pattern, const char *host) {
    char name[TEXT_MAX];
    size_t size = strlen(host);
    memcpy(name, host, size + 1);
    if (size > 0 && name[size - 1] == '.') {
        name[--size] = '\0';
    }
    if (strcmp(pattern, "*") == 0) {
        return size > 0;
    }
    if (pattern[0] != '*') {
        return strcasecmp(pattern, name) == 0;
    }
    size_t end = strlen(pattern) - 1;
    return size > end && strcasecmp(name + size - end, pattern + 1) == 0;
}

static const char *text_of(const struct policy_request *request, enum policy_field field) {
    const char *line = request->at_command_line ? "cli" : nullptr;
    const char *own = strcmp(request->operation, "run.exec") == 0 ? "native" : nullptr;
    const char *const texts[POLICY_FIELD_COUNT] = {
        [POLICY_FIELD_OPERATION] = request->operation,
        [POLICY_FIELD_CALLER] = request->caller,
        [POLICY_FIELD_SESSION_MODE] = request->session_mode,
        [POLICY_FIELD_WORKFLOW_STATE] = request->workflow_state,
        [POLICY_FIELD_METHOD] = request->method,
        [POLICY_FIELD_TEMPLATE] = request->template_name,
        [POLICY_FIELD_ENGINE] = request->engine != nullptr ? request->engine : own,
        [POLICY_FIELD_IMAGE] = request->image,
        [POLICY_FIELD_ARGUMENT_DIGEST] = request->argument_digest,
        [POLICY_FIELD_TRANSPORT] = request->transport != nullptr ? request->transport : line,
        [POLICY_FIELD_HOST] = request->host,
    };
    return texts[field];
}

static bool value_fits(const struct policy_value *value, enum policy_field field,
                       const struct policy_request *request) {
    if (field == POLICY_FIELD_PORT) {
        return request->has_port && request->port >= value->low && request->port <= value->high;
    }
    if (field == POLICY_FIELD_SIZE) {
        return request->has_size && request->size >= value->low && request->size <= value->high;
    }
    if (field == POLICY_FIELD_CALLER_TAG) {
        bool found = false;
        for (size_t i = 0; i < request->caller_tag_count; i++) {
            found = found || text_fits(value->text, request->caller_tags[i]);
        }
        return found;
    }
    const char *text = text_of(request, field);
    if (text == nullptr) {
        return false;
    }
    return field == POLICY_FIELD_HOST ? host_fits(value->text, text) : text_fits(value->text, text);
}

/* Any group of the request that a value names, or all of them. */
static bool groups_fit(const struct policy_values *values, const struct policy_request *request,
                       bool all) {
    size_t named = 0;
    for (size_t g = 0, i; g < request->network_count; g++) {
        for (i = 0;
             i < values->count && !text_fits(values->values[i].text, request->networks[g]);) {
            i++;
        }
        named += i < values->count;
    }
    return named > (all ? request->network_count - 1 : 0);
}

static bool match_fits(const struct policy_match *match, const struct policy_request *request,
                       bool narrows, bool folding) {
    for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++) {
        if ((match->present >> field & 1) == 0) {
            continue;
        }
        const struct policy_values *values = &match->fields[field];
        bool fits = false;
        if (field == POLICY_FIELD_PATH) {
            fits = path_fits(values, request, narrows, folding);
        }
        if (field == POLICY_FIELD_NETWORK) {
            fits = groups_fit(values, request, !narrows);
        }
        bool is_whole = field == POLICY_FIELD_PATH || field == POLICY_FIELD_NETWORK;
        for (size_t i = 0; !is_whole && i < values->count; i++) {
            fits = fits || value_fits(&values->values[i], (enum policy_field)field, request);
        }
        if (!fits) {
            return false;
        }
    }
    return true;
}

static bool rule_fits(const struct policy_rule_source *rule, const struct policy_request *request,
                      bool narrows, bool folding) {
    if (!match_fits(&rule->match, request, narrows, folding)) {
        return false;
    }
    for (size_t i = 0; i < rule->except_count; i++) {
        if (match_fits(&rule->excepts[i], request, !narrows, folding)) {
            return false;
        }
    }
    return true;
}

static bool constraints_hold(const struct policy_constraints *constraints,
                             const struct policy_request *request) {
    if (!constraints->present) {
        return true;
    }
    bool held = !constraints->token_required || request->issuing_token;
    if (constraints->template_name != nullptr && !request->template_open) {
        held = held && request->template_name != nullptr &&
               strcmp(constraints->template_name, request->template_name) == 0;
    }
    if (request->has_size) {
        held = held && request->size <= constraints->file_bytes_max &&
               request->size <= constraints->total_bytes_max;
    }
    /* Minute by minute: the window as a list of the minutes of a week that are open. */
    uint64_t minutes = request->now_ms / 60000;
    unsigned now = (unsigned)((minutes + 3 * 1440) % 10080); /* of a week that begins on Monday */
    bool open = false;
    unsigned from = constraints->window_from_minute;
    unsigned length = (constraints->window_to_minute + 1440U - from) % 1440U;
    for (unsigned day = 0; day < 7; day++) {
        if (constraints->window_days != 0 && (constraints->window_days >> day & 1) == 0) {
            continue;
        }
        for (unsigned m = 0; m < (length == 0 ? 1440U : length); m++) {
            unsigned start = length == 0 ? 0 : from;
            open = open || (day * 1440 + start + m) % 10080 == now;
        }
    }
    return held && open;
}

struct heard {
    bool deny, review, grant;
};

/* Groups, and any engine but the native one, are granted only by rules that name such a thing. */
static bool names_what_is_wanted(uint32_t named, const struct policy_request *request) {
    bool is_container = request->engine != nullptr && strcmp(request->engine, "native") != 0;
    return (request->network_count == 0 || (named >> POLICY_FIELD_NETWORK & 1) != 0) &&
           (!is_container || (named >> POLICY_FIELD_ENGINE & 1) != 0);
}

static void hear_rule(struct heard *heard, const struct policy_rule_source *rule,
                      const struct policy_request *request, bool trusted, bool folding) {
    bool held = constraints_hold(&rule->constraints, request);
    bool as_grant = names_what_is_wanted(rule->match.present, request) &&
                    rule_fits(rule, request, false, folding);
    bool as_brake = rule_fits(rule, request, true, folding);
    switch (rule->action) {
    case POLICY_ACTION_ALLOW:
        heard->grant = heard->grant || (as_grant && held && trusted);
        break;
    case POLICY_ACTION_REVIEW:
        heard->review = heard->review || (as_brake && held);
        heard->deny = heard->deny || (as_brake && !held);
        heard->grant = heard->grant || (as_grant && held && trusted);
        break;
    case POLICY_ACTION_DENY:
        heard->deny = heard->deny || as_brake;
        break;
    case POLICY_ACTION_PASS:
        break;
    }
}

static void hear_builtins(struct heard *heard, const struct policy_request *request) {
    struct policy_path path;
    if (request->path != nullptr) {
        policy_path_parse(request->path, &path);
    }
    for (size_t i = 0; i < policy_builtin_count; i++) {
        const struct policy_rule *rule = &policy_builtin_rules[i];
        if (rule->matches(request, request->path != nullptr ? &path : nullptr)) {
            heard->deny = heard->deny || rule->outcome == POLICY_DENY;
            heard->review = heard->review || rule->outcome == POLICY_REVIEW;
        }
    }
}

static bool path_is_unfit(const char *path) {
    if (path == nullptr) {
        return false;
    }
    struct components names;
    split(path, &names);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.at[i];
        if (name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            return true;
        }
    }
    return false;
}

enum policy_outcome reference_decide(const struct reference *reference,
                                     const struct policy_request *request) {
    struct heard heard = {};
    if (!reference->without_builtins) {
        hear_builtins(&heard, request);
    }
    if (heard.deny || path_is_unfit(request->path)) {
        return POLICY_DENY;
    }
    if (reference->token_presented && reference->token == POLICY_TOKEN_VALID) {
        return heard.review ? POLICY_REVIEW : POLICY_ALLOW;
    }
    for (size_t l = 0; l < reference->layer_count; l++) {
        const struct policy_layer_source *layer = &reference->layers[l];
        for (size_t i = 0; i < layer->document->rule_count; i++) {
            const struct policy_rule_source *rule = &layer->document->rules[i];
            hear_rule(&heard, rule, request, layer->mode == POLICY_LAYER_FULL,
                      !reference->without_folding);
        }
    }
    if (heard.deny || !heard.grant) {
        return POLICY_DENY;
    }
    return heard.review ? POLICY_REVIEW : POLICY_ALLOW;
}
