/* SPDX-License-Identifier: Apache-2.0
 *
 * Configurations that are refused, each with what is said and where.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "edge/config.h"

struct bad {
    const char *text;
    const char *message; /* behind "f.yaml:" */
    const char *hint;    /* a part of it */
};

#define HEAD "version: 1\n"
#define WEB "upstreams: [{name: web, servers: [{addr: \"h:80\"}]}]\n"
#define SAFE "upstreams: [{name: web, tls: {}, servers: [{addr: \"h:443\"}]}]\n"
#define ECHO "listeners: [{name: e, bind: \"tcp://[::]:1\", mode: echo}]\n"
#define LISTEN(more) "listeners:\n- {name: a, bind: \"tcp://[::]:1\", " more "}\n"
#define ONE(more) HEAD WEB LISTEN(more)
#define UP(more) HEAD "upstreams:\n- {name: web, " more "}\n" ECHO
#define SERVE "servers: [{addr: \"h:80\"}]"
#define CERT "tls: {cert: c, key: k}"
#define TO "routes: [{to: web}]"
#define PIN "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct bad TOP[] = {
    {"", "1:1: the configuration is empty", "airlock proxy init"},
    {"# nothing\n", "1:1: the configuration is empty", "airlock proxy init"},
    {"- a\n", "1:1: the configuration must be a mapping of keys", "key: value"},
    {"listeners: []\n", "1:1: the configuration needs version: the version of this format",
     "Add the line: version: 1"},
    {"version: 2\n" ECHO, "1:10: version cannot be 2", "Write version: 1"},
    {"version: one\n" ECHO, "1:10: version must be a number, not \"one\"", "digits"},
    {"version:\n" ECHO, "1:1: version has no value", "Give it"},
    {"version: [1]\n" ECHO, "1:10: version must be one value, not a list", ""},
    {HEAD, "1:1: the configuration needs listeners: what is served", ""},
    {HEAD "lisenters: []\n", "2:1: there is no key \"lisenters\" in the configuration",
     "Did you mean \"listeners\"?"},
    {HEAD ECHO "zzzzzzzz: 1\n", "3:1: there is no key \"zzzzzzzz\" in the configuration",
     "There is: version, engine, workers, drain, metrics, upstreams, listeners."},
    {HEAD "listeners: {}\n", "2:12: listeners must be a list", "- "},
    {HEAD "listeners: []\n", "2:12: listeners is empty", "Give it one"},
    {HEAD "engine: uring\n" ECHO, "2:9: engine cannot be \"uring\"", "io_uring"},
    {HEAD "workers: 65\n" ECHO, "2:10: workers cannot be 65", "from 0 to 64"},
    {HEAD "workers: -1\n" ECHO, "2:10: workers must be a number, not \"-1\"", "digits"},
    {HEAD "drain: 30\n" ECHO, "2:8: drain is no time: \"30\" has no unit", "500ms, 10s"},
    {HEAD "drain: 25h\n" ECHO, "2:8: drain cannot be 25h", "from 0s to 24h"},
    {HEAD "drain: 99999999999999999999s\n" ECHO, "2:8: drain cannot be 99999999999999999999s", ""},
    {HEAD "metrics: {}\n" ECHO, "2:10: metrics needs bind: ", "Add bind: to it."},
    {HEAD "metrics: {bind: \"udp://127.0.0.1:9\"}\n" ECHO,
     "2:17: metrics are served over TCP or a Unix socket", "9443"},
    {HEAD "metrics: {bind: \"tcp://127.0.0.1:1\"}\n" ECHO,
     "2:17: the listener in line 3 has this address already", "of their own"},
};

