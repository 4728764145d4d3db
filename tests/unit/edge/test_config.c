/* SPDX-License-Identifier: Apache-2.0
 *
 * What a good configuration becomes; files that cannot be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/hash.h"
#include "edge/config.h"

static struct edge_config *parse(const char *text) {
    struct edge_config *config = nullptr;
    struct error err = {};
    if (!status_is_ok(
            edge_config_parse(slice_of_string(text), "/etc/airlock/proxy.yaml", &config, &err))) {
        fail_msg("%s", err.message);
    }
    return config;
}

static const char WHOLE[] =
    "version: 1\nengine: epoll\nworkers: 3\ndrain: 500ms\n"
    "metrics: {bind: \"tcp://127.0.0.1:9443\"}\n"
    "listeners:\n"
    "- name: front\n  bind: tcp://[::]:8443\n  mode: terminate\n  pq: require\n"
    "  tls:\n    cert: c.pem\n    key: /k.pem\n    attest: true\n    dev: false\n"
    "    client:\n      auth: request\n      ca: ../ca.pem\n"
    "      pins: [AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=]\n"
    "  alpn: [h2, http/1.1]\n"
    "  proxy_protocol: {in: [10.0.0.0/8, \"::1\"], out: v2}\n"
    "  routes: [{sni: \"*.Example.org\", alpn: h2, to: web}, {to: web}]\n"
    "  limits: {connections: 5, handshake_budget: 50ms, first_byte: 2s, idle: 1m}\n"
    "- {name: dns, bind: \"udp://127.0.0.1:5353\", mode: passthrough, routes: [{to: names}],\n"
    "   limits: {sessions: 9, session_idle: 5s, connections_per_prefix: 7}}\n"
    "- {name: out, bind: \"unix:///run/out.sock\", mode: originate, routes: [{to: far}]}\n"
    "upstreams:\n"
    "- name: web\n  servers: [{addr: \"Host.local:80\", weight: 3}, {addr: \"[::1]:81\"}]\n"
    "  alpn: [h2, http/1.1]\n  health: {interval: 1s, timeout: 500ms}\n"
    "- {name: names, servers: [{addr: \"9.9.9.9:53\"}]}\n"
    "- {name: far, servers: [{addr: \"unix:///run/far.sock\"}], pq: prefer,\n"
    "   tls: {server_name: Far.example, cert: c, key: k}}\n";

static void a_listener_is_what_it_says(void **state) {
    (void)state;
    struct edge_config *config = parse(WHOLE);
    assert_int_equal(config->listener_count, 3);
    const struct edge_listener *front = &config->listeners[0];
    assert_string_equal(front->name, "front");
    assert_int_equal(front->line, 7);
    assert_int_equal(front->bind.transport, EDGE_TCP);
    assert_int_equal(front->bind.address.ss_family, AF_INET6);
    assert_int_equal(((const struct sockaddr_in6 *)&front->bind.address)->sin6_port, htons(8443));
    assert_int_equal(front->mode, EDGE_TERMINATE);
    assert_int_equal(front->pq, EDGE_PQ_REQUIRE);
    assert_string_equal(front->alpn[1], "http/1.1");
    assert_int_equal(front->proxy_out, EDGE_PROXY_V2);
    assert_int_equal(front->limits.connections, 5);
    assert_int_equal(front->limits.handshake_us_per_s, 50000);
    assert_int_equal(front->limits.first_byte_ms, 2000);
    assert_int_equal(front->limits.hello_ms, LIMIT_EDGE_HELLO_MS);
    assert_int_equal(front->limits.connections_per_prefix, LIMIT_EDGE_PREFIX_CONNECTIONS);
    assert_string_equal(front->routes[0].sni, "*.example.org");
    assert_string_equal(front->routes[0].alpn, "h2");
    assert_string_equal(front->routes[1].sni, "");
    assert_int_equal(front->routes[1].upstream, 0);
    edge_config_free(config);
}

static void tls_is_what_it_says(void **state) {
    (void)state;
    struct edge_config *config = parse(WHOLE);
    const struct edge_tls *tls = &config->listeners[0].tls;
    assert_true(tls->is_there && tls->attest && !tls->dev);
    assert_string_equal(tls->certificate_file, "/etc/airlock/c.pem");
    assert_string_equal(tls->key_file, "/k.pem");
    assert_string_equal(tls->ca_file, "/etc/airlock/../ca.pem");
    assert_int_equal(tls->client, EDGE_CLIENT_REQUEST);
    assert_int_equal(tls->pin_count, 1);
    for (uint8_t i = 0; i < EDGE_SPKI_BYTES; i++) {
        assert_int_equal(tls->pins[0].bytes[i], i);
    }
    const struct edge_tls *far = &config->upstreams[2].tls;
    assert_string_equal(far->server_name, "far.example");
    assert_string_equal(far->ca_file, "");
    assert_int_equal(config->upstreams[2].pq, EDGE_PQ_PREFER);
    assert_false(config->listeners[1].tls.is_there);
    assert_string_equal(config->listeners[1].tls.certificate_file, "");
    edge_config_free(config);
}

static void networks_are_ipv6_with_ipv4_mapped(void **state) {
    (void)state;
    static const uint8_t ten[16] = {[10] = 0xff, [11] = 0xff, [12] = 10};
    static const uint8_t loopback[16] = {[15] = 1};
    struct edge_config *config = parse(WHOLE);
    const struct edge_network *networks = config->listeners[0].proxy_from;
    assert_int_equal(config->listeners[0].proxy_from_count, 2);
    assert_memory_equal(networks[0].bytes, ten, 16);
    assert_int_equal(networks[0].bits, 104);
    assert_memory_equal(networks[1].bytes, loopback, 16);
    assert_int_equal(networks[1].bits, 128);
    edge_config_free(config);
}

static void upstreams_are_found_wherever_they_stand(void **state) {
    (void)state;
    struct edge_config *config = parse(WHOLE);
    const struct edge_upstream *web = &config->upstreams[0];
    assert_string_equal(web->servers[0].address, "Host.local:80");
    assert_string_equal(web->servers[0].host, "host.local");
    assert_int_equal(web->servers[0].port, 80);
    assert_int_equal(web->servers[0].weight, 3);
    assert_string_equal(web->servers[1].host, "::1");
    assert_int_equal(web->servers[1].weight, 1);
    assert_true(web->health.is_there);
    assert_int_equal(web->health.interval_ms, 1000);
    assert_int_equal(web->health.fall, 3);
    assert_int_equal(config->listeners[1].routes[0].upstream, 1);
    assert_int_equal(config->listeners[2].routes[0].upstream, 2);
    assert_string_equal(config->upstreams[2].servers[0].path, "/run/far.sock");
    assert_string_equal(config->upstreams[2].servers[0].host, "");
    assert_int_equal(config->upstreams[1].pq, EDGE_PQ_REQUIRE);
    edge_config_free(config);
}

/* A default that another value rules out gives way to it: nobody wrote it. */
static void defaults_give_way(void **state) {
    (void)state;
    struct edge_config *config =
        parse("version: 1\n"
              "upstreams:\n"
              "- {name: a, servers: [{addr: \"h:1\"}], health: {interval: 1s}}\n"
              "- {name: b, servers: [{addr: \"h:1\"}], health: {interval: 10s}}\n"
              "- {name: c, servers: [{addr: \"h:1\"}], health: {interval: 3s, timeout: 3s}}\n"
              "listeners:\n"
              "- {name: d, bind: \"tcp://[::]:1\", mode: echo, limits: {handshake: 3s}}\n"
              "- {name: e, bind: \"tcp://[::]:2\", mode: echo, limits: {handshake: 30s}}\n");
    assert_int_equal(config->upstreams[0].health.timeout_ms, 1000);
    assert_int_equal(config->upstreams[1].health.timeout_ms, 2000);
    assert_int_equal(config->upstreams[2].health.timeout_ms, 3000);
    assert_int_equal(config->listeners[0].limits.hello_ms, 3000);
    assert_int_equal(config->listeners[1].limits.hello_ms, 5000);
    edge_config_free(config);
}

