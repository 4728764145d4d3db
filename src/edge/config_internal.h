/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared by config*.c only: what reads one section of the file by the rows of
 * schema/proxy_keys.def. A reader stops at the first error, because most others follow from it.
 */
#pragma once

#include "base/limits.h"
#include "codec/yaml.h"
#include "edge/config.h"

enum config_section : uint8_t {
    CONFIG_IN_TOP,      /* struct edge_config */
    CONFIG_IN_METRICS,  /* struct edge_config */
    CONFIG_IN_UPSTREAM, /* struct edge_upstream */
    CONFIG_IN_SERVER,   /* struct edge_server */
    CONFIG_IN_HEALTH,   /* struct edge_health */
    CONFIG_IN_TLS_OUT,  /* struct edge_tls */
    CONFIG_IN_LISTENER, /* struct edge_listener */
    CONFIG_IN_TLS_IN,   /* struct edge_tls */
    CONFIG_IN_CLIENT,   /* struct edge_tls */
    CONFIG_IN_PROXY,    /* struct edge_listener */
    CONFIG_IN_ROUTE,    /* struct edge_route */
    CONFIG_IN_LIMITS,   /* struct edge_limits */
    CONFIG_SECTION_COUNT,
};

/* How a value is written. */
enum config_kind : uint8_t {
    /* one value */
    CONFIG_AS_NAME,
    CONFIG_AS_COUNT,
    CONFIG_AS_TIME,
    CONFIG_AS_BUDGET, /* a time; kept in microseconds */
    CONFIG_AS_SWITCH,
    CONFIG_AS_PATH,
    CONFIG_AS_BIND,
    CONFIG_AS_HOST,
    CONFIG_AS_SNI,
    CONFIG_AS_ALPN_NAME,
    CONFIG_AS_ADDRESS,
    CONFIG_AS_TARGET,
    /* one of some words */
    CONFIG_AS_ENGINE,
    CONFIG_AS_MODE,
    CONFIG_AS_PQ,
    CONFIG_AS_AUTH,
    CONFIG_AS_VERSIONS,
    /* lists of values */
    CONFIG_AS_ALPN_IN,
    CONFIG_AS_ALPN_OUT,
    CONFIG_AS_PINS,
    CONFIG_AS_NETWORKS,
    /* lists of sections */
    CONFIG_AS_UPSTREAMS,
    CONFIG_AS_SERVERS,
    CONFIG_AS_LISTENERS,
    CONFIG_AS_ROUTES,
    /* sections */
    CONFIG_AS_METRICS,
    CONFIG_AS_HEALTH,
    CONFIG_AS_TLS_OUT,
    CONFIG_AS_TLS_IN,
    CONFIG_AS_CLIENT,
    CONFIG_AS_PROXY,
    CONFIG_AS_LIMITS,
    CONFIG_KIND_COUNT,
};

struct config_key {
    enum config_section section;
    enum config_kind kind;
    bool is_needed;
    uint16_t offset; /* of the member in the section's struct */
    const char *name;
    int64_t preset, low, high;
    const char *meaning;
};

struct config_reader {
    const char *file; /* as errors name it */
    struct arena *arena;
    struct edge_config *config;
    struct error *err;
};

/* The rows, and how many there are. */
const struct config_key *config_keys(size_t *ret_count);
/* The words of a kind that is one of some; nullptr for another. */
const char *const *config_words(enum config_kind kind, size_t *ret_count);

/* An error at a place of the file. */
[[gnu::format(printf, 4, 5)]]
status_t config_refuse(struct config_reader *reader, const struct yaml_node *at, const char *hint,
                       const char *format, ...);
/* The same for a limit, which counts it. */
status_t config_refuse_limit(struct config_reader *reader, const struct yaml_node *at,
                             enum limit_id id, const char *what);
status_t config_starved(struct config_reader *reader, const struct yaml_node *at);
/* A user's text as it may stand in a message. */
struct config_shown {
    char text[96];
};
struct config_shown config_show(const char *text);

/* Gives every key of the section its preset, then reads what `node` has into `target`, which is the
 * section's struct. Keys are read in the order of the table, not of the file, so that a route finds
 * the upstream that stands below it. */
status_t config_section_read(struct config_reader *reader, const struct yaml_node *node,
                             enum config_section section, void *target);
/* The presets alone. */
void config_section_preset(enum config_section section, void *target);
const char *config_section_name(enum config_section section); /* "a listener" */

/* The readers of values: config_values.c, config_address.c, config_lists.c, config_parts.c. */
struct config_value {
    const struct config_key *key;
    const struct yaml_node *node;
    void *target; /* the section's struct */
    void *member;
};
typedef status_t config_read_fn(struct config_reader *reader, const struct config_value *value);
config_read_fn config_read_name, config_read_count, config_read_time, config_read_switch,
    config_read_path, config_read_word, config_read_bind, config_read_host, config_read_sni,
    config_read_alpn_name, config_read_address, config_read_target, config_read_alpn,
    config_read_pins, config_read_networks, config_read_upstreams, config_read_servers,
    config_read_listeners, config_read_routes, config_read_part;

/* A scalar that is a text, not empty and not null. */
status_t config_is_text(struct config_reader *reader, const struct config_value *value);
/* A list with low..high items. */
status_t config_is_list(struct config_reader *reader, const struct config_value *value);
/* "unix:///PATH" behind its prefix; sets what bind(2) takes. */
status_t config_unix_path(struct config_reader *reader, const struct yaml_node *node,
                          struct edge_bind *ret_bind);
bool config_is_alpn(struct slice name);

/* What does not go together: config_check.c, config_check_routes.c. */
status_t config_check_upstream(struct config_reader *reader, const struct yaml_node *node,
                               const struct edge_upstream *upstream);
status_t config_check_listener(struct config_reader *reader, const struct yaml_node *node,
                               const struct edge_listener *listener);
status_t config_check_routes(struct config_reader *reader, const struct yaml_node *node,
                             const struct edge_listener *listener);
status_t config_check_binds(struct config_reader *reader, const struct yaml_node *root);
bool config_binds_clash(const struct edge_bind *a, const struct edge_bind *b);
