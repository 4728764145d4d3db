/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include <cmocka.h>

#include "edge/upstream.h"

enum { NOW = 1000000 };

#define HOSTS "192.0.2.9 known.example\n192.0.2.10 known.example\n"

static const struct edge_server WEIGHTED[] = {
    {.address = "10.0.0.1:80", .host = "10.0.0.1", .path = "", .port = 80, .weight = 5},
    {.address = "10.0.0.2:80", .host = "10.0.0.2", .path = "", .port = 80, .weight = 1},
    {.address = "[2001:db8::3]:80", .host = "2001:db8::3", .path = "", .port = 80, .weight = 1},
    {.address = "10.0.0.4:80", .host = "10.0.0.4", .path = "", .port = 80, .weight = 0},
};
static const struct edge_server NAMED[] = {
    {.address = "known.example:443", .host = "known.example", .path = "", .port = 443, .weight = 1},
};
static const struct edge_server ASKED[] = {
    {.address = "far.example:443", .host = "far.example", .path = "", .port = 443, .weight = 1},
};
static const struct edge_server OTHERS[] = {
    {.address = "unix:///run/a.sock", .host = "", .path = "/run/a.sock", .weight = 1},
    {.address = "localhost:25", .host = "localhost", .path = "", .port = 25, .weight = 1},
};
static const struct edge_server DRAINED[] = {
    {.address = "10.0.0.9:80", .host = "10.0.0.9", .path = "", .port = 80},
};
enum { UP_WEIGHTED, UP_NAMED, UP_ASKED, UP_OTHERS, UP_DRAINED, UP_COUNT };
enum { SERVER_NAMED = 4, SERVER_ASKED = 5, SERVER_COUNT = 9 };
static const struct edge_upstream UPSTREAMS[] = {
    [UP_WEIGHTED] = {.name = "weighted",
                     .servers = WEIGHTED,
                     .server_count = 4,
                     .health = {.is_there = true}},
    [UP_NAMED] = {.name = "named", .servers = NAMED, .server_count = 1},
    [UP_ASKED] = {.name = "asked", .servers = ASKED, .server_count = 1},
    [UP_OTHERS] = {.name = "others", .servers = OTHERS, .server_count = 2},
    [UP_DRAINED] = {.name = "drained", .servers = DRAINED, .server_count = 1},
};
static const struct edge_config CONFIG = {.upstreams = UPSTREAMS, .upstream_count = UP_COUNT};

struct fixture {
    struct metric_names *names;
    struct metrics *metrics;
    struct upstreams *upstreams;
    struct chooser *chooser;
    struct metric_sources sources;
};

static struct upstreams *upstreams_of(struct fixture *fixture, struct upstreams *previous,
                                      const struct edge_config *config) {
    struct upstreams_options options = {
        .config = config,
        .hosts = SLICE_LITERAL(HOSTS),
        .names = fixture->names,
        .previous = previous,
    };
    struct upstreams *upstreams;
    struct error err;
    assert_true(status_is_ok(upstreams_new(&options, &upstreams, &err)));
    return upstreams;
}

static int setup(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){};
    struct error err;
    assert_true(status_is_ok(metric_names_new(&fixture.names, &err)));
    assert_true(status_is_ok(metrics_new(&fixture.metrics, &err)));
    fixture.upstreams = upstreams_of(&fixture, nullptr, &CONFIG);
    assert_true(
        status_is_ok(chooser_new(fixture.upstreams, fixture.metrics, &fixture.chooser, &err)));
    fixture.sources = (struct metric_sources){
        .threads = (const struct metrics *const *)&fixture.metrics, .thread_count = 1};
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    chooser_free(fixture->chooser);
    upstreams_free(fixture->upstreams);
    metrics_free(fixture->metrics);
    metric_names_free(fixture->names);
    return 0;
}

static const char *text_of(const struct upstream_choice *choice) {
    static char text[INET6_ADDRSTRLEN];
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, &choice->address, sizeof v4);
    memcpy(&v6, &choice->address, sizeof v6);
    return choice->address.ss_family == AF_INET
               ? inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text)
               : inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
}

/* One connection that works; which server got it. */
static uint32_t connect_once(struct fixture *fixture, uint32_t upstream) {
    struct upstream_choice choice = {.upstream = upstream};
    assert_true(upstream_choose(fixture->chooser, &choice, NOW));
    upstream_succeeded(fixture->chooser, &choice, NOW);
    return choice.server;
}

