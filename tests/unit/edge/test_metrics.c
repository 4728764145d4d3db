/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "edge/metrics.h"

enum { TEXT_BYTES_MAX = 1 << 20 };

struct fixture {
    struct metrics *threads[2];
    struct metric_names *names;
    struct metric_sources sources;
    struct builder text;
};

static int setup(void **state) {
    static struct fixture fixture;
    fixture = (struct fixture){};
    struct error err;
    assert_true(status_is_ok(metrics_new(&fixture.threads[0], &err)));
    assert_true(status_is_ok(metrics_new(&fixture.threads[1], &err)));
    assert_true(status_is_ok(metric_names_new(&fixture.names, &err)));
    builder_init(&fixture.text, TEXT_BYTES_MAX);
    fixture.sources = (struct metric_sources){
        .threads = (const struct metrics *const *)fixture.threads,
        .thread_count = 2,
        .names = fixture.names,
    };
    *state = &fixture;
    return 0;
}

static int teardown(void **state) {
    struct fixture *fixture = *state;
    metrics_free(fixture->threads[0]);
    metrics_free(fixture->threads[1]);
    metric_names_free(fixture->names);
    builder_deinit(&fixture->text);
    return 0;
}

static const char *text_of(struct fixture *fixture) {
    builder_reset(&fixture->text);
    metrics_format(&fixture->sources, &fixture->text);
    assert_true(builder_is_ok(&fixture->text));
    return builder_c_string(&fixture->text);
}

/* A whole line. */
static bool has_line(const char *text, const char *line) {
    size_t size = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != nullptr; at += size) {
        if ((at == text || at[-1] == '\n') && at[size] == '\n') {
            return true;
        }
    }
    return false;
}

static void assert_line(struct fixture *fixture, const char *line) {
    if (!has_line(text_of(fixture), line)) {
        fail_msg("missing: %s", line);
    }
}

static void nothing_is_said_of_listeners_and_servers_nobody_named(void **state) {
    const char *text = text_of(*state);
    assert_null(strstr(text, "listener=\""));
    assert_null(strstr(text, "server=\""));
    assert_null(strstr(text, "_engine_info"));
}

static void the_limit_of_names_is_a_row_of_its_own(void **state) {
    struct fixture *fixture = *state;
    uint64_t hits = limit_hit_count(LIMIT_ID_EDGE_LISTENERS_SHOWN);
    char name[16];
    for (unsigned i = 0; i < METRIC_LISTENERS - 1; i++) {
        (void)snprintf(name, sizeof name, "l%u", i);
        assert_int_equal(metric_names_listener(fixture->names, name), i);
    }
    assert_null(strstr(text_of(fixture), "listener=\"other\""));
    uint16_t rest = metric_names_listener(fixture->names, "one more");
    assert_int_equal(rest, METRIC_LISTENERS - 1);
    assert_int_equal(metric_names_listener(fixture->names, "and another"), rest);
    assert_int_equal(metric_names_listener(fixture->names, "l3"), 3);
    assert_int_equal(limit_hit_count(LIMIT_ID_EDGE_LISTENERS_SHOWN), hits + 2);
    metrics_add(fixture->threads[0], METRIC_CONNECTIONS, (struct metric_at){.label_1 = rest}, 7);
    assert_line(fixture, "airlock_proxy_connections_total{listener=\"other\"} 7");
}

static void a_name_is_escaped_and_cannot_end_its_quotes(void **state) {
    struct fixture *fixture = *state;
    (void)metric_names_listener(fixture->names, "a\"b\\c\nd");
    (void)metric_names_listener(fixture->names, "\xff\"");
    (void)metric_names_server(fixture->names, "up", "[::1]:80");
    assert_line(fixture, "airlock_proxy_connections_live{listener=\"a\\\"b\\\\c\\nd\"} 0");
    assert_line(fixture, "airlock_proxy_connections_live{listener=\"\\\\xff\\\"\"} 0");
    assert_line(fixture,
                "airlock_proxy_upstream_failures_total{upstream=\"up\",server=\"[::1]:80\"} 0");
}

static void threads_are_added_up(void **state) {
    struct fixture *fixture = *state;
    uint16_t a = metric_names_listener(fixture->names, "a");
    uint16_t b = metric_names_listener(fixture->names, "b");
    metrics_bytes(fixture->threads[0], a, EDGE_IN, 1000);
    metrics_bytes(fixture->threads[1], a, EDGE_IN, 24);
    metrics_bytes(fixture->threads[1], b, EDGE_OUT, 5);
    assert_line(fixture, "airlock_proxy_bytes_total{listener=\"a\",direction=\"in\"} 1024");
    assert_line(fixture, "airlock_proxy_bytes_total{listener=\"a\",direction=\"out\"} 0");
    assert_line(fixture, "airlock_proxy_bytes_total{listener=\"b\",direction=\"in\"} 0");
    assert_line(fixture, "airlock_proxy_bytes_total{listener=\"b\",direction=\"out\"} 5");
}

