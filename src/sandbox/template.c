/* SPDX-License-Identifier: Apache-2.0
 *
 * One table says which limits there are, where each goes and how large it may be. A template names
 * one of the compiled filters and numbers below hard maxima; nothing in it can open a wall.
 */
#include "sandbox/template.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/nearest.h"
#include "codec/text.h"
#include "codec/units.h"
#include "codec/yaml.h"
#include "crypto/hash.h"

enum value_kind : uint8_t { BYTES, COUNT, CPU, TIME, WEIGHT, RATE };
/* Who waits for a disk cannot be killed: so slow, a MiB takes a second. */
enum { RATE_LEAST = 1024 * 1024 };

struct limit_key {
    const char *name;
    enum value_kind kind;
    bool may_be_none;
    uint8_t size; /* of the number */
    size_t offset;
    enum limit_id most;
};

#define AT(member) \
    sizeof(((struct template_row *)nullptr)->member), offsetof(struct template_row, member)

static const struct limit_key limit_keys[] = {
    {"memory", BYTES, false, AT(limits.memory_bytes_max), LIMIT_ID_TEMPLATE_MEMORY},
    {"processes", COUNT, false, AT(limits.pid_count_max), LIMIT_ID_TEMPLATE_PROCESSES},
    {"cpu", CPU, true, AT(limits.cpu_percent_max), LIMIT_ID_TEMPLATE_CPU},
    {"cpu_weight", WEIGHT, false, AT(limits.cpu_weight), LIMIT_ID_TEMPLATE_CPU_WEIGHT},
    {"time", TIME, true, AT(limits.wall_ms_max), LIMIT_ID_TEMPLATE_TIME_MS},
    {"agent_time", TIME, true, AT(agent_wall_ms_max), LIMIT_ID_TEMPLATE_TIME_MS},
    {"stage", BYTES, false, AT(limits.stage_bytes_max), LIMIT_ID_TEMPLATE_STAGE},
    {"file", BYTES, false, AT(limits.file_bytes_max), LIMIT_ID_TEMPLATE_STAGE},
    {"output", BYTES, false, AT(limits.output_bytes_max), LIMIT_ID_TEMPLATE_OUTPUT},
    {"read_rate", RATE, true, AT(limits.read_rate_max), LIMIT_ID_TEMPLATE_RATE},
    {"write_rate", RATE, true, AT(limits.write_rate_max), LIMIT_ID_TEMPLATE_RATE},
};

static const char *const top_keys[] = {"version", "name",    "summary", "based_on",
                                       "network", "seccomp", "caches",  "limits"};
static const char *const network_words[] = {"none", "restricted"};
static const char *const seccomp_words[] = {"standard", "strict"};
static const char *const caches_words[] = {"none", "read"};
enum {
    LIMIT_KEY_COUNT = sizeof limit_keys / sizeof limit_keys[0],
    TOP_KEY_COUNT = sizeof top_keys / sizeof top_keys[0],
};

struct reader {
    const struct template_source *source;
    struct template_definition *definition;
    struct error *err;
};

