/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_cases.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "cli/log_view.h"
#include "codec/nearest.h"
#include "codec/units.h"
#include "policy/load.h"

struct reader {
    struct policy_diagnostics *diagnostics;
    const struct policy_case_defaults *defaults;
};

[[gnu::format(printf, 4, 5)]]
static void fail(struct reader *reader, const struct yaml_node *at, const char *hint,
                 const char *format, ...) {
    va_list arguments;
    const struct policy_finding finding = {POLICY_SEVERITY_ERROR, {at->line, at->column}, hint};
    va_start(arguments, format);
    policy_diagnostics_add(reader->diagnostics, &finding, format, arguments);
    va_end(arguments);
}

/* A key that is none of `keys`, with the nearest of them. */
static void fail_key(struct reader *reader, const struct yaml_node *key, const char *const *keys,
                     size_t count, const char *where) {
    char hint[128] = "";
    const char *nearest = text_nearest(key->text, keys, count);
    if (nearest != nullptr) {
        (void)snprintf(hint, sizeof hint, "Did you mean \"%s\"?", nearest);
    }
    fail(reader, key, hint, "there is no key \"%.60s\" in %s", key->text, where);
}

static const char *text_of(struct reader *reader, const struct yaml_node *value) {
    if (value->kind != YAML_KIND_SCALAR || value->size == 0) {
        fail(reader, value, "", "%.60s must be a text", value->key->text);
        return nullptr;
    }
    return value->text;
}

static void read_tags(struct reader *reader, const struct yaml_node *value, struct policy_case *one,
                      bool is_network) {
    const char **tags = is_network ? one->networks : one->tags;
    const struct yaml_node *item = value->kind == YAML_KIND_SEQUENCE ? value->first : value;
    size_t count = 0;
    for (; item != nullptr; item = value->kind == YAML_KIND_SEQUENCE ? item->next : nullptr) {
        if (item->kind != YAML_KIND_SCALAR || count == POLICY_CASE_TAG_COUNT_MAX) {
            fail(reader, item, "", "%s takes up to %d texts", is_network ? "network" : "caller_tag",
                 (int)POLICY_CASE_TAG_COUNT_MAX);
            return;
        }
        tags[count++] = item->text;
    }
    if (is_network) {
        one->request.networks = tags;
        one->request.network_count = count;
        return;
    }
    one->request.caller_tags = one->tags;
    one->request.caller_tag_count = count;
}

/* As rules see it: below the workspace, resolved. A slash at the end makes it a folder. */
static void read_path(struct reader *reader, const struct yaml_node *value,
                      struct policy_case *one) {
    const char *text = text_of(reader, value);
    if (text == nullptr) {
        return;
    }
    size_t size = strlen(text);
    bool is_folder = text[size - 1] == '/';
    one->path = strndup(text, size - is_folder);
    ASSERT(one->path != nullptr);
    one->request.path = one->path;
    one->request.mode = is_folder ? S_IFDIR | 0755 : S_IFREG | 0644;
}

static void read_number(struct reader *reader, const struct yaml_node *value,
                        struct policy_case *one, bool is_port) {
    const char *text = text_of(reader, value);
    uint64_t low = 0;
    uint64_t high = 0;
    if (text == nullptr) {
        return;
    }
    enum units_result result = is_port ? units_parse_range(slice_of_string(text), &low, &high)
                                       : units_parse_bytes(slice_of_string(text), &low);
    if (result != UNITS_OK) {
        fail(reader, value, "", "the %s \"%.40s\" %s", is_port ? "port" : "size", text,
             units_result_text(result));
    } else if (is_port && (low != high || low > UINT16_MAX)) {
        fail(reader, value, "", "a port is a number up to 65535");
    } else if (is_port) {
        one->request.has_port = true;
        one->request.port = (uint16_t)low;
    } else {
        one->request.has_size = true;
        one->request.size = low;
    }
}

