/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of keys, and reading a section by it.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/nearest.h"
#include "codec/text.h"
#include "edge/config_internal.h"

enum { KEYS_MAX = 16 };

#define TYPE_TOP struct edge_config
#define TYPE_METRICS struct edge_config
#define TYPE_UPSTREAM struct edge_upstream
#define TYPE_SERVER struct edge_server
#define TYPE_HEALTH struct edge_health
#define TYPE_TLS_OUT struct edge_tls
#define TYPE_LISTENER struct edge_listener
#define TYPE_TLS_IN struct edge_tls
#define TYPE_CLIENT struct edge_tls
#define TYPE_PROXY struct edge_listener
#define TYPE_ROUTE struct edge_route
#define TYPE_LIMITS struct edge_limits

static const struct config_key KEYS[] = {
#define PROXY_KEY(section, key, kind, member, preset, low, high, need, meaning) \
    {CONFIG_IN_##section,                                                       \
     CONFIG_AS_##kind,                                                          \
     (need) != 0,                                                               \
     offsetof(TYPE_##section, member),                                          \
     key,                                                                       \
     preset,                                                                    \
     low,                                                                       \
     high,                                                                      \
     meaning},
#include "proxy_keys.def"
#undef PROXY_KEY
};
enum { KEY_COUNT = sizeof KEYS / sizeof KEYS[0] };

static config_read_fn *const READERS[CONFIG_KIND_COUNT] = {
    [CONFIG_AS_NAME] = config_read_name,         [CONFIG_AS_COUNT] = config_read_count,
    [CONFIG_AS_TIME] = config_read_time,         [CONFIG_AS_BUDGET] = config_read_time,
    [CONFIG_AS_SWITCH] = config_read_switch,     [CONFIG_AS_PATH] = config_read_path,
    [CONFIG_AS_BIND] = config_read_bind,         [CONFIG_AS_HOST] = config_read_host,
    [CONFIG_AS_SNI] = config_read_sni,           [CONFIG_AS_ALPN_NAME] = config_read_alpn_name,
    [CONFIG_AS_ADDRESS] = config_read_address,   [CONFIG_AS_TARGET] = config_read_target,
    [CONFIG_AS_ENGINE] = config_read_word,       [CONFIG_AS_MODE] = config_read_word,
    [CONFIG_AS_PQ] = config_read_word,           [CONFIG_AS_AUTH] = config_read_word,
    [CONFIG_AS_VERSIONS] = config_read_word,     [CONFIG_AS_ALPN_IN] = config_read_alpn,
    [CONFIG_AS_ALPN_OUT] = config_read_alpn,     [CONFIG_AS_PINS] = config_read_pins,
    [CONFIG_AS_NETWORKS] = config_read_networks, [CONFIG_AS_UPSTREAMS] = config_read_upstreams,
    [CONFIG_AS_SERVERS] = config_read_servers,   [CONFIG_AS_LISTENERS] = config_read_listeners,
    [CONFIG_AS_ROUTES] = config_read_routes,     [CONFIG_AS_METRICS] = config_read_part,
    [CONFIG_AS_HEALTH] = config_read_part,       [CONFIG_AS_TLS_OUT] = config_read_part,
    [CONFIG_AS_TLS_IN] = config_read_part,       [CONFIG_AS_CLIENT] = config_read_part,
    [CONFIG_AS_PROXY] = config_read_part,        [CONFIG_AS_LIMITS] = config_read_part,
};

static const char *const NAMES[CONFIG_SECTION_COUNT] = {
    [CONFIG_IN_TOP] = "the configuration", [CONFIG_IN_METRICS] = "metrics",
    [CONFIG_IN_UPSTREAM] = "an upstream",  [CONFIG_IN_SERVER] = "a server",
    [CONFIG_IN_HEALTH] = "health",         [CONFIG_IN_TLS_OUT] = "an upstream's tls",
    [CONFIG_IN_LISTENER] = "a listener",   [CONFIG_IN_TLS_IN] = "a listener's tls",
    [CONFIG_IN_CLIENT] = "client",         [CONFIG_IN_PROXY] = "proxy_protocol",
    [CONFIG_IN_ROUTE] = "a route",         [CONFIG_IN_LIMITS] = "limits",
};

const struct config_key *config_keys(size_t *ret_count) {
    *ret_count = KEY_COUNT;
    return KEYS;
}

const char *config_section_name(enum config_section section) {
    ASSERT(section < CONFIG_SECTION_COUNT);
    return NAMES[section];
}

struct config_shown config_show(const char *text) {
    struct config_shown shown;
    struct builder out;
    builder_init(&out, 2 * sizeof shown.text);
    text_escape_short(slice_of_string(text), 64, &out);
    (void)snprintf(shown.text, sizeof shown.text, "%s", builder_c_string(&out));
    builder_deinit(&out);
    return shown;
}

status_t config_refuse(struct config_reader *reader, const struct yaml_node *at, const char *hint,
                       const char *format, ...) {
    char message[320];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    status_t status = error_set(reader->err, ERROR_PROXY_CONFIG, 0, "%.150s:%u:%u: %s",
                                reader->file, at == nullptr ? 1 : (unsigned)at->line,
                                at == nullptr ? 1 : (unsigned)at->column, message);
    if (hint[0] != '\0') {
        error_hint(reader->err, "%s", hint);
    }
    return status;
}

status_t config_refuse_limit(struct config_reader *reader, const struct yaml_node *at,
                             enum limit_id id, const char *what) {
    const struct limit_row *row = limit_row(id);
    limit_hit(id);
    bool is_count = strcmp(row->unit, "count") == 0;
    (void)config_refuse(reader, at, "", "%s more than %lld%s%s", what, (long long)row->value,
                        is_count ? "" : " ", is_count ? "" : row->unit);
    error_hint(reader->err, "The limit: %s. See: airlock explain limit", row->reason);
    return (status_t){ERROR_PROXY_CONFIG};
}

status_t config_starved(struct config_reader *reader, const struct yaml_node *at) {
    if (arena_is_full(reader->arena)) {
        return config_refuse_limit(reader, at, LIMIT_ID_EDGE_CONFIG_ARENA_BYTES,
                                   "up to here the configuration takes");
    }
    return error_set(reader->err, ERROR_NO_MEMORY, 0, "cannot read %.200s", reader->file);
}

static const struct config_key *find(enum config_section section, const char *name) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (KEYS[i].section == section && strcmp(KEYS[i].name, name) == 0) {
            return &KEYS[i];
        }
    }
    return nullptr;
}

