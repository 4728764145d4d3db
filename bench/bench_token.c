/* SPDX-License-Identifier: Apache-2.0
 *
 * Figures of capability tokens. Each sample is the mean of BATCH calls, because one is over in not
 * much more time than it takes to read the clock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "policy/token.h"
#include "policy/token_attenuate.h"

enum { BATCH = 50, SAMPLES = 4000, NOW = 1000000 };

struct bench {
    struct clock clock;
    struct token_authority *authority;
    struct builder text;
    uint8_t buffer[LIMIT_TOKEN_BYTES];
    struct token token;
    struct token_facts facts;
    uint64_t serial;
    struct error err;
};

static void must(struct bench *bench, status_t status, const char *what) {
    if (!status_is_ok(status)) {
        (void)fprintf(stderr, "bench_token: %s: %s\n", what, bench->err.message);
        exit(1);
    }
}

static struct token_grant grant(void) {
    return (struct token_grant){
        .max_ops = UINT32_MAX,
        .operation = "fs.write",
        .paths = {.globs = {"src/**", "tests/**", "!src/generated/"}, .count = 3},
        .sandbox_id = "01a1fc18-bd5e-753c-837d-e70cb26146d9",
        .peer = {.kind = TOKEN_PEER_PIDFD, .pidfd_inode = 4711, .uid = 1000},
        .constraints = {.template_name = "code-executor",
                        .file_bytes_max = 102400,
                        .total_bytes_max = UINT64_MAX,
                        .files_max = UINT32_MAX},
    };
}

static struct token_facts facts(void) {
    return (struct token_facts){
        .now_ms = NOW,
        .operation = "fs.write",
        .path = "tests/unit/policy/test_token.c",
        .sandbox_id = "01a1fc18-bd5e-753c-837d-e70cb26146d9",
        .peer = {.kind = TOKEN_PEER_PIDFD, .pidfd_inode = 4711, .uid = 1000},
    };
}

static void parse(struct bench *bench) {
    ASSERT(token_parse_text(builder_slice(&bench->text), bench->buffer, &bench->token));
}

static void issue(struct bench *bench) {
    uint8_t seed[TOKEN_SEED_BYTES] = {0};
    struct token_id id;
    bench->serial++;
    memcpy(seed, &bench->serial, sizeof bench->serial);
    const struct token_request request = {.grant = grant(), .now_ms = NOW, .seed = seed};
    builder_reset(&bench->text);
    must(bench, token_issue(bench->authority, &request, &bench->text, &id, &bench->err), "issue");
}

/* So that the table never fills: one out, one in. */
static void issue_and_revoke(struct bench *bench) {
    struct token_id id = {{0}};
    issue(bench);
    memcpy(id.bytes, &bench->serial, sizeof bench->serial);
    ASSERT(token_revoke(bench->authority, &id));
}

static void check(struct bench *bench) {
    ASSERT(token_check(bench->authority, &bench->token, &bench->facts).result == TOKEN_VALID);
}

static void parse_and_check(struct bench *bench) {
    parse(bench);
    check(bench);
}

static void parse_and_refuse(struct bench *bench) {
    parse(bench);
    bench->token.seal.bytes[0] ^= 1;
    ASSERT(token_check(bench->authority, &bench->token, &bench->facts).result == TOKEN_FORGED);
}

static int compare(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void measure(struct bench *bench, const char *what, void (*step)(struct bench *)) {
    static double samples[SAMPLES];
    for (size_t i = 0; i < SAMPLES; i++) {
        uint64_t start = clock_monotonic_ns(&bench->clock);
        for (size_t k = 0; k < BATCH; k++) {
            step(bench);
        }
        samples[i] = (double)(clock_monotonic_ns(&bench->clock) - start) / BATCH;
    }
    qsort(samples, SAMPLES, sizeof samples[0], compare);
    (void)printf("%-44s %10.2f us p50 %10.2f us p99\n", what, samples[SAMPLES / 2] / 1e3,
                 samples[SAMPLES * 99 / 100] / 1e3);
}

static void narrow(struct bench *bench) {
    const struct token_caveat caveats[4] = {
        {.kind = TOKEN_CAVEAT_OPERATION, .operation = "fs.write"},
        {.kind = TOKEN_CAVEAT_PATHS, .paths = {.globs = {"tests/unit/**"}, .count = 1}},
        {.kind = TOKEN_CAVEAT_OPS, .max_ops = UINT32_MAX},
        {.kind = TOKEN_CAVEAT_EXPIRES, .expires_ms = NOW + 20000},
    };
    struct builder narrowed;
    builder_init(&narrowed, TOKEN_TEXT_BYTES_MAX);
    must(bench, token_attenuate(builder_slice(&bench->text), caveats, 4, &narrowed, &bench->err),
         "narrow");
    builder_deinit(&bench->text);
    bench->text = narrowed;
    parse(bench);
}

int main(void) {
    static struct bench bench;
    static const uint8_t KEY[TOKEN_BOOT_KEY_BYTES] = {1};
    bench.clock = clock_system();
    bench.facts = facts();
    builder_init(&bench.text, TOKEN_TEXT_BYTES_MAX);
    must(&bench, token_authority_new(KEY, &bench.authority, &bench.err), "authority");
    measure(&bench, "token issued (and revoked)", issue_and_revoke);
    issue(&bench);
    (void)printf("%-44s %10zu bytes of text\n", "  a token", bench.text.size);
    measure(&bench, "token read and checked (goal: 2 us)", parse_and_check);
    parse(&bench);
    measure(&bench, "  checked alone", check);
    measure(&bench, "forged token read and refused", parse_and_refuse);
    narrow(&bench);
    measure(&bench, "token with four caveats read and checked", parse_and_check);
    token_authority_free(bench.authority);
    builder_deinit(&bench.text);
    return 0;
}