static void read_time(struct reader *reader, const struct yaml_node *value,
                      struct policy_case *one) {
    const char *text = text_of(reader, value);
    if (text != nullptr && !log_parse_since(text, reader->defaults->now_ms, &one->request.now_ms)) {
        fail(reader, value, "Write it in UTC: 2026-11-21T08:00", "\"%.40s\" is no time", text);
    }
}

static void read_field(struct reader *reader, const struct yaml_node *value,
                       struct policy_case *one) {
    static const char *keys[POLICY_FIELD_COUNT + 1];
    unsigned found = POLICY_FIELD_COUNT + 1;
    for (unsigned field = 0; field <= POLICY_FIELD_COUNT; field++) {
        keys[field] =
            field < POLICY_FIELD_COUNT ? policy_field_text((enum policy_field)field) : "time";
        found = strcmp(keys[field], value->key->text) == 0 ? field : found;
    }
    if (found == POLICY_FIELD_COUNT) {
        read_time(reader, value, one);
    } else if (found > POLICY_FIELD_COUNT) {
        fail_key(reader, value->key, keys, POLICY_FIELD_COUNT + 1, "a request");
    } else if (found == POLICY_FIELD_CALLER_TAG || found == POLICY_FIELD_NETWORK) {
        read_tags(reader, value, one, found == POLICY_FIELD_NETWORK);
    } else if (found == POLICY_FIELD_PATH) {
        read_path(reader, value, one);
    } else if (found == POLICY_FIELD_PORT || found == POLICY_FIELD_SIZE) {
        read_number(reader, value, one, found == POLICY_FIELD_PORT);
    } else {
        const char *text = text_of(reader, value);
        const char **target = policy_request_text(&one->request, (enum policy_field)found);
        ASSERT(target != nullptr);
        *target = text != nullptr ? text : *target;
    }
}

static void read_request(struct reader *reader, const struct yaml_node *value,
                         struct policy_case *one) {
    if (value->kind != YAML_KIND_MAPPING) {
        fail(reader, value, "Write { operation: fs.write, path: src/x.c }.",
             "request must be a mapping of fields");
        return;
    }
    for (const struct yaml_node *field = value->first; field != nullptr; field = field->next) {
        read_field(reader, field, one);
    }
    if (yaml_get(value, "operation") == nullptr) {
        fail(reader, value, "Name it: operation: fs.write", "this request has no operation");
    }
}

static void read_expect(struct reader *reader, const struct yaml_node *value,
                        struct policy_case *one) {
    static const enum policy_outcome outcomes[] = {POLICY_ALLOW, POLICY_DENY, POLICY_REVIEW};
    const char *text = text_of(reader, value);
    one->has_expect = true;
    for (size_t i = 0; text != nullptr && i < sizeof outcomes / sizeof outcomes[0]; i++) {
        if (strcmp(text, policy_outcome_text(outcomes[i])) == 0) {
            one->expect = outcomes[i];
            return;
        }
    }
    if (text != nullptr) {
        fail(reader, value, "It is one of allow, deny and require_review.",
             "there is no outcome \"%.40s\"", text);
    }
}

static void read_case(struct reader *reader, const struct yaml_node *node,
                      struct policy_case *one) {
    static const char *const keys[] = {"name", "request", "expect", "rule"};
    if (node->kind != YAML_KIND_MAPPING) {
        fail(reader, node, "", "a case must be a mapping");
        return;
    }
    for (const struct yaml_node *value = node->first; value != nullptr; value = value->next) {
        if (strcmp(value->key->text, "name") == 0) {
            one->name = text_of(reader, value);
        } else if (strcmp(value->key->text, "request") == 0) {
            read_request(reader, value, one);
        } else if (strcmp(value->key->text, "expect") == 0) {
            read_expect(reader, value, one);
        } else if (strcmp(value->key->text, "rule") == 0) {
            one->rule = text_of(reader, value);
        } else {
            fail_key(reader, value->key, keys, sizeof keys / sizeof keys[0], "a case");
        }
    }
    for (size_t i = 0; i < 3; i++) {
        if (yaml_get(node, keys[i]) == nullptr) {
            fail(reader, node, "A case has a name, a request and what to expect.",
                 "this case has no %s", keys[i]);
        }
    }
}