/* The key, or the list of what there is. */
static status_t refuse_key(struct config_reader *reader, const struct yaml_node *key,
                           enum config_section section) {
    const char *names[KEYS_MAX];
    size_t count = 0;
    struct builder hint;
    builder_init(&hint, ERROR_HINT_BYTES_MAX);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (KEYS[i].section == section) {
            ASSERT(count < KEYS_MAX);
            names[count++] = KEYS[i].name;
        }
    }
    const char *nearest = text_nearest(key->text, names, count);
    if (nearest != nullptr) {
        builder_format(&hint, "Did you mean \"%s\"?", nearest);
    } else {
        builder_text(&hint, "There is: ");
        for (size_t i = 0; i < count; i++) {
            builder_format(&hint, "%s%s", i == 0 ? "" : ", ", names[i]);
        }
        builder_text(&hint, ".");
    }
    status_t status =
        config_refuse(reader, key, builder_c_string(&hint), "there is no key \"%s\" in %s",
                      config_show(key->text).text, NAMES[section]);
    builder_deinit(&hint);
    return status;
}

static void store(const struct config_key *key, void *target) {
    void *member = (char *)target + key->offset;
    if (key->kind == CONFIG_AS_COUNT || key->kind == CONFIG_AS_TIME) {
        *(uint32_t *)member = (uint32_t)key->preset;
    } else if (key->kind == CONFIG_AS_BUDGET) {
        *(uint32_t *)member = (uint32_t)key->preset * 1000;
    } else if (key->kind == CONFIG_AS_SWITCH) {
        *(bool *)member = key->preset != 0;
    } else { /* a word: an enum of one byte */
        *(uint8_t *)member = (uint8_t)key->preset;
    }
}

void config_section_preset(enum config_section section, void *target) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (KEYS[i].section == section && KEYS[i].preset >= 0) {
            store(&KEYS[i], target);
        }
    }
}

static status_t refuse_missing(struct config_reader *reader, const struct yaml_node *node,
                               const struct config_key *key) {
    char hint[ERROR_HINT_BYTES_MAX];
    bool is_version = key->kind == CONFIG_AS_COUNT && key->low == key->high;
    (void)snprintf(hint, sizeof hint, is_version ? "Add the line: %s: %lld" : "Add %s: to it.",
                   key->name, (long long)key->low);
    return config_refuse(reader, node, hint, "%s needs %s: %s", NAMES[key->section], key->name,
                         key->meaning);
}

static status_t read_key(struct config_reader *reader, const struct yaml_node *node,
                         const struct config_key *key, void *target) {
    const struct yaml_node *value = yaml_get(node, key->name);
    if (value != nullptr) {
        const struct config_value read = {key, value, target, (char *)target + key->offset};
        return READERS[key->kind](reader, &read);
    }
    return key->is_needed ? refuse_missing(reader, node, key) : STATUS_OK;
}

status_t config_section_read(struct config_reader *reader, const struct yaml_node *node,
                             enum config_section section, void *target) {
    if (node->kind != YAML_KIND_MAPPING) {
        return config_refuse(reader, node, "Write it as key: value, or {key: value, ...}.",
                             "%s must be a mapping of keys", NAMES[section]);
    }
    for (const struct yaml_node *value = node->first; value != nullptr; value = value->next) {
        if (find(section, value->key->text) == nullptr) {
            return refuse_key(reader, value->key, section);
        }
    }
    config_section_preset(section, target);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (KEYS[i].section == section) {
            TRY(read_key(reader, node, &KEYS[i], target));
        }
    }
    return STATUS_OK;
}