static const struct bad UPSTREAMS[] = {
    {UP(""), "3:3: an upstream needs servers: who answers", ""},
    {HEAD "upstreams: [{" SERVE "}]\n" ECHO, "2:13: an upstream needs name: ", ""},
    {HEAD "upstreams: [{name: a b, " SERVE "}]\n" ECHO, "2:20: \"a b\" is no name", "letters"},
    {HEAD "upstreams:\n- {name: a, " SERVE "}\n- {name: a, " SERVE "}\n" ECHO,
     "4:10: name \"a\" stands here twice: line 3", "its own"},
    {UP("servers: [{addr: h}]"), "3:32: \"h\" is no server: ", "HOST:PORT"},
    {UP("servers: [{addr: \"http://h:80\"}]"), "3:32: \"http://h:80\" is no server: ", "no URL"},
    {UP("servers: [{addr: \"h:0\"}]"), "3:32: \"h:0\" is no server: ", "HOST:PORT"},
    {UP("servers: [{addr: \"1.2:80\"}]"), "3:32: \"1.2:80\" is no server: ", "HOST:PORT"},
    {UP("servers: [{addr: \"unix://x\"}]"), "3:32: \"unix://x\" names no Unix socket",
     "absolute path"},
    {UP("servers: [h:80]"), "3:25: a server must be a mapping of keys", ""},
    {UP("servers: [{adr: h}]"), "3:26: there is no key \"adr\" in a server", "\"addr\""},
    {UP("servers: [{addr: \"h:80\"}, {addr: \"H:80\"}]"),
     "3:48: addr \"H:80\" stands here twice: line 3", "its own"},
    {UP("servers: [{addr: \"h:80\", weight: 1001}]"), "3:48: weight cannot be 1001", "0 to 1000"},
    {UP("servers: [{addr: \"h:80\", weight: 0}]"),
     "3:24: no server has a weight, so nothing would be sent to any", "weight of 1"},
    {UP(SERVE ", pq: require"), "3:42: pq has no effect on an upstream without tls", "tls: {}"},
    {UP(SERVE ", tls: {}, pq: maybe"), "3:55: pq cannot be \"maybe\"", "require, prefer, off"},
    {UP(SERVE ", tls: {cert: c}"), "3:48: cert stands here without key", "both files"},
    {UP(SERVE ", tls: {key: k}"), "3:48: key stands here without cert", "both files"},
    {UP(SERVE ", tls: {server_name: \"a:1\"}"),
     "3:61: server_name \"a:1\" is no host: ", "without a port"},
    {UP(SERVE ", tls: {pins: [abc]}"), "3:55: \"abc\" is no pin", "openssl x509"},
    {UP(SERVE ", tls: {pins: []}"), "3:54: pins is empty", ""},
    {UP(SERVE ", tls: {pins: [" PIN ", " PIN "]}"), "3:121: this pin stands here twice", ""},
    {UP("tls: {}, servers: [{addr: \"unix:///s\"}]"),
     "3:15: a Unix socket has no name that its certificate could be checked for", "server_name"},
    {UP(SERVE ", alpn: [\"\"]"), "3:49: alpn has no value", ""},
    {UP(SERVE ", alpn: [h2, h2]"), "3:53: \"h2\" stands here twice", ""},
    {UP(SERVE ", alpn: [\"h 2\"]"), "3:49: \"h 2\" is no ALPN protocol", "IANA"},
    {UP(SERVE ", health: {timeout: 6s}"),
     "3:51: the timeout of a health check (6000 ms) is longer than its interval (5000 ms)",
     "shorter"},
    {UP(SERVE ", health: {tls: true}"),
     "3:51: tls has no effect on the health of an upstream without tls", "tls: {}"},
    {UP(SERVE ", health: {rise: 0}"), "3:57: rise cannot be 0", "from 1"},
    {UP("health: {}, servers: [{addr: \"unix:///s\"}]"),
     "3:15: the health of a Unix socket is not checked: unix:///s", "refuses at once"},
};

