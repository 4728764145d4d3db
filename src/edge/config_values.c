/* SPDX-License-Identifier: Apache-2.0
 *
 * Single values: numbers, times, words, names, paths.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "codec/nearest.h"
#include "codec/units.h"
#include "edge/config_internal.h"

static const char *const ENGINES[] = {"auto", "io_uring", "epoll"};
static const char *const MODES[] = {"terminate", "reencrypt", "originate", "passthrough", "echo"};
static const char *const PQS[] = {"require", "prefer", "off"};
static const char *const AUTHS[] = {"none", "request", "require"};
static const char *const VERSIONS[] = {"none", "v1", "v2"};

const char *const *config_words(enum config_kind kind, size_t *ret_count) {
    switch ((int)kind) {
    case CONFIG_AS_ENGINE:
        *ret_count = sizeof ENGINES / sizeof ENGINES[0];
        return ENGINES;
    case CONFIG_AS_MODE:
        *ret_count = sizeof MODES / sizeof MODES[0];
        return MODES;
    case CONFIG_AS_PQ:
        *ret_count = sizeof PQS / sizeof PQS[0];
        return PQS;
    case CONFIG_AS_AUTH:
        *ret_count = sizeof AUTHS / sizeof AUTHS[0];
        return AUTHS;
    case CONFIG_AS_VERSIONS:
        *ret_count = sizeof VERSIONS / sizeof VERSIONS[0];
        return VERSIONS;
    default:
        return nullptr;
    }
}

status_t config_is_text(struct config_reader *reader, const struct config_value *value) {
    const struct yaml_node *node = value->node;
    if (node->kind != YAML_KIND_SCALAR) {
        return config_refuse(reader, node, "Write one value here.",
                             "%s must be one value, not a %s", value->key->name,
                             node->kind == YAML_KIND_MAPPING ? "mapping" : "list");
    }
    if (yaml_is_null(node) || node->size == 0) {
        return config_refuse(reader, node->key != nullptr ? node->key : node,
                             "Give it a value, or take it out.", "%s has no value",
                             value->key->name);
    }
    return STATUS_OK;
}

static status_t copy(struct config_reader *reader, const struct config_value *value) {
    const struct yaml_node *node = value->node;
    const char *text = arena_text(reader->arena, slice_of(node->text, node->size));
    if (text == nullptr) {
        return config_starved(reader, node);
    }
    *(const char **)value->member = text;
    return STATUS_OK;
}

status_t config_read_name(struct config_reader *reader, const struct config_value *value) {
    static const char LETTERS[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    TRY(config_is_text(reader, value));
    const char *text = value->node->text;
    if (text[strspn(text, LETTERS)] != '\0') {
        return config_refuse(reader, value->node,
                             "A name has letters, digits, dots, dashes and underscores.",
                             "\"%s\" is no name", config_show(text).text);
    }
    if (value->node->size > LIMIT_EDGE_NAME_BYTES) {
        return config_refuse_limit(reader, value->node, LIMIT_ID_EDGE_NAME_BYTES, "this name has");
    }
    return copy(reader, value);
}

/* As it is written: in the largest unit that fits. */
static void show_bound(const struct config_key *key, int64_t bound, char text[static 32]) {
    static const struct {
        int64_t ms;
        const char *unit;
    } UNITS[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    size_t at = 0;
    if (key->kind == CONFIG_AS_COUNT) {
        (void)snprintf(text, 32, "%lld", (long long)bound);
        return;
    }
    while (bound > 0 && bound % UNITS[at].ms != 0) {
        at++;
    }
    (void)snprintf(text, 32, "%lld%s", (long long)(bound / UNITS[at].ms),
                   bound > 0 ? UNITS[at].unit : "s");
}

static status_t refuse_range(struct config_reader *reader, const struct config_value *value) {
    const struct config_key *key = value->key;
    char hint[96], low[32], high[32];
    show_bound(key, key->low, low);
    show_bound(key, key->high, high);
    if (key->low == key->high) {
        (void)snprintf(hint, sizeof hint, "Write %s: %s", key->name, low);
    } else {
        (void)snprintf(hint, sizeof hint, "Write a value from %s to %s.", low, high);
    }
    return config_refuse(reader, value->node, hint, "%s cannot be %s", key->name,
                         config_show(value->node->text).text);
}

status_t config_read_count(struct config_reader *reader, const struct config_value *value) {
    TRY(config_is_text(reader, value));
    const struct config_key *key = value->key;
    uint32_t count = 0;
    enum units_result result =
        units_parse_count(slice_of(value->node->text, value->node->size), &count);
    if (result == UNITS_OVERFLOW) {
        return refuse_range(reader, value);
    }
    if (result != UNITS_OK) {
        return config_refuse(reader, value->node, "Write decimal digits alone.",
                             "%s must be a number, not \"%s\"", key->name,
                             config_show(value->node->text).text);
    }
    if (count < key->low || count > key->high) {
        return refuse_range(reader, value);
    }
    *(uint32_t *)value->member = count;
    return STATUS_OK;
}

status_t config_read_time(struct config_reader *reader, const struct config_value *value) {
    TRY(config_is_text(reader, value));
    const struct config_key *key = value->key;
    uint64_t ms = 0;
    enum units_result result =
        units_parse_duration(slice_of(value->node->text, value->node->size), &ms);
    if (result == UNITS_OVERFLOW) {
        return refuse_range(reader, value);
    }
    if (result != UNITS_OK) {
        return config_refuse(reader, value->node,
                             "Write digits with a unit, ms, s, m or h: 500ms, 10s.",
                             "%s is no time: \"%s\" %s", key->name,
                             config_show(value->node->text).text, units_result_text(result));
    }
    if (ms < (uint64_t)key->low || ms > (uint64_t)key->high) {
        return refuse_range(reader, value);
    }
    *(uint32_t *)value->member = (uint32_t)ms * (key->kind == CONFIG_AS_BUDGET ? 1000 : 1);
    return STATUS_OK;
}

status_t config_read_switch(struct config_reader *reader, const struct config_value *value) {
    TRY(config_is_text(reader, value));
    bool is_on = strcmp(value->node->text, "true") == 0;
    if (!is_on && strcmp(value->node->text, "false") != 0) {
        return config_refuse(reader, value->node, "Write true or false.",
                             "%s must be true or false, not \"%s\"", value->key->name,
                             config_show(value->node->text).text);
    }
    *(bool *)value->member = is_on;
    return STATUS_OK;
}

static status_t refuse_word(struct config_reader *reader, const struct config_value *value,
                            const char *const *words, size_t count) {
    const char *nearest = text_nearest(value->node->text, words, count);
    struct builder hint;
    builder_init(&hint, ERROR_HINT_BYTES_MAX);
    if (nearest != nullptr) {
        builder_format(&hint, "Did you mean \"%s\"?", nearest);
    } else {
        for (size_t i = 0; i < count; i++) {
            builder_format(&hint, "%s%s", i == 0 ? "There is: " : ", ", words[i]);
        }
        builder_text(&hint, ".");
    }
    status_t status =
        config_refuse(reader, value->node, builder_c_string(&hint), "%s cannot be \"%s\"",
                      value->key->name, config_show(value->node->text).text);
    builder_deinit(&hint);
    return status;
}

status_t config_read_word(struct config_reader *reader, const struct config_value *value) {
    size_t count = 0;
    const char *const *words = config_words(value->key->kind, &count);
    ASSERT(words != nullptr);
    TRY(config_is_text(reader, value));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(value->node->text, words[i]) == 0) {
            *(uint8_t *)value->member = (uint8_t)i;
            return STATUS_OK;
        }
    }
    return refuse_word(reader, value, words, count);
}