static void break_server(struct fixture *fixture, uint32_t server) {
    struct upstream_choice choice = {.server = server};
    bool opened = false;
    for (int i = 0; i < 5; i++) {
        assert_false(opened);
        opened = upstream_failed(fixture->chooser, &choice, NOW, 0);
    }
    assert_true(opened);
}

static int64_t of_server(struct fixture *fixture, enum metric metric, uint16_t number) {
    return metrics_value(&fixture->sources, metric, (struct metric_at){.label_1 = number});
}

static void nobody_is_chosen_where_all_are_drained(void **state) {
    struct fixture *fixture = *state;
    struct upstream_choice choice = {.upstream = UP_DRAINED};
    assert_false(upstream_choose(fixture->chooser, &choice, NOW));
    assert_int_equal(choice.tries, 0);
    assert_false(upstreams_is_usable(fixture->upstreams, UP_DRAINED, NOW));
}

static void nobody_is_chosen_where_all_are_down(void **state) {
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(upstreams_is_usable(fixture->upstreams, UP_WEIGHTED, NOW));
        assert_true(upstreams_set_up(fixture->upstreams, i, false));
        assert_false(upstreams_set_up(fixture->upstreams, i, false));
    }
    struct upstream_choice choice = {.upstream = UP_WEIGHTED};
    assert_false(upstream_choose(fixture->chooser, &choice, NOW));
    assert_false(upstreams_is_usable(fixture->upstreams, UP_WEIGHTED, NOW));
    assert_true(upstreams_set_up(fixture->upstreams, 1, true));
    assert_int_equal(connect_once(fixture, UP_WEIGHTED), 1);
}

static void a_name_nobody_resolved_yet_gets_nothing(void **state) {
    struct fixture *fixture = *state;
    struct upstream_choice choice = {.upstream = UP_ASKED};
    assert_false(upstream_choose(fixture->chooser, &choice, NOW));
    assert_false(upstreams_address(fixture->upstreams, SERVER_ASKED, 0, &choice));
    const struct host_address addresses[] = {{4, {10, 1, 1, 1}}, {16, {0x20, 1}}};
    assert_true(upstreams_set_addresses(fixture->upstreams, SERVER_ASKED, addresses, 2));
    assert_true(upstream_choose(fixture->chooser, &choice, NOW));
    assert_string_equal(text_of(&choice), "10.1.1.1");
    const struct host_address turned[] = {{16, {0x20, 1}}, {4, {10, 1, 1, 1}}};
    assert_false(upstreams_set_addresses(fixture->upstreams, SERVER_ASKED, turned, 2));
    assert_true(upstreams_set_addresses(fixture->upstreams, SERVER_ASKED, turned, 1));
    struct upstream_server_view view;
    upstreams_server(fixture->upstreams, SERVER_ASKED, NOW, &view);
    assert_true(view.is_asked_for);
    assert_int_equal(view.address_count, 1);
    upstreams_server(fixture->upstreams, SERVER_NAMED, NOW, &view);
    assert_false(view.is_asked_for);
    assert_int_equal(view.address_count, 2);
}

static void weights_hold_exactly_and_smoothly(void **state) {
    struct fixture *fixture = *state;
    static const uint32_t ORDER[] = {0, 0, 1, 0, 2, 0, 0};
    unsigned counts[4] = {};
    for (unsigned i = 0; i < 700; i++) {
        uint32_t server = connect_once(fixture, UP_WEIGHTED);
        assert_int_equal(server, ORDER[i % 7]);
        counts[server]++;
    }
    assert_int_equal(counts[0], 500);
    assert_int_equal(counts[1], 100);
    assert_int_equal(counts[2], 100);
    assert_int_equal(of_server(fixture, METRIC_UPSTREAM_CONNECTIONS, 0), 500);
    assert_int_equal(of_server(fixture, METRIC_UPSTREAM_CONNECTIONS, 3), 0);
}

