/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence from somebody who has the leaf key: the first byte says whether the rest is a token,
 * the claims of one that is signed here, a quote, or a request. Nothing verifies but what was made
 * for this connection, and every request gets one whole answer.
 */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "codec/text.h"
#include "enclave/attest.h"
#include "enclave/es256.h"
#include "enclave/quote.h"
#include "enclave/token.h"
#include "fuzz.h"

enum { MODE_TOKEN, MODE_CLAIMS, MODE_QUOTE, MODE_REQUEST, MODE_COUNT };

static EVP_PKEY *key;
static struct digest spki, config, measurement;
static const uint8_t nonce[16], exporter[EVIDENCE_EXPORTER_BYTES];
static struct evidence_provider provider;
static struct evidence_expectation expected;
static struct builder good_token, good_claims, good_quote;

static uint64_t wall_ms(void *context) {
    (void)context;
    return 1800000000000;
}

static status_t quote(void *context, const uint8_t *report_data, struct builder *ret_quote,
                      struct error *err) {
    (void)context;
    return quote_simulate(key, &measurement, report_data, ret_quote, err);
}

static void make_good(void) {
    struct error err = {};
    uint8_t claims[4096];
    size_t size = 0;
    builder_init(&good_token, LIMIT_EVIDENCE_BYTES);
    builder_init(&good_claims, LIMIT_EVIDENCE_BYTES);
    builder_init(&good_quote, QUOTE_BYTES_MAX);
    ASSERT(status_is_ok(evidence_make(&expected.binding, &provider, key, &good_token, &err)));
    struct cursor cursor = cursor_of(builder_slice(&good_token));
    (void)cursor_until(&cursor, '.');
    ASSERT(text_unbase64url(cursor_until(&cursor, '.'), claims, sizeof claims, &size));
    builder_bytes(&good_claims, slice_of(claims, size));
    uint8_t report[EVIDENCE_REPORT_BYTES] = {};
    ASSERT(status_is_ok(quote_simulate(key, &measurement, report, &good_quote, &err)));
}

static void prepare(void) {
    if (key != nullptr) {
        return;
    }
    struct builder der;
    builder_init(&der, 1024);
    key = EVP_EC_gen("P-256");
    ASSERT(es256_spki(key, &der));
    sha256_of(builder_slice(&der), &spki);
    builder_deinit(&der);
    provider = (struct evidence_provider){
        .type = EVIDENCE_TYPE_SIMULATION, .quote = quote, .clock = {.wall_ms = wall_ms}};
    expected = (struct evidence_expectation){
        .binding =
            {
                .kind = EVIDENCE_KIND_CONNECTION,
                .nonce = slice_of(nonce, sizeof nonce),
                .exporter = slice_of(exporter, sizeof exporter),
                .spki_hash = slice_of(spki.bytes, DIGEST_BYTES),
                .group = 0x11ec,
                .config_hash = slice_of(config.bytes, DIGEST_BYTES),
            },
        .leaf = key,
        .now_s = 1800000000,
        .allow_simulation = true,
    };
    make_good();
}

bool fuzz_seed(unsigned number, struct builder *out) {
    static const char REQUEST[] = "POST /attestation/verify?nonce=00000000000000000000000000000000 "
                                  "HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na.b";
    prepare();
    const struct slice seeds[MODE_COUNT] = {
        [MODE_TOKEN] = builder_slice(&good_token),
        [MODE_CLAIMS] = builder_slice(&good_claims),
        [MODE_QUOTE] = builder_slice(&good_quote),
        [MODE_REQUEST] = SLICE_LITERAL(REQUEST),
    };
    if (number >= MODE_COUNT) {
        return false;
    }
    builder_u8(out, (uint8_t)number);
    builder_bytes(out, seeds[number]);
    return true;
}

static void try_token(struct slice token, bool is_good) {
    struct evidence_facts facts;
    enum evidence_result result = evidence_verify(token, &expected, &facts);
    ASSERT((result == EVIDENCE_VERIFIED) == is_good);
}

/* Seeds and what a corpus keeps come from other processes, with other roots: good, and not ours. */
static void try_quote(struct slice bytes) {
    struct quote read;
    bool is_ours = quote_read(bytes, &read) == QUOTE_GOOD && digest_equal(&read.root, &spki);
    ASSERT(is_ours == slice_equal(bytes, builder_slice(&good_quote)));
}

static void try_claims(struct slice claims) {
    struct evidence_facts facts;
    struct builder token;
    struct error err;
    uint8_t signature[ES256_SIGNATURE_BYTES];
    builder_init(&token, 2 * LIMIT_EVIDENCE_BYTES);
    text_base64url(SLICE_LITERAL(TOKEN_HEADER), &token);
    builder_u8(&token, '.');
    text_base64url(claims, &token);
    if (builder_is_ok(&token) &&
        status_is_ok(es256_sign(key, builder_slice(&token), signature, &err))) {
        builder_u8(&token, '.');
        text_base64url(slice_of(signature, sizeof signature), &token);
        if (evidence_verify(builder_slice(&token), &expected, &facts) == EVIDENCE_VERIFIED) {
            ASSERT(digest_equal(&facts.config, &config));
            ASSERT(digest_equal(&facts.measurement, &measurement));
        }
    }
    builder_deinit(&token);
}

static void try_request(struct slice bytes) {
    struct builder response;
    const struct attest_context context = {
        .binding = expected.binding, .provider = &provider, .leaf = key};
    builder_init(&response, (size_t)LIMIT_ATTEST_BYTES * 2);
    enum attest_result result = attest_answer(bytes, &context, &response);
    ASSERT(builder_is_ok(&response) && (response.size == 0) == (result == ATTEST_MORE));
    ASSERT(result == ATTEST_ANSWERED || bytes.size < LIMIT_ATTEST_BYTES);
    builder_deinit(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    prepare();
    if (size == 0) {
        return 0;
    }
    struct slice rest = slice_of(data + 1, size - 1);
    switch (data[0] % MODE_COUNT) {
    case MODE_TOKEN:
        try_token(rest, slice_equal(rest, builder_slice(&good_token)));
        break;
    case MODE_CLAIMS:
        try_claims(rest);
        break;
    case MODE_QUOTE:
        try_quote(rest);
        break;
    default:
        try_request(rest);
        break;
    }
    return 0;
}