static void a_gauge_goes_up_on_one_thread_and_down_on_another(void **state) {
    struct fixture *fixture = *state;
    struct metric_at at = {.label_1 = metric_names_listener(fixture->names, "a")};
    metrics_add(fixture->threads[0], METRIC_CONNECTIONS_LIVE, at, 3);
    metrics_add(fixture->threads[1], METRIC_CONNECTIONS_LIVE, at, -2);
    assert_line(fixture, "airlock_proxy_connections_live{listener=\"a\"} 1");
    metrics_set(fixture->threads[1], METRIC_CERTIFICATE_EXPIRY, at, 1893456000);
    metrics_set(fixture->threads[1], METRIC_CERTIFICATE_EXPIRY, at, 1893456001);
    assert_line(fixture,
                "airlock_proxy_certificate_expiry_timestamp_seconds{listener=\"a\"} 1893456001");
}

static void every_label_is_in_its_place(void **state) {
    struct fixture *fixture = *state;
    struct metric_handshake handshake = {.group = EDGE_GROUP_X25519MLKEM768,
                                         .result = EDGE_HANDSHAKE_OK,
                                         .retried = true,
                                         .wall_us = 1500,
                                         .cpu_us = 350};
    metrics_handshake(fixture->threads[0], &handshake);
    handshake.result = EDGE_HANDSHAKE_REFUSED;
    handshake.retried = false;
    handshake.group = EDGE_GROUP_OTHER;
    metrics_handshake(fixture->threads[1], &handshake);
    metrics_refusal(fixture->threads[1], EDGE_REFUSED_CLASSICAL);
    metrics_error(fixture->threads[0], EDGE_ERROR_IDLE_TIMEOUT);
    assert_line(fixture, "airlock_proxy_handshakes_total{group=\"X25519MLKEM768\",result=\"ok\","
                         "retried=\"true\"} 1");
    assert_line(fixture, "airlock_proxy_handshakes_total{group=\"other\",result=\"refused\","
                         "retried=\"false\"} 1");
    assert_line(fixture, "airlock_proxy_handshakes_total{group=\"MLKEM1024\",result=\"ok\","
                         "retried=\"false\"} 0");
    assert_line(fixture, "airlock_proxy_refusals_total{reason=\"classical\"} 1");
    assert_line(fixture, "airlock_proxy_errors_total{kind=\"idle-timeout\"} 1");
    assert_line(fixture, "airlock_proxy_errors_total{kind=\"accept\"} 0");
    /* One that failed took no time that would count. */
    assert_line(fixture, "airlock_proxy_handshake_duration_seconds_count{group=\"X25519MLKEM768\"} "
                         "1");
    assert_null(strstr(text_of(fixture), "handshake_duration_seconds_count{group=\"other\"}"));
}

static void an_observation_on_a_bound_belongs_below_it(void **state) {
    struct fixture *fixture = *state;
    metrics_observe(fixture->threads[0], METRIC_CONNECT_SECONDS, (struct metric_at){}, 0);
    metrics_observe(fixture->threads[0], METRIC_CONNECT_SECONDS, (struct metric_at){}, 10);
    metrics_observe(fixture->threads[1], METRIC_CONNECT_SECONDS, (struct metric_at){}, 11);
    metrics_observe(fixture->threads[1], METRIC_CONNECT_SECONDS, (struct metric_at){}, 60000000);
    metrics_observe(fixture->threads[1], METRIC_CONNECT_SECONDS, (struct metric_at){}, 60000001);
#define CONNECT "airlock_proxy_upstream_connect_duration_seconds"
    assert_line(fixture, "# TYPE " CONNECT " histogram");
    assert_line(fixture, CONNECT "_bucket{le=\"0.00001\"} 2");
    assert_line(fixture, CONNECT "_bucket{le=\"0.00002\"} 3");
    assert_line(fixture, CONNECT "_bucket{le=\"0.00035\"} 3");
    assert_line(fixture, CONNECT "_bucket{le=\"30\"} 3");
    assert_line(fixture, CONNECT "_bucket{le=\"60\"} 4");
    assert_line(fixture, CONNECT "_bucket{le=\"+Inf\"} 5");
    assert_line(fixture, CONNECT "_count 5");
    assert_line(fixture, CONNECT "_sum 120.000022");
    assert_int_equal(metrics_value(&fixture->sources, METRIC_CONNECT_SECONDS, (struct metric_at){}),
                     5);
}