[[gnu::format(printf, 4, 5)]]
static status_t refuse(const struct reader *reader, const struct yaml_node *at, const char *hint,
                       const char *format, ...) {
    char message[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    (void)error_set(reader->err, ERROR_TEMPLATE_INVALID, 0, "%s:%u:%u: %s", reader->source->file,
                    at == nullptr ? 1 : (unsigned)at->line,
                    at == nullptr ? 1 : (unsigned)at->column, message);
    if (hint != nullptr) {
        error_hint(reader->err, "%s", hint);
    }
    return (status_t){ERROR_TEMPLATE_INVALID};
}

/* "Did you mean ...?", or all the words there are. */
static status_t refuse_word(const struct reader *reader, const struct yaml_node *at,
                            const char *what, const char *const *words, size_t count) {
    char hint[256];
    const char *nearest = text_nearest(at->text, words, count);
    if (nearest != nullptr) {
        (void)snprintf(hint, sizeof hint, "Did you mean %s?", nearest);
    } else {
        size_t used = (size_t)snprintf(hint, sizeof hint, "Write one of:");
        for (size_t i = 0; i < count && used < sizeof hint; i++) {
            used += (size_t)snprintf(hint + used, sizeof hint - used, "%s %s", i > 0 ? "," : "",
                                     words[i]);
        }
    }
    CLEANUP(builder_deinit) struct builder shown;
    builder_init(&shown, 4096);
    text_escape(slice_of(at->text, at->size < 64 ? at->size : 64), &shown);
    return refuse(reader, at, hint, "there is no %s '%s'", what, builder_c_string(&shown));
}

static size_t find_word(const char *word, const char *const *words, size_t count) {
    size_t i = 0;
    while (i < count && strcmp(word, words[i]) != 0) {
        i++;
    }
    return i;
}

static status_t read_word(const struct reader *reader, const struct yaml_node *node,
                          const char *const *words, size_t *ret_index) {
    if (node == nullptr) {
        return STATUS_OK;
    }
    if (node->kind != YAML_KIND_SCALAR) {
        return refuse(reader, node, nullptr, "%s is one word", node->key->text);
    }
    size_t index = find_word(node->text, words, 2);
    if (index == 2) {
        return refuse_word(reader, node, node->key->text, words, 2);
    }
    *ret_index = index;
    return STATUS_OK;
}

/* "0.25" in hundredths. */
static bool parse_cpu(const char *text, uint64_t *ret_percent) {
    enum { WHOLE_DIGITS_MAX = 5, PART_DIGITS_MAX = 2 };
    uint64_t value = 0;
    size_t digits = strspn(text, "0123456789");
    const char *rest = text + digits + (text[digits] == '.');
    size_t parts = text[digits] == '.' ? strspn(rest, "0123456789") : 0;
    if (digits == 0 || digits > WHOLE_DIGITS_MAX || rest[parts] != '\0' ||
        parts > PART_DIGITS_MAX || (text[digits] == '.' && parts == 0)) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    for (size_t i = 0; i < PART_DIGITS_MAX; i++) {
        value = value * 10 + (i < parts ? (uint64_t)(rest[i] - '0') : 0);
    }
    *ret_percent = value;
    return true;
}

static bool parse_value(enum value_kind kind, const struct yaml_node *node, uint64_t *ret_value) {
    struct slice text = slice_of(node->text, node->size);
    uint32_t count = 0;
    switch (kind) {
    case BYTES:
    case RATE:
        return units_parse_bytes(text, ret_value) == UNITS_OK;
    case TIME:
        return units_parse_duration(text, ret_value) == UNITS_OK;
    case CPU:
        return parse_cpu(node->text, ret_value);
    case COUNT:
    case WEIGHT:
        if (units_parse_count(text, &count) != UNITS_OK) {
            return false;
        }
        *ret_value = count;
        return true;
    }
    return false;
}

static uint64_t load_number(const struct template_row *row, const struct limit_key *key) {
    const uint8_t *at = (const uint8_t *)row + key->offset;
    uint32_t narrow;
    uint64_t wide;
    if (key->size == sizeof narrow) {
        memcpy(&narrow, at, sizeof narrow);
        return narrow;
    }
    memcpy(&wide, at, sizeof wide);
    return wide;
}

static void store_number(struct template_row *row, const struct limit_key *key, uint64_t value) {
    uint8_t *at = (uint8_t *)row + key->offset;
    uint32_t narrow = (uint32_t)value;
    if (key->size == sizeof narrow) {
        memcpy(at, &narrow, sizeof narrow);
    } else {
        memcpy(at, &value, sizeof value);
    }
}

static status_t read_limit(const struct reader *reader, const struct limit_key *key,
                           const struct yaml_node *node) {
    static const char *const hints[] = {
        [BYTES] = "Write it like: 512MiB, 8GiB",
        [COUNT] = "Write a number.",
        [CPU] = "Write processors, like: 0.25, 1.0, 2",
        [TIME] = "Write it like: 500ms, 30s, 5m, 2h",
        [WEIGHT] = "Write a number; 100 is usual.",
        [RATE] = "Write what is read or written in a second, like: 50MiB",
    };
    uint64_t value = 0;
    bool is_scalar = node->kind == YAML_KIND_SCALAR;
    if (is_scalar && key->may_be_none && strcmp(node->text, "none") == 0) {
        store_number(&reader->definition->row, key, 0);
        return STATUS_OK;
    }
    if (!is_scalar || !parse_value(key->kind, node, &value)) {
        return refuse(reader, node, hints[key->kind], "%s cannot be read", key->name);
    }
    if (value == 0 || limit_past(value > (uint64_t)limit_row(key->most)->value, key->most)) {
        return refuse(reader, node, "The hard limits are listed by: airlock explain limit",
                      "%s is %s", key->name, value == 0 ? "zero" : "past its hard limit");
    }
    if (key->kind == RATE && value < RATE_LEAST) {
        return refuse(reader, node, hints[RATE], "%s is less than 1 MiB in a second", key->name);
    }
    store_number(&reader->definition->row, key, value);
    return STATUS_OK;
}

static status_t read_limits(const struct reader *reader, const struct yaml_node *limits) {
    const char *names[LIMIT_KEY_COUNT];
    for (size_t i = 0; i < LIMIT_KEY_COUNT; i++) {
        names[i] = limit_keys[i].name;
    }
    if (limits == nullptr) {
        return STATUS_OK;
    }
    if (limits->kind != YAML_KIND_MAPPING) {
        return refuse(reader, limits, nullptr, "limits is a map");
    }
    for (const struct yaml_node *node = limits->first; node != nullptr; node = node->next) {
        size_t i = find_word(node->key->text, names, LIMIT_KEY_COUNT);
        if (i == LIMIT_KEY_COUNT) {
            return refuse_word(reader, node->key, "limit", names, LIMIT_KEY_COUNT);
        }
        TRY(read_limit(reader, &limit_keys[i], node));
    }
    return STATUS_OK;
}

static status_t read_base(const struct reader *reader, const struct yaml_node *root) {
    const struct yaml_node *node = yaml_get(root, "based_on");
    if (node == nullptr) {
        return STATUS_OK;
    }
    bool can_be = node->kind == YAML_KIND_SCALAR && reader->source->base != nullptr;
    const struct template_row *base = can_be ? reader->source->base(node->text) : nullptr;
    if (base == nullptr) {
        return refuse(reader, node, "Name one of Airlock's own: airlock doctor --templates",
                      "there is no template of that name to begin with");
    }
    reader->definition->row = *base;
    return STATUS_OK;
}

static status_t read_text(const struct reader *reader, const struct yaml_node *root,
                          const char *key, char *ret_text, size_t capacity) {
    const struct yaml_node *node = yaml_get(root, key);
    if (node == nullptr || node->kind != YAML_KIND_SCALAR || node->size == 0 ||
        node->size >= capacity) {
        return refuse(reader, node != nullptr ? node : root, nullptr,
                      "a template has a %s of 1 to %zu bytes", key, capacity - 1);
    }
    memcpy(ret_text, node->text, (size_t)node->size + 1);
    return STATUS_OK;
}

static status_t read_top(const struct reader *reader, const struct yaml_node *root) {
    struct template_definition *definition = reader->definition;
    for (const struct yaml_node *node = root->first; node != nullptr; node = node->next) {
        if (find_word(node->key->text, top_keys, TOP_KEY_COUNT) == TOP_KEY_COUNT) {
            return refuse_word(reader, node->key, "key", top_keys, TOP_KEY_COUNT);
        }
    }
    const struct yaml_node *version = yaml_get(root, "version");
    if (version == nullptr || version->kind != YAML_KIND_SCALAR ||
        strcmp(version->text, "1") != 0) {
        return refuse(reader, version != nullptr ? version : root, "Write: version: 1",
                      "a template has version 1");
    }
    TRY(read_text(reader, root, "name", definition->name, sizeof definition->name));
    if (strcmp(definition->name, reader->source->name) != 0) {
        return refuse(reader, yaml_get(root, "name"), nullptr,
                      "the name is not that of the file, %s", reader->source->name);
    }
    return read_text(reader, root, "summary", definition->summary, sizeof definition->summary);
}

/* What no key set and no base brought along. */
static status_t check_complete(const struct reader *reader, const struct yaml_node *root) {
    const struct template_row *row = &reader->definition->row;
    for (size_t i = 0; i < LIMIT_KEY_COUNT; i++) {
        if (!limit_keys[i].may_be_none && load_number(row, &limit_keys[i]) == 0) {
            return refuse(reader, root, "Set it, or begin with: based_on: code-executor",
                          "limits has no %s", limit_keys[i].name);
        }
    }
    return row->limits.file_bytes_max <= row->limits.stage_bytes_max
               ? STATUS_OK
               : refuse(reader, root, nullptr, "one file may be larger than all of them together");
}

static status_t read_definition(const struct reader *reader, const struct yaml_node *root) {
    struct template_row *row = &reader->definition->row;
    if (root == nullptr || root->kind != YAML_KIND_MAPPING) {
        return refuse(reader, root, nullptr, "a template is a map");
    }
    TRY(read_top(reader, root));
    TRY(read_base(reader, root));
    size_t network = row->network;
    size_t seccomp = row->seccomp;
    size_t caches = row->caches;
    TRY(read_word(reader, yaml_get(root, "network"), network_words, &network));
    TRY(read_word(reader, yaml_get(root, "seccomp"), seccomp_words, &seccomp));
    TRY(read_word(reader, yaml_get(root, "caches"), caches_words, &caches));
    row->caches = (enum template_caches)caches;
    row->network = (enum template_network)network;
    row->seccomp = (enum seccomp_profile)seccomp;
    TRY(read_limits(reader, yaml_get(root, "limits")));
    return check_complete(reader, root);
}

static void seal(struct template_definition *definition) {
    CLEANUP(builder_deinit) struct builder text;
    CLEANUP(builder_deinit) struct builder hex;
    struct digest digest;
    builder_init(&text, 4096);
    builder_init(&hex, TEMPLATE_DIGEST_BYTES);
    definition->row.name = definition->name;
    definition->row.summary = definition->summary;
    template_format(&definition->row, &text);
    sha256_of(builder_slice(&text), &digest);
    text_hex(slice_of(digest.bytes, DIGEST_BYTES), &hex);
    (void)snprintf(definition->digest, sizeof definition->digest, "%s", builder_c_string(&hex));
    definition->row.digest = definition->digest;
}

bool template_name_is_valid(const char *name) {
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t size = strlen(name);
    bool is_letter = (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z');
    return is_letter && size < TEMPLATE_NAME_BYTES && strspn(name, letters) == size;
}

status_t template_parse(struct slice text, const struct template_source *source,
                        struct template_definition **ret, struct error *err) {
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = nullptr;
    CLEANUP(template_definition_freep)
    struct template_definition *definition = calloc(1, sizeof *definition);
    if (definition == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot read a template");
    }
    struct reader reader = {source, definition, err};
    struct yaml_fault fault = {};
    status_t status = yaml_parse(text, source->file, &fault, &tree, err);
    if (!status_is_ok(status)) {
        struct yaml_node at = {.line = fault.line, .column = fault.column};
        return err->code == ERROR_NO_MEMORY
                   ? status
                   : refuse(&reader, &at, fault.hint[0] != '\0' ? fault.hint : nullptr, "%s",
                            fault.message);
    }
    TRY(read_definition(&reader, yaml_root(tree)));
    seal(definition);
    *ret = TAKE(definition);
    return STATUS_OK;
}

void template_definition_freep(struct template_definition **definition) {
    free(*definition);
    *definition = nullptr;
}

void template_format(const struct template_row *row, struct builder *out) {
    static const char *const units[] = {
        [BYTES] = " bytes", [COUNT] = "",  [CPU] = " %",
        [TIME] = " ms",     [WEIGHT] = "", [RATE] = " bytes a second",
    };
    builder_format(out, "name: %s\nsummary: %s\nnetwork: %s\nseccomp: %s\ncaches: %s\nlimits:\n",
                   row->name, row->summary, network_words[row->network],
                   seccomp_words[row->seccomp], caches_words[row->caches]);
    for (size_t i = 0; i < LIMIT_KEY_COUNT; i++) {
        uint64_t value = load_number(row, &limit_keys[i]);
        if (value == 0) {
            builder_format(out, "  %s: none\n", limit_keys[i].name);
        } else {
            builder_format(out, "  %s: %" PRIu64 "%s\n", limit_keys[i].name, value,
                           units[limit_keys[i].kind]);
        }
    }
}
