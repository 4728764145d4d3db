/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock proxy bench: what a hop through the edge costs on this machine. Echoes go directly and
 * through in turns of a few, so that whatever else the machine does falls on both alike.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "codec/bar.h"
#include "edge/bench.h"
#include "edge/program_verbs.h"
#include "edge/table.h"

#define NS_PER_US 1000.0

enum { SAMPLES_MAX = 2000000, WARM_UP = 200, TURN = 50, SECONDS_DEFAULT = 10, GROUP_COUNT = 4 };

/* What a browser takes, the two of ML-KEM-1024, and a classical one to compare with. */
static const char *const GROUPS[GROUP_COUNT] = {"X25519MLKEM768", "SecP384r1MLKEM1024", "MLKEM1024",
                                                "X25519"};

struct samples {
    uint64_t *ns; /* owned; sorted by finish() */
    size_t count;
};

struct figures {
    uint64_t p50, p99, p999;
    size_t count;
};

struct bench {
    struct clock clock;
    struct bar bar;
    struct bench_edge edge;
    uint64_t total_ns, until_ns; /* of the phase */
    struct samples direct, through, handshake;
    struct figures direct_figures, through_figures, handshakes[GROUP_COUNT];
};

static uint64_t now_ns(const struct bench *bench) {
    return clock_monotonic_ns(&bench->clock);
}

static bool goes_on(struct bench *bench, const struct samples *samples) {
    uint64_t now = now_ns(bench);
    bar_draw(&bench->bar, now - bench->bar.start_ns, bench->total_ns);
    return now < bench->until_ns && samples->count < SAMPLES_MAX;
}

static void add(struct samples *samples, uint64_t ns) {
    if (samples->count < SAMPLES_MAX) {
        samples->ns[samples->count++] = ns;
    }
}

static int compare(const void *a, const void *b) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* Nearest rank. */
static uint64_t percentile(const struct samples *samples, uint64_t per_mille) {
    size_t rank = (samples->count * per_mille + 999) / 1000;
    return samples->count == 0 ? 0 : samples->ns[rank == 0 ? 0 : rank - 1];
}

static struct figures finish(struct samples *samples) {
    qsort(samples->ns, samples->count, sizeof *samples->ns, compare);
    return (struct figures){percentile(samples, 500), percentile(samples, 990),
                            percentile(samples, 999), samples->count};
}

static status_t echo_turn(struct bench *bench, const struct bench_connection *connection,
                          struct samples *samples, struct error *err) {
    for (int i = 0; i < TURN; i++) {
        uint64_t start = now_ns(bench);
        TRY(bench_echo(connection, err));
        add(samples, now_ns(bench) - start);
    }
    return STATUS_OK;
}

static status_t measure_echoes(struct bench *bench, struct error *err) {
    CLEANUP(bench_close) struct bench_connection direct = {.fd = -1}, through = {.fd = -1};
    TRY(bench_connect(&bench->edge, &bench->edge.direct, nullptr, &direct, err));
    TRY(bench_connect(&bench->edge, &bench->edge.through, GROUPS[0], &through, err));
    for (int i = 0; i < WARM_UP; i++) {
        TRY(bench_echo(&direct, err));
        TRY(bench_echo(&through, err));
    }
    bench->until_ns = now_ns(bench) + bench->total_ns / 2;
    while (goes_on(bench, &bench->direct)) {
        TRY(echo_turn(bench, &direct, &bench->direct, err));
        TRY(echo_turn(bench, &through, &bench->through, err));
    }
    bench->direct_figures = finish(&bench->direct);
    bench->through_figures = finish(&bench->through);
    return STATUS_OK;
}

/* From before connect(2) until the client may send. */
static status_t measure_handshakes(struct bench *bench, const char *group, struct figures *ret,
                                   struct error *err) {
    bench->handshake.count = 0;
    bench->until_ns = now_ns(bench) + bench->total_ns / 2 / GROUP_COUNT;
    while (goes_on(bench, &bench->handshake) || bench->handshake.count == 0) {
        struct bench_connection connection;
        uint64_t start = now_ns(bench);
        TRY(bench_connect(&bench->edge, &bench->edge.handshakes, group, &connection, err));
        add(&bench->handshake, now_ns(bench) - start);
        bench_close(&connection);
    }
    *ret = finish(&bench->handshake);
    return STATUS_OK;
}

static uint64_t added(uint64_t through, uint64_t direct) {
    return through > direct ? through - direct : 0;
}