static const struct bad LISTENERS[] = {
    {HEAD "listeners: [{name: a, mode: echo}]\n", "2:13: a listener needs bind: ", ""},
    {ONE(TO), "4:3: a listener needs mode: what is done with a connection", ""},
    {ONE("mode: terminat"), "4:41: mode cannot be \"terminat\"", "\"terminate\""},
    {HEAD "listeners: [{name: a, bind: \"[::]:1\", mode: echo}]\n",
     "2:29: \"[::]:1\" does not say what to bind", "tcp://ADDRESS:PORT"},
    {HEAD "listeners: [{name: a, bind: \"tcp://localhost:1\", mode: echo}]\n",
     "2:29: \"localhost\" is a name, not an address", "[::]"},
    {HEAD "listeners: [{name: a, bind: \"tcp://[::]\", mode: echo}]\n",
     "2:29: \"tcp://[::]\" cannot be bound: ", ""},
    {HEAD "listeners:\n- {name: a, bind: \"tcp://[::]:1\", mode: echo}\n"
          "- {name: a, bind: \"tcp://[::]:2\", mode: echo}\n",
     "4:10: name \"a\" stands here twice: line 3", ""},
    {HEAD "listeners:\n- {name: a, bind: \"tcp://[::]:1\", mode: echo}\n"
          "- {name: b, bind: \"tcp://127.0.0.1:1\", mode: echo}\n",
     "4:19: the listener in line 3 has this address already: tcp://[::]:1", ""},
    {ONE("mode: terminate, " TO), "4:3: mode terminate needs tls with a certificate",
     "airlock proxy init"},
    {ONE("mode: reencrypt, " TO), "4:3: mode reencrypt needs tls with a certificate", ""},
    {ONE("mode: terminate, tls: {key: k}, " TO), "4:57: a listener's tls needs cert: ", ""},
    {ONE("mode: terminate, tls: {cert: c}, " TO), "4:57: a listener's tls needs key: ", ""},
    {ONE("mode: terminate, tls: {attest: true}, " TO), "4:57: a listener's tls needs cert: ", ""},
    {ONE("mode: terminate, tls: {cert: c, key: k, attest: yes}, " TO),
     "4:83: attest must be true or false, not \"yes\"", ""},
    {ONE("mode: terminate, tls: {cert: c, key: k, dve: true}, " TO),
     "4:75: there is no key \"dve\" in a listener's tls", "\"dev\""},
    {ONE("mode: terminate, tls: {cert: d/c, key: k, dev: true}, " TO),
     "4:64: a development certificate is made beside this file only, not at d/c", "name alone"},
    {ONE("mode: terminate, tls: {cert: c, key: c, dev: true}, " TO),
     "4:72: cert and key are one file", ""},
    {ONE("mode: passthrough, " CERT ", " TO),
     "4:54: mode passthrough does not open its clients' TLS: it needs no certificate",
     "terminate or reencrypt"},
    {HEAD SAFE LISTEN("mode: originate, " CERT ", " TO),
     "4:52: mode originate does not open its clients' TLS: it needs no certificate", "reencrypt"},
    {ONE("mode: passthrough, pq: require, " TO),
     "4:54: pq has no effect on a listener of mode passthrough without tls", ""},
    {HEAD SAFE LISTEN("mode: originate, pq: require, " TO),
     "4:52: pq has no effect on a listener of mode originate without tls", "upstream instead"},
    {ONE("mode: echo, pq: require"), "4:47: pq has no effect on a listener of mode echo", ""},
    {ONE("mode: passthrough, alpn: [h2], " TO), "4:54: alpn has no effect on a listener", ""},
    {ONE("mode: terminate, " CERT ", alpn: [airlock-attest/1], " TO),
     "4:83: \"airlock-attest/1\" is offered by attest", "attest: true"},
    {ONE("mode: terminate, tls: {cert: c, key: k, client: {}}, " TO),
     "4:83: client needs auth: ", ""},
    {ONE("mode: terminate, tls: {cert: c, key: k, client: {auth: require}}, " TO),
     "4:84: nothing says which clients' certificates are good", "pins"},
    {ONE("mode: terminate, tls: {cert: c, key: k, client: {auth: none, ca: x}}, " TO),
     "4:96: with auth: none no client's certificate is looked at", "require"},
    {ONE("mode: echo, proxy_protocol: {in: [10.0.0.1/8]}"),
     "4:69: \"10.0.0.1/8\" is no network: it has bits behind its length", "10.0.0.0/8"},
    {ONE("mode: echo, proxy_protocol: {in: [10.0.0.0/33]}"),
     "4:69: \"10.0.0.0/33\" is no network: behind the slash", ""},
    {ONE("mode: echo, proxy_protocol: {in: [unix]}"), "4:64: this listener is no Unix socket",
     "10.0.0.0/8"},
    {HEAD "listeners:\n- {name: a, bind: \"unix:///s\", mode: echo, proxy_protocol: {in: [unix, "
          "\"::1\"]}}\n",
     "3:61: clients of a Unix socket come from no network", "in: [unix]"},
    {ONE("mode: echo, proxy_protocol: {in: [local]}"),
     "4:69: \"local\" is no network: it is a name", ""},
    {ONE("mode: echo, proxy_protocol: {out: v2}"),
     "4:64: mode echo has no upstream that could get a header", ""},
    {ONE("mode: passthrough, proxy_protocol: {out: v3}, " TO), "4:76: out cannot be \"v3\"", "v1"},
    {HEAD
     "listeners:\n- {name: a, bind: \"unix:///s\", mode: echo, proxy_protocol: {in: [10.0.0.1]}}\n",
     "3:61: clients of a Unix socket come from no network", ""},
    {HEAD "listeners:\n- {name: a, bind: \"udp://[::]:1\", mode: echo, " CERT "}\n",
     "3:47: TLS runs over TCP", "passthrough"},
    {HEAD WEB "listeners:\n- {name: a, bind: \"udp://[::]:1\", mode: terminate, " TO "}\n",
     "4:35: TLS runs over TCP", ""},
    {HEAD
     "listeners:\n- {name: a, bind: \"udp://[::]:1\", mode: echo, proxy_protocol: {out: v2}}\n",
     "3:47: datagrams carry no PROXY header", ""},
    {ONE("mode: echo, limits: {connections: 0}"), "4:69: connections cannot be 0", ""},
    {ONE("mode: echo, limits: {hello: 20s}"),
     "4:56: the ClientHello may take longer (20000 ms) than the whole handshake (10000 ms)", ""},
    {ONE("mode: echo, limits: {sessions: 5}"),
     "4:56: sessions has no effect on a listener that is not UDP", ""},
    {HEAD "listeners:\n- {name: a, bind: \"udp://[::]:1\", mode: echo, limits: {idle: 5s}}\n",
     "3:56: idle has no effect on a listener that is UDP", "session_idle"},
    {ONE("mode: echo, limits: {handshake_budget: 61s}"), "4:74: handshake_budget cannot be 61s",
     ""},
};