static void the_rest_is_what_it_says(void **state) {
    (void)state;
    struct edge_config *config = parse(WHOLE);
    struct digest digest;
    sha256_of(slice_of_string(WHOLE), &digest);
    assert_memory_equal(config->digest, digest.bytes, sizeof digest.bytes);
    assert_string_equal(config->file, "/etc/airlock/proxy.yaml");
    assert_string_equal(config->folder, "/etc/airlock");
    assert_int_equal(config->engine, EDGE_ENGINE_EPOLL);
    assert_int_equal(config->workers, 3);
    assert_int_equal(config->drain_ms, 500);
    assert_true(config->has_metrics);
    assert_int_equal(config->listeners[1].bind.transport, EDGE_UDP);
    assert_int_equal(config->listeners[1].limits.sessions, 9);
    const struct sockaddr_un *out = (const void *)&config->listeners[2].bind.address;
    assert_string_equal(out->sun_path, "/run/out.sock");
    edge_config_free(config);
}

static void what_is_not_said_has_its_preset(void **state) {
    (void)state;
    struct edge_config *config =
        parse("version: 1\nlisteners: [{name: e, bind: \"tcp://[::1]:1\", mode: echo}]\n");
    assert_int_equal(config->engine, EDGE_ENGINE_AUTO);
    assert_int_equal(config->workers, 0);
    assert_int_equal(config->drain_ms, LIMIT_EDGE_DRAIN_MS);
    assert_false(config->has_metrics);
    assert_int_equal(config->listeners[0].pq, EDGE_PQ_PREFER);
    assert_int_equal(config->listeners[0].proxy_out, EDGE_PROXY_NONE);
    assert_int_equal(config->listeners[0].limits.idle_ms, LIMIT_EDGE_IDLE_MS);
    edge_config_free(config);
}