/* A relative path counts from the folder of the configuration. */
status_t config_read_path(struct config_reader *reader, const struct config_value *value) {
    TRY(config_is_text(reader, value));
    const char *folder = reader->config->folder;
    const struct yaml_node *node = value->node;
    if (node->text[0] == '/' || folder[0] == '\0') {
        return copy(reader, value);
    }
    size_t size = strlen(folder) + 1 + node->size + 1;
    char *path = arena_alloc(reader->arena, size);
    if (path == nullptr) {
        return config_starved(reader, node);
    }
    (void)snprintf(path, size, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, node->text);
    *(const char **)value->member = path;
    return STATUS_OK;
}

bool config_is_alpn(struct slice name) {
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] <= ' ' || name.data[i] > '~') {
            return false;
        }
    }
    return name.size > 0 && name.size <= 255;
}

status_t config_read_alpn_name(struct config_reader *reader, const struct config_value *value) {
    TRY(config_is_text(reader, value));
    if (!config_is_alpn(slice_of(value->node->text, value->node->size))) {
        return config_refuse(reader, value->node,
                             "See IANA's list of ALPN protocol IDs: h2, http/1.1, mqtt ...",
                             "\"%s\" is no ALPN protocol", config_show(value->node->text).text);
    }
    return copy(reader, value);
}

status_t config_read_target(struct config_reader *reader, const struct config_value *value) {
    enum { NAMES_MAX = 64 };
    const char *names[NAMES_MAX];
    const struct edge_config *config = reader->config;
    TRY(config_is_text(reader, value));
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        if (strcmp(config->upstreams[i].name, value->node->text) == 0) {
            *(uint32_t *)value->member = i;
            return STATUS_OK;
        }
        names[i < NAMES_MAX ? i : 0] = config->upstreams[i].name;
    }
    size_t count = config->upstream_count < NAMES_MAX ? config->upstream_count : NAMES_MAX;
    const char *nearest = text_nearest(value->node->text, names, count);
    char hint[128] = "List it under upstreams: with its servers.";
    if (nearest != nullptr) {
        (void)snprintf(hint, sizeof hint, "Did you mean \"%.64s\"?", nearest);
    }
    return config_refuse(reader, value->node, hint, "there is no upstream \"%s\"",
                         config_show(value->node->text).text);
}