#define HELLO "mode: terminate, " CERT ", "
static const struct bad ROUTES[] = {
    {ONE(HELLO "pq: off"), "4:3: this listener has no routes", "routes: [{to: UPSTREAM}]"},
    {ONE("mode: echo, " TO), "4:47: mode echo answers by itself: it has no routes", ""},
    {ONE(HELLO "routes: [{sni: a.b}]"), "4:85: a route needs to: name of an upstream", ""},
    {ONE(HELLO "routes: [{to: wev}]"), "4:90: there is no upstream \"wev\"", "\"web\""},
    {HEAD LISTEN(HELLO TO), "3:90: there is no upstream \"web\"", "List it under upstreams"},
    {ONE(HELLO "routes: [{sni: 10.0.0.1, to: web}]"),
     "4:91: sni \"10.0.0.1\" fits no name: clients send names here, not addresses", ""},
    {ONE(HELLO "routes: [{sni: \"a.*.b\", to: web}]"), "4:91: sni \"a.*.b\" fits no name: ", ""},
    {ONE(HELLO "routes: [{to: web}, {sni: a.b, to: web}]"),
     "4:96: this route is never reached: route 1 takes all of its connections", "narrower"},
    {ONE(HELLO "routes: [{sni: \"*.b\", to: web}, {sni: A.b, to: web}]"),
     "4:108: this route is never reached: route 1", ""},
    {ONE(HELLO "routes: [{alpn: h2, to: web}]"),
     "4:92: the listener does not offer \"h2\", so nobody takes this route", "listener's alpn"},
    {ONE(HELLO "alpn: [h2], routes: [{alpn: h2, to: web}]"),
     "4:104: the upstream web does not speak \"h2\"", ""},
    {ONE(HELLO "alpn: [h2], " TO), "4:83: no upstream of this listener speaks \"h2\"", ""},
    {HEAD SAFE LISTEN(HELLO TO),
     "4:90: mode terminate does not speak TLS with its upstreams, and web has tls", "reencrypt"},
    {HEAD SAFE LISTEN("mode: passthrough, " TO),
     "4:68: mode passthrough does not speak TLS with its upstreams, and web has tls", ""},
    {ONE("mode: reencrypt, " CERT ", " TO),
     "4:90: mode reencrypt speaks TLS with its upstreams, and web has no tls", "tls: {}"},
    {ONE("mode: originate, " TO),
     "4:66: mode originate speaks TLS with its upstreams, and web has no tls", "tls: {}"},
    {HEAD SAFE LISTEN("mode: originate, routes: [{sni: a.b, to: web}]"),
     "4:67: clients of this listener speak no TLS", ""},
    {HEAD "upstreams: [{name: web, health: {}, " SERVE "}]\n"
          "listeners: [{name: a, bind: \"udp://[::]:1\", mode: passthrough, " TO "}]\n",
     "3:78: health is checked over TCP, which says nothing about UDP", ""},
    {HEAD "upstreams: [{name: web, servers: [{addr: \"unix:///s\"}]}]\n"
          "listeners: [{name: a, bind: \"udp://[::]:1\", mode: passthrough, " TO "}]\n",
     "3:78: datagrams are not sent to a Unix socket: unix:///s", ""},
};