static void addresses_that_only_look_alike_stand_together(void **state) {
    (void)state;
    edge_config_free(parse("version: 1\nlisteners:\n"
                           "- {name: a, bind: \"tcp://127.0.0.1:1\", mode: echo}\n"
                           "- {name: b, bind: \"udp://127.0.0.1:1\", mode: echo}\n"
                           "- {name: c, bind: \"tcp://127.0.0.1:2\", mode: echo}\n"
                           "- {name: d, bind: \"tcp://127.0.0.2:1\", mode: echo}\n"
                           "- {name: f, bind: \"tcp://[::1]:1\", mode: echo}\n"
                           "- {name: g, bind: \"unix:///a\", mode: echo}\n"
                           "- {name: h, bind: \"unix:///ab\", mode: echo}\n"));
}

/* --- files --- */

static char folder[64];

static int make_folder(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "edge-config-XXXXXX");
    return mkdtemp(folder) == nullptr ? -1 : 0;
}

static int remove_folder(void **state) {
    (void)state;
    char path[128];
    (void)snprintf(path, sizeof path, "%s/f", folder);
    (void)unlink(path);
    return rmdir(folder);
}

static const char *write_file(const char *text, unsigned mode) {
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/f", folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    (void)close(fd);
    return path;
}

static void a_file_that_cannot_be_used_is_refused(void **state) {
    (void)state;
    struct edge_config *config = nullptr;
    struct error err = {};
    assert_int_equal(edge_config_load("nowhere/proxy.yaml", &config, &err).code,
                     ERROR_PROXY_CONFIG);
    assert_non_null(strstr(err.hint, "airlock proxy init"));
    assert_int_equal(edge_config_load(folder, &config, &err).code, ERROR_PROXY_CONFIG);
    assert_non_null(strstr(err.message, "no regular file"));
    const char *open_to_all = write_file("version: 1\n", 0666);
    assert_int_equal(edge_config_load(open_to_all, &config, &err).code, ERROR_PROXY_CONFIG);
    assert_non_null(strstr(err.hint, "chmod o-w"));
    assert_null(config);
}

static void an_error_calls_the_file_as_the_user_did(void **state) {
    (void)state;
    struct edge_config *config = nullptr;
    struct error err = {};
    const char *path = write_file("version: 7\n", 0600);
    assert_int_equal(edge_config_load(path, &config, &err).code, ERROR_PROXY_CONFIG);
    assert_int_equal(strncmp(err.message, path, strlen(path)), 0);
    const char *broken = write_file("a: [\n", 0600);
    assert_int_equal(edge_config_load(broken, &config, &err).code, ERROR_BAD_ENCODING);
    assert_null(config);
}

static void a_file_s_folder_is_where_paths_count_from(void **state) {
    (void)state;
    struct edge_config *config = nullptr;
    struct error err = {};
    const char *path = write_file(WHOLE, 0644);
    assert_int_equal(edge_config_load(path, &config, &err).code, 0);
    assert_int_equal(config->file[0], '/');
    const char *certificate = config->listeners[0].tls.certificate_file;
    assert_int_equal(strncmp(certificate, config->folder, strlen(config->folder)), 0);
    assert_string_equal(certificate + strlen(config->folder), "/c.pem");
    assert_int_equal(strcmp(config->folder + strlen(config->folder) - strlen(folder), folder), 0);
    edge_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_cannot_be_used_is_refused),
        cmocka_unit_test(an_error_calls_the_file_as_the_user_did),
        cmocka_unit_test(a_file_s_folder_is_where_paths_count_from),
        cmocka_unit_test(a_listener_is_what_it_says),
        cmocka_unit_test(tls_is_what_it_says),
        cmocka_unit_test(networks_are_ipv6_with_ipv4_mapped),
        cmocka_unit_test(upstreams_are_found_wherever_they_stand),
        cmocka_unit_test(defaults_give_way),
        cmocka_unit_test(the_rest_is_what_it_says),
        cmocka_unit_test(what_is_not_said_has_its_preset),
        cmocka_unit_test(addresses_that_only_look_alike_stand_together),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