static void a_second_try_is_on_another_server_and_the_third_the_last(void **state) {
    struct fixture *fixture = *state;
    struct upstream_choice choice = {.upstream = UP_WEIGHTED};
    uint32_t seen = 0;
    for (uint32_t i = 0; i < LIMIT_EDGE_CONNECT_TRIES; i++) {
        assert_true(upstream_choose(fixture->chooser, &choice, NOW));
        assert_int_equal(seen & 1u << choice.server, 0);
        seen |= 1u << choice.server;
        (void)upstream_failed(fixture->chooser, &choice, NOW, 0);
    }
    assert_int_equal(seen, 7); /* not the drained one */
    uint64_t hits = limit_hit_count(LIMIT_ID_EDGE_CONNECT_TRIES);
    assert_false(upstream_choose(fixture->chooser, &choice, NOW));
    assert_int_equal(limit_hit_count(LIMIT_ID_EDGE_CONNECT_TRIES), hits + 1);
    assert_int_equal(metrics_value(&fixture->sources, METRIC_RETRIES, (struct metric_at){}), 2);
    assert_int_equal(of_server(fixture, METRIC_UPSTREAM_FAILURES, 0), 1);
}

static void one_server_is_tried_once_for_each_address(void **state) {
    struct fixture *fixture = *state;
    struct upstream_choice choice = {.upstream = UP_NAMED};
    assert_true(upstream_choose(fixture->chooser, &choice, NOW));
    assert_string_equal(text_of(&choice), "192.0.2.9");
    assert_true(upstream_choose(fixture->chooser, &choice, NOW));
    assert_string_equal(text_of(&choice), "192.0.2.10");
    assert_false(upstream_choose(fixture->chooser, &choice, NOW));
}

static void paths_and_localhost_need_nobody_to_ask(void **state) {
    struct fixture *fixture = *state;
    struct upstream_choice choice = {.upstream = UP_OTHERS};
    assert_true(upstream_choose(fixture->chooser, &choice, NOW));
    struct sockaddr_un path;
    memcpy(&path, &choice.address, sizeof path);
    assert_int_equal(path.sun_family, AF_UNIX);
    assert_string_equal(path.sun_path, "/run/a.sock");
    assert_int_equal(choice.size, sizeof path);
    assert_true(upstream_choose(fixture->chooser, &choice, NOW));
    assert_string_equal(text_of(&choice), "127.0.0.1");
    assert_true(upstream_choose(fixture->chooser, &choice, NOW));
    assert_string_equal(text_of(&choice), "::1");
    struct sockaddr_in6 v6;
    memcpy(&v6, &choice.address, sizeof v6);
    assert_int_equal(ntohs(v6.sin6_port), 25);
}

static void a_server_whose_circuit_opened_is_left_alone_then_probed_by_one(void **state) {
    struct fixture *fixture = *state;
    break_server(fixture, 0);
    assert_int_equal(of_server(fixture, METRIC_CIRCUITS, 0), 1);
    struct upstream_server_view view;
    upstreams_server(fixture->upstreams, 0, NOW, &view);
    assert_true(view.is_circuit_open);
    for (int i = 0; i < 20; i++) {
        assert_int_not_equal(connect_once(fixture, UP_WEIGHTED), 0);
    }
    unsigned probes = 0;
    for (int i = 0; i < 20; i++) {
        struct upstream_choice choice = {.upstream = UP_WEIGHTED};
        assert_true(upstream_choose(fixture->chooser, &choice, NOW + 1000));
        probes += choice.server == 0 ? 1 : 0;
    }
    assert_int_equal(probes, 1);
    struct upstream_choice probe = {.server = 0};
    upstream_succeeded(fixture->chooser, &probe, NOW + 1001);
    unsigned chosen = 0;
    for (int i = 0; i < 7; i++) {
        struct upstream_choice choice = {.upstream = UP_WEIGHTED};
        assert_true(upstream_choose(fixture->chooser, &choice, NOW + 1001));
        chosen += choice.server == 0 ? 1 : 0;
    }
    assert_in_range(chosen, 4, 6);
}

static void be_silent(struct fixture *fixture, uint32_t upstream, uint32_t server) {
    struct upstream_choice choice = {.upstream = upstream, .server = server};
    for (int i = 0; i < 100; i++) {
        (void)upstream_was_silent(fixture->chooser, &choice, NOW, 0);
    }
}