static void refuse(const struct bad *rows, size_t count) {
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        struct edge_config *config = nullptr;
        struct error err = {};
        char message[600];
        status_t status = edge_config_parse(slice_of_string(rows[i].text), "f.yaml", &config, &err);
        (void)snprintf(message, sizeof message, "f.yaml:%s", rows[i].message);
        if (status_is_ok(status) || err.code != ERROR_PROXY_CONFIG || config != nullptr ||
            strncmp(err.message, message, strlen(message)) != 0 ||
            strstr(err.hint, rows[i].hint) == nullptr) {
            print_error("row %zu:\n%swanted: %s\n   got: %s\n  hint: %s\n", i, rows[i].text,
                        message, err.message, err.hint);
            wrong++;
        }
        edge_config_free(config);
    }
    assert_int_equal(wrong, 0);
}

static void what_stands_at_the_top(void **state) {
    (void)state;
    refuse(TOP, sizeof TOP / sizeof TOP[0]);
}

static void upstreams(void **state) {
    (void)state;
    refuse(UPSTREAMS, sizeof UPSTREAMS / sizeof UPSTREAMS[0]);
}

static void listeners(void **state) {
    (void)state;
    refuse(LISTENERS, sizeof LISTENERS / sizeof LISTENERS[0]);
}

static void routes(void **state) {
    (void)state;
    refuse(ROUTES, sizeof ROUTES / sizeof ROUTES[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_at_the_top),
        cmocka_unit_test(upstreams),
        cmocka_unit_test(listeners),
        cmocka_unit_test(routes),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
