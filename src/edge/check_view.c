/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "codec/text.h"
#include "edge/check.h"
#include "edge/config_internal.h"
#include "edge/program_verbs.h"
#include "edge/table.h"

enum { TABLE_BYTES_MAX = 4 << 20, SERVERS_SHOWN = 4 };

static const char *word(enum config_kind kind, uint8_t value) {
    size_t count;
    return config_words(kind, &count)[value];
}

static void add_text(struct builder *out, const char *text) {
    text_escape(slice_of_string(text), out);
}

static void add_upstream(const struct edge_upstream *upstream, struct builder *out) {
    builder_format(out, "%s: ", upstream->name);
    for (uint32_t i = 0; i < upstream->server_count && i < SERVERS_SHOWN; i++) {
        const struct edge_server *server = &upstream->servers[i];
        builder_text(out, i == 0 ? "" : ", ");
        add_text(out, server->address);
        if (server->weight != 1) {
            builder_format(out, " x%u", (unsigned)server->weight);
        }
    }
    if (upstream->server_count > SERVERS_SHOWN) {
        builder_format(out, " and %u more", (unsigned)upstream->server_count - SERVERS_SHOWN);
    }
    if (upstream->tls.is_there) {
        builder_format(out, "; TLS, pq %s", word(CONFIG_AS_PQ, upstream->pq));
    }
    if (upstream->health.is_there) {
        builder_format(out, "; tried %severy %g s", upstream->health.tls ? "by TLS " : "",
                       upstream->health.interval_ms / 1000.0);
    }
}

static void add_route(const struct edge_config *config, const struct edge_route *route,
                      struct builder *out) {
    builder_text(out, route->sni[0] != '\0' ? route->sni : "any");
    if (route->alpn[0] != '\0') {
        builder_text(out, " ");
        add_text(out, route->alpn);
    }
    builder_text(out, "\t");
    add_upstream(&config->upstreams[route->upstream], out);
    builder_text(out, "\n");
}

static void print_listeners(const struct edge_config *config, struct builder *out) {
    builder_reset(out);
    builder_text(out, "LISTENER\tBIND\tMODE\tPQ\tROUTE\tUPSTREAM\n");
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct edge_listener *listener = &config->listeners[i];
        builder_format(out, "%s\t", listener->name);
        add_text(out, listener->bind.text);
        builder_format(out, "\t%s\t%s\t", word(CONFIG_AS_MODE, listener->mode),
                       listener->tls.is_there ? word(CONFIG_AS_PQ, listener->pq) : "-");
        for (uint32_t k = 0; k < listener->route_count; k++) {
            builder_text(out, k == 0 ? "" : "\t\t\t\t");
            add_route(config, &listener->routes[k], out);
        }
        builder_text(out, listener->route_count == 0 ? "-\t-\n" : "");
    }
    table_print(builder_slice(out));
}

static void add_certificate(const struct certificates *certificates, struct builder *out) {
    char key[CERTIFICATE_KEY_TEXT_BYTES];
    if (certificates->leaf == nullptr) {
        builder_text(out, "\t-\t-\t-\n");
        return;
    }
    builder_text(out, "\t");
    certificate_names(certificates->leaf, out);
    builder_format(out, "\t%s\t%d\n", certificate_key_text(certificates->key, key),
                   certificate_days(certificates->leaf));
}

static void print_certificates(const struct check *check, struct builder *out) {
    builder_reset(out);
    builder_text(out, "TLS OF\tCERTIFICATE\tNAMES\tKEY\tDAYS LEFT\n");
    for (size_t i = 0; i < check->tls_count; i++) {
        const struct check_tls *row = &check->tls[i];
        builder_format(out, "%s %s\t", row->of_what, row->name);
        add_text(out, row->tls->certificate_file[0] != '\0' ? row->tls->certificate_file : "none");
        if (row->state == CHECK_FINE) {
            add_certificate(row->certificates, out);
        } else {
            builder_text(out, row->state == CHECK_WRONG
                                  ? "\tcannot be used; see below\t-\t-\n"
                                  : "\tis made at the first start, for development\t-\t-\n");
        }
    }
    table_print(builder_slice(out));
}

static void print_warnings(const struct check *check) {
    for (size_t i = 0; i < check->tls_count; i++) {
        const struct certificates *certificates = check->tls[i].certificates;
        for (uint32_t k = 0; certificates != nullptr && k < certificates->warning_count; k++) {
            (void)printf("warning: %s %s: %s\n", check->tls[i].of_what, check->tls[i].name,
                         certificates->warnings[k]);
        }
    }
    for (uint32_t i = 0; i < check->config->upstream_count; i++) {
        if (!check_is_used(check->config, i)) {
            (void)printf("warning: no route leads to upstream %s\n",
                         check->config->upstreams[i].name);
        }
    }
}