static void read_cases(struct reader *reader, const struct yaml_node *list,
                       struct policy_cases *cases) {
    if (list->kind != YAML_KIND_SEQUENCE) {
        fail(reader, list, "Begin each case with a dash.", "cases must be a list");
        return;
    }
    cases->cases = calloc(list->count > 0 ? list->count : 1, sizeof *cases->cases);
    ASSERT(cases->cases != nullptr);
    for (const struct yaml_node *node = list->first; node != nullptr; node = node->next) {
        struct policy_case *one = &cases->cases[cases->count++];
        one->line = node->line;
        one->request = (struct policy_request){
            .caller = reader->defaults->caller,
            .workspace = reader->defaults->workspace,
            .now_ms = reader->defaults->now_ms,
            .transport = "cli",
        };
        read_case(reader, node, one);
        one->request.at_command_line = strcmp(one->request.transport, "cli") == 0;
    }
}

static void read_file(struct reader *reader, const struct yaml_node *root,
                      struct policy_cases *cases) {
    static const char *const keys[] = {"version", "cases"};
    static const struct yaml_node start = {.line = 1, .column = 1};
    if (root == nullptr || root->kind != YAML_KIND_MAPPING) {
        fail(reader, root != nullptr ? root : &start,
             "Begin with: version: 1, then cases:", "the file is no table of cases");
        return;
    }
    for (const struct yaml_node *value = root->first; value != nullptr; value = value->next) {
        if (strcmp(value->key->text, "cases") == 0) {
            read_cases(reader, value, cases);
        } else if (strcmp(value->key->text, "version") != 0) {
            fail_key(reader, value->key, keys, sizeof keys / sizeof keys[0], "a table of cases");
        } else if (value->kind != YAML_KIND_SCALAR || strcmp(value->text, "1") != 0) {
            fail(reader, value, "Write version: 1, the only one there is.",
                 "this version is not known");
        }
    }
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (yaml_get(root, keys[i]) == nullptr) {
            fail(reader, root, "", "the file has no %s", keys[i]);
        }
    }
}

void policy_cases_deinit(struct policy_cases *cases) {
    for (size_t i = 0; i < cases->count; i++) {
        free(cases->cases[i].path);
    }
    free(cases->cases);
    yaml_tree_free(cases->tree);
    *cases = (struct policy_cases){};
}

status_t policy_cases_read(struct slice text, const char *file,
                           const struct policy_case_defaults *defaults,
                           struct policy_diagnostics *diagnostics, struct policy_cases *ret_cases,
                           struct error *err) {
    struct reader reader = {diagnostics, defaults};
    struct policy_cases cases = {};
    struct yaml_fault fault;
    policy_diagnostics_start(diagnostics, file, text);
    if (!status_is_ok(yaml_parse(text, file, &fault, &cases.tree, err))) {
        const struct yaml_node at = {.line = fault.line, .column = fault.column};
        fail(&reader, &at, fault.hint, "%s", fault.message);
    } else {
        read_file(&reader, yaml_root(cases.tree), &cases);
    }
    policy_diagnostics_end(diagnostics);
    if (diagnostics->error_count == 0) {
        *ret_cases = cases;
        return STATUS_OK;
    }
    const struct policy_diagnostic *first = &diagnostics->errors[0];
    (void)error_set(err, ERROR_POLICY_INVALID, 0, "%.200s:%u:%u: %.200s", file, first->line,
                    first->column, first->message);
    error_hint(err, "The form is described in docs/policy-test.md.");
    policy_cases_deinit(&cases);
    return (status_t){ERROR_POLICY_INVALID};
}