static void add_row(struct builder *out, const char *name, const struct figures *figures) {
    builder_format(out, "%s\t%.1f\t%.1f\t%.1f\t%zu\n", name, (double)figures->p50 / NS_PER_US,
                   (double)figures->p99 / NS_PER_US, (double)figures->p999 / NS_PER_US,
                   figures->count);
}

static struct figures added_figures(const struct bench *bench) {
    const struct figures *direct = &bench->direct_figures, *through = &bench->through_figures;
    return (struct figures){added(through->p50, direct->p50), added(through->p99, direct->p99),
                            added(through->p999, direct->p999), through->count};
}

static void print_text(const struct bench *bench) {
    const struct figures difference = added_figures(bench);
    struct builder out;
    builder_init(&out, 1 << 16);
    builder_text(&out, "1 kB ECHO, us\tP50\tP99\tP99.9\tCOUNT\n");
    add_row(&out, "direct", &bench->direct_figures);
    add_row(&out, "through the edge", &bench->through_figures);
    add_row(&out, "added", &difference);
    table_print(builder_slice(&out));
    builder_reset(&out);
    (void)printf("\n");
    builder_text(&out, "NEW CONNECTION, us\tP50\tP99\tP99.9\tCOUNT\n");
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        add_row(&out, GROUPS[i], &bench->handshakes[i]);
    }
    table_print(builder_slice(&out));
    builder_deinit(&out);
    (void)printf("\n  One connection at a time, on this machine, whatever else it does. Times are "
                 "the client's:\n  its own TLS is part of them.\n");
}

static struct json *figures_json(const struct figures *figures) {
    struct json *object = json_object_new();
    json_set_integer(object, "p50_ns", (int64_t)figures->p50);
    json_set_integer(object, "p99_ns", (int64_t)figures->p99);
    json_set_integer(object, "p999_ns", (int64_t)figures->p999);
    json_set_integer(object, "count", (int64_t)figures->count);
    return object;
}

static void print_json(const struct bench *bench) {
    CLEANUP(json_freep) struct json *answer = json_object_new();
    const struct figures difference = added_figures(bench);
    struct json *echo = json_object_new(), *handshakes = json_object_new();
    json_set_integer(echo, "bytes", BENCH_MESSAGE_BYTES);
    json_set(echo, "direct", figures_json(&bench->direct_figures));
    json_set(echo, "through", figures_json(&bench->through_figures));
    json_set(echo, "added", figures_json(&difference));
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        json_set(handshakes, GROUPS[i], figures_json(&bench->handshakes[i]));
    }
    json_set(answer, "echo", echo);
    json_set(answer, "handshakes", handshakes);
    program_print_json(answer);
}

static bool make_room(struct bench *bench) {
    struct samples *all[] = {&bench->direct, &bench->through, &bench->handshake};
    bool is_made = true;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        all[i]->ns = calloc(SAMPLES_MAX, sizeof *all[i]->ns);
        is_made = is_made && all[i]->ns != nullptr;
    }
    return is_made;
}

static status_t measure(struct bench *bench, struct error *err) {
    TRY(measure_echoes(bench, err));
    for (size_t i = 0; i < GROUP_COUNT; i++) {
        TRY(measure_handshakes(bench, GROUPS[i], &bench->handshakes[i], err));
    }
    return STATUS_OK;
}

status_t program_bench(const struct program_call *call, int *ret_exit, struct error *err) {
    uint32_t seconds = call->seconds != 0 ? call->seconds : SECONDS_DEFAULT;
    struct bench bench = {.clock = clock_system(), .total_ns = seconds * UINT64_C(1000000000)};
    (void)ret_exit;
    if (call->file != nullptr) {
        return program_usage(err, "bench has a configuration of its own: it takes no -c");
    }
    status_t status = bench_start(call->to, &bench.edge, err);
    if (!status_is_ok(status)) {
        return status;
    }
    bench.bar = bar_start(&bench.clock, "measuring");
    status = make_room(&bench) ? measure(&bench, err)
                               : error_set(err, ERROR_NO_MEMORY, 0, "cannot keep the figures");
    bar_end(&bench.bar);
    bench_stop(&bench.edge);
    if (status_is_ok(status)) {
        (call->report.json ? print_json : print_text)(&bench);
    }
    free(bench.direct.ns);
    free(bench.through.ns);
    free(bench.handshake.ns);
    return status;
}