static void a_histogram_with_labels_has_them_before_the_bound(void **state) {
    struct fixture *fixture = *state;
    metrics_observe(fixture->threads[0], METRIC_HANDSHAKE_CPU,
                    (struct metric_at){.label_1 = EDGE_GROUP_X25519}, 2000000);
    assert_line(fixture, "airlock_proxy_handshake_cpu_seconds_bucket{group=\"x25519\",le=\"2\"} 1");
    assert_line(fixture, "airlock_proxy_handshake_cpu_seconds_sum{group=\"x25519\"} 2");
}

static void the_engine_and_its_reason_are_labels(void **state) {
    struct fixture *fixture = *state;
    metric_names_set_engine(fixture->names, "epoll", "io_uring: \"not permitted\"");
    assert_line(fixture, "airlock_proxy_engine_info{engine=\"epoll\",reason=\"io_uring: "
                         "\\\"not permitted\\\"\"} 1");
}

static void limits_are_shown_in_lower_case(void **state) {
    struct fixture *fixture = *state;
    assert_null(strstr(text_of(fixture), "limit=\"pool_kinds\""));
    limit_hit(LIMIT_ID_POOL_KINDS);
    limit_hit(LIMIT_ID_POOL_KINDS);
    assert_line(fixture, "airlock_proxy_limits_hit_total{limit=\"pool_kinds\"} 2");
    assert_line(fixture, "airlock_proxy_limits_hit_total{limit=\"edge_resolve_ms\"} 0");
}

static bool up_of_second(void *context, uint16_t server, int64_t *ret_value) {
    (void)context;
    *ret_value = 1;
    return server == 1;
}

static void a_state_is_shown_for_servers_that_have_one(void **state) {
    struct fixture *fixture = *state;
    (void)metric_names_server(fixture->names, "u", "a:1");
    (void)metric_names_server(fixture->names, "u", "b:1");
    struct metric_state up = {METRIC_OTHER_SERVER_UP, up_of_second, nullptr};
    fixture->sources.states = &up;
    fixture->sources.state_count = 1;
    const char *text = text_of(fixture);
    assert_true(has_line(text, "# TYPE airlock_proxy_upstream_server_up gauge"));
    assert_true(
        has_line(text, "airlock_proxy_upstream_server_up{upstream=\"u\",server=\"b:1\"} 1"));
    assert_null(strstr(text, "airlock_proxy_upstream_server_up{upstream=\"u\",server=\"a:1\"}"));
}

/* What a scraper checks before it takes anything: of each name one HELP, one TYPE, then its lines
 * together, and no line twice. */
static void the_text_is_in_the_format_s_order(void **state) {
    struct fixture *fixture = *state;
    (void)metric_names_listener(fixture->names, "a");
    (void)metric_names_server(fixture->names, "u", "a:1");
    char *text = strdup(text_of(fixture));
    char family[128] = "";
    size_t families = 0;
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line != nullptr && rest != nullptr;
         line = strsep(&rest, "\n")) {
        assert_true(*line != '\0');
        if (strncmp(line, "# HELP ", 7) == 0) {
            (void)snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
            families++;
            char help[160];
            (void)snprintf(help, sizeof help, "# HELP %s ", family);
            assert_null(rest != nullptr ? strstr(rest, help) : nullptr);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(strncmp(line + 7, family, strlen(family)), 0);
        } else {
            assert_int_equal(strncmp(line, family, strlen(family)), 0);
            assert_null(strchr(line, '\t'));
        }
    }
    assert_int_equal(families, METRIC_COUNT + 1);
    free(text);
}

static void *count_a_lot(void *context) {
    for (int i = 0; i < 100000; i++) {
        metrics_count(context, METRIC_RETRIES, 1);
    }
    return nullptr;
}

static void nothing_is_lost_between_threads_and_a_scrape(void **state) {
    struct fixture *fixture = *state;
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], nullptr, count_a_lot, fixture->threads[i]), 0);
    }
    int64_t last = 0;
    for (int i = 0; i < 20; i++) {
        int64_t now = metrics_value(&fixture->sources, METRIC_RETRIES, (struct metric_at){});
        assert_true(now >= last);
        last = now;
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], nullptr), 0);
    }
    assert_line(fixture, "airlock_proxy_upstream_retries_total 200000");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_said_of_listeners_and_servers_nobody_named),
        TEST(the_limit_of_names_is_a_row_of_its_own),
        TEST(a_name_is_escaped_and_cannot_end_its_quotes),
        TEST(threads_are_added_up),
        TEST(a_gauge_goes_up_on_one_thread_and_down_on_another),
        TEST(every_label_is_in_its_place),
        TEST(an_observation_on_a_bound_belongs_below_it),
        TEST(a_histogram_with_labels_has_them_before_the_bound),
        TEST(the_engine_and_its_reason_are_labels),
        TEST(limits_are_shown_in_lower_case),
        TEST(a_state_is_shown_for_servers_that_have_one),
        TEST(the_text_is_in_the_format_s_order),
        TEST(nothing_is_lost_between_threads_and_a_scrape),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