void check_print(const struct check *check) {
    const struct edge_config *config = check->config;
    struct builder out;
    builder_init(&out, TABLE_BYTES_MAX);
    print_listeners(config, &out);
    if (check->tls_count > 0) {
        (void)printf("\n");
        print_certificates(check, &out);
    }
    builder_deinit(&out);
    (void)printf("\n  engine %s, ", word(CONFIG_AS_ENGINE, config->engine));
    if (config->workers == 0) {
        (void)printf("a worker for each processor");
    } else {
        (void)printf("%u workers", (unsigned)config->workers);
    }
    (void)printf(", drains %g s, %s%s\n\n", config->drain_ms / 1000.0,
                 config->has_metrics ? "metrics on " : "no metrics",
                 config->has_metrics ? config->metrics.text : "");
    print_warnings(check);
    if (check->wrong_count == 0) {
        (void)printf("OK  the configuration can be put in force\n");
    }
}

/* --- JSON --- */

static struct json *upstream_json(const struct edge_upstream *upstream) {
    struct json *object = json_object_new();
    struct json *servers = json_array_new();
    json_set_text(object, "name", upstream->name);
    json_set_bool(object, "tls", upstream->tls.is_there);
    if (upstream->tls.is_there) {
        json_set_text(object, "pq", word(CONFIG_AS_PQ, upstream->pq));
    }
    for (uint32_t i = 0; i < upstream->server_count; i++) {
        struct json *server = json_object_new();
        program_set_text(server, "addr", upstream->servers[i].address);
        json_set_integer(server, "weight", upstream->servers[i].weight);
        json_append(servers, server);
    }
    json_set(object, "servers", servers);
    return object;
}

static struct json *listener_json(const struct edge_config *config,
                                  const struct edge_listener *listener) {
    struct json *object = json_object_new();
    struct json *routes = json_array_new();
    json_set_text(object, "name", listener->name);
    program_set_text(object, "bind", listener->bind.text);
    json_set_text(object, "mode", word(CONFIG_AS_MODE, listener->mode));
    if (listener->tls.is_there) {
        json_set_text(object, "pq", word(CONFIG_AS_PQ, listener->pq));
    }
    for (uint32_t i = 0; i < listener->route_count; i++) {
        const struct edge_route *route = &listener->routes[i];
        struct json *row = json_object_new();
        json_set_text(row, "sni", route->sni);
        json_set_text(row, "alpn", route->alpn);
        json_set_text(row, "to", config->upstreams[route->upstream].name);
        json_append(routes, row);
    }
    json_set(object, "routes", routes);
    return object;
}

static struct json *certificate_json(const struct check_tls *row) {
    struct json *object = json_object_new();
    char key[CERTIFICATE_KEY_TEXT_BYTES];
    char of[160];
    (void)snprintf(of, sizeof of, "%s %s", row->of_what, row->name);
    json_set_text(object, "of", of);
    program_set_text(object, "file", row->tls->certificate_file);
    if (row->state == CHECK_FINE && row->certificates->leaf != nullptr) {
        struct builder text;
        builder_init(&text, TABLE_BYTES_MAX);
        certificate_names(row->certificates->leaf, &text);
        json_set_text(object, "names", builder_c_string(&text));
        builder_reset(&text);
        text_hex(slice_of(row->certificates->spki, EDGE_SPKI_BYTES), &text);
        json_set_text(object, "spki_sha256", builder_c_string(&text));
        builder_deinit(&text);
        json_set_text(object, "key", certificate_key_text(row->certificates->key, key));
        json_set_integer(object, "days_left", certificate_days(row->certificates->leaf));
    }
    json_set_bool(object, "made_at_start", row->state == CHECK_WILL_BE_MADE);
    if (row->state == CHECK_WRONG) {
        json_set_text(object, "error", error_slug(row->err.code));
        program_set_text(object, "message", row->err.message);
        program_set_text(object, "hint", error_effective_hint(&row->err));
    }
    struct json *warnings = json_array_new();
    for (uint32_t i = 0; row->certificates != nullptr && i < row->certificates->warning_count;
         i++) {
        struct builder text;
        builder_init(&text, TABLE_BYTES_MAX);
        add_text(&text, row->certificates->warnings[i]);
        json_append_text(warnings, builder_c_string(&text));
        builder_deinit(&text);
    }
    json_set(object, "warnings", warnings);
    return object;
}

struct json *check_json(const struct check *check) {
    const struct edge_config *config = check->config;
    struct json *answer = json_object_new();
    struct json *listeners = json_array_new(), *upstreams = json_array_new();
    struct json *certificates = json_array_new();
    json_set_bool(answer, "valid", check->wrong_count == 0);
    for (uint32_t i = 0; i < config->listener_count; i++) {
        json_append(listeners, listener_json(config, &config->listeners[i]));
    }
    for (uint32_t i = 0; i < config->upstream_count; i++) {
        struct json *upstream = upstream_json(&config->upstreams[i]);
        json_set_bool(upstream, "used", check_is_used(config, i));
        json_append(upstreams, upstream);
    }
    for (size_t i = 0; i < check->tls_count; i++) {
        json_append(certificates, certificate_json(&check->tls[i]));
    }
    json_set(answer, "listeners", listeners);
    json_set(answer, "upstreams", upstreams);
    json_set(answer, "tls", certificates);
    json_set_text(answer, "engine", word(CONFIG_AS_ENGINE, config->engine));
    if (config->has_metrics) {
        program_set_text(answer, "metrics", config->metrics.text);
    }
    return answer;
}