/* Whoever sends nonsense, or nothing, makes a server close or wait without a byte. */
static void clients_cannot_have_the_last_servers_left_alone(void **state) {
    struct fixture *fixture = *state;
    be_silent(fixture, UP_NAMED, SERVER_NAMED);
    assert_true(upstreams_is_usable(fixture->upstreams, UP_NAMED, NOW));
    assert_int_equal(of_server(fixture, METRIC_UPSTREAM_FAILURES, SERVER_NAMED), 100);
    assert_int_equal(of_server(fixture, METRIC_CIRCUITS, SERVER_NAMED), 0);
    for (uint32_t server = 0; server < 3; server++) { /* one of three; two are left */
        be_silent(fixture, UP_WEIGHTED, server);
    }
    assert_int_equal(of_server(fixture, METRIC_CIRCUITS, 0), 1);
    assert_int_equal(of_server(fixture, METRIC_CIRCUITS, 1), 0);
    assert_int_equal(of_server(fixture, METRIC_CIRCUITS, 2), 0);
    assert_int_not_equal(connect_once(fixture, UP_WEIGHTED), 0);
    break_server(fixture, SERVER_NAMED); /* no connection can be made: that is no client's doing */
    assert_false(upstreams_is_usable(fixture->upstreams, UP_NAMED, NOW));
}

static void a_reload_keeps_what_is_known(void **state) {
    struct fixture *fixture = *state;
    break_server(fixture, 0);
    assert_true(upstreams_set_up(fixture->upstreams, 1, false));
    assert_true(upstreams_set_up(fixture->upstreams, SERVER_NAMED, false));
    struct upstreams *next = upstreams_of(fixture, fixture->upstreams, &CONFIG);
    struct upstream_server_view view;
    upstreams_server(next, 0, NOW, &view);
    assert_true(view.is_circuit_open);
    upstreams_server(next, 1, NOW, &view);
    assert_false(view.is_up);
    upstreams_server(next, SERVER_NAMED, NOW, &view);
    assert_true(view.is_up); /* nobody checks it */
    /* What the old one learns counts in the new one. */
    struct upstream_choice choice = {.upstream = UP_WEIGHTED};
    assert_true(upstream_choose(fixture->chooser, &choice, NOW));
    assert_int_equal(choice.server, 2);
    for (int i = 0; i < 5; i++) {
        (void)upstream_failed(fixture->chooser, &choice, NOW, 0);
    }
    assert_false(upstreams_is_usable(next, UP_WEIGHTED, NOW));
    /* The same address in another upstream is another server. */
    struct edge_upstream renamed[UP_COUNT];
    memcpy(renamed, UPSTREAMS, sizeof renamed);
    renamed[UP_WEIGHTED].name = "another";
    struct edge_config config = {.upstreams = renamed, .upstream_count = UP_COUNT};
    struct upstreams *other = upstreams_of(fixture, next, &config);
    assert_true(upstreams_is_usable(other, UP_WEIGHTED, NOW));
    upstreams_free(next);
    upstreams_free(other);
}

static void servers_are_counted_through_all_upstreams(void **state) {
    struct fixture *fixture = *state;
    assert_int_equal(upstreams_server_count(fixture->upstreams), SERVER_COUNT);
    static const char *const EXPECTED[SERVER_COUNT] = {
        "10.0.0.1:80",        "10.0.0.2:80",       "[2001:db8::3]:80",
        "10.0.0.4:80",        "known.example:443", "far.example:443",
        "unix:///run/a.sock", "localhost:25",      "10.0.0.9:80"};
    for (uint32_t i = 0; i < SERVER_COUNT; i++) {
        struct upstream_server_view view;
        upstreams_server(fixture->upstreams, i, NOW, &view);
        assert_string_equal(view.server->address, EXPECTED[i]);
        assert_int_equal(view.number, i);
        assert_ptr_equal(view.upstream, &UPSTREAMS[view.upstream_index]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nobody_is_chosen_where_all_are_drained),
        TEST(nobody_is_chosen_where_all_are_down),
        TEST(a_name_nobody_resolved_yet_gets_nothing),
        TEST(weights_hold_exactly_and_smoothly),
        TEST(a_second_try_is_on_another_server_and_the_third_the_last),
        TEST(one_server_is_tried_once_for_each_address),
        TEST(paths_and_localhost_need_nobody_to_ask),
        TEST(a_server_whose_circuit_opened_is_left_alone_then_probed_by_one),
        TEST(clients_cannot_have_the_last_servers_left_alone),
        TEST(a_reload_keeps_what_is_known),
        TEST(servers_are_counted_through_all_upstreams),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
