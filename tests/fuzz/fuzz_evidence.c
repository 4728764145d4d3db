/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence from somebody who has the leaf key: the first byte says whether the rest is a token,
 * the claims of one that is signed here, a quote, or a request. Nothing verifies but what was made
 * for this connection, and every request gets one whole answer.
 *
 * Keys are made anew in each process, so no token, claims or quote of a corpus is good in the next
 * one. What shall come far therefore is a list of edits of what is good here, signed again
 * afterwards: of a token, of claims, of a quote below claims. No edits is the good path itself.
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

enum {
    MODE_TOKEN,
    MODE_CLAIMS,
    MODE_QUOTE,
    MODE_REQUEST,
    MODE_TOKEN_EDITS,
    MODE_CLAIMS_EDITS,
    MODE_QUOTE_EDITS,
    MODE_COUNT,
};
/* An edit: where (u16), which (u8), and a byte to put there or the number of bytes to take out. */
enum { EDIT_SET, EDIT_FLIP, EDIT_INSERT, EDIT_REMOVE, EDIT_COUNT };
enum { EDITS_MAX = 64, QUOTE_SIGNATURE_BYTES = 4 + ES256_SIGNATURE_BYTES };

static EVP_PKEY *key;
static struct digest spki, config, measurement;
static const uint8_t nonce[16], exporter[EVIDENCE_EXPORTER_BYTES];
static uint8_t bound_report[EVIDENCE_REPORT_BYTES];
static struct evidence_provider provider;
static struct evidence_expectation expected;
static struct builder good_token, good_claims, good_quote, bound_quote;

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
    builder_init(&bound_quote, QUOTE_BYTES_MAX);
    ASSERT(evidence_report_data(&expected.binding, bound_report));
    ASSERT(status_is_ok(quote_simulate(key, &measurement, bound_report, &bound_quote, &err)));
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
    /* Nothing; a bit; two in two places; one byte less, one more. */
    static const char EDITS[] = "\x10\0\1\1"
                                "\x30\1\0B"
                                "\x51\0\3\1"
                                "\x70\0\2A";
    prepare();
    const struct {
        uint8_t mode;
        struct slice rest;
    } seeds[] = {
        {MODE_TOKEN, builder_slice(&good_token)},
        {MODE_CLAIMS, builder_slice(&good_claims)},
        {MODE_QUOTE, builder_slice(&good_quote)},
        {MODE_REQUEST, SLICE_LITERAL(REQUEST)},
        {MODE_TOKEN_EDITS, {}},
        {MODE_TOKEN_EDITS, slice_of(EDITS, 8)},
        {MODE_CLAIMS_EDITS, {}},
        {MODE_CLAIMS_EDITS, slice_of(EDITS, 16)},
        {MODE_QUOTE_EDITS, {}},
        {MODE_QUOTE_EDITS, slice_of("\x20\0\1\1", 4)}, /* another measurement, and signed */
        {MODE_QUOTE_EDITS, slice_of(EDITS, 16)},
    };
    if (number >= sizeof seeds / sizeof seeds[0]) {
        return false;
    }
    builder_u8(out, seeds[number].mode);
    builder_bytes(out, seeds[number].rest);
    return true;
}

static void put(struct builder *out, struct slice bytes, size_t from, size_t to) {
    builder_bytes(out, slice_of(bytes.data + from, to - from));
}

/* One edit of `bytes`, which is not empty. */
static void edit_once(struct slice bytes, struct cursor *edits, struct builder *out) {
    size_t at = cursor_u16(edits) % bytes.size;
    unsigned which = cursor_u8(edits) % EDIT_COUNT;
    uint8_t value = cursor_u8(edits);
    size_t left = bytes.size - at;
    size_t gone = which == EDIT_INSERT ? 0 : which != EDIT_REMOVE ? 1 : value < left ? value : left;
    put(out, bytes, 0, at);
    if (which != EDIT_REMOVE) {
        builder_u8(out, which == EDIT_FLIP ? bytes.data[at] ^ value : value);
    }
    put(out, bytes, at + gone, bytes.size);
}

/* Appends `bytes` with the edits made, one after the other. */
static void edit(struct slice bytes, struct slice edits, struct builder *out) {
    struct builder work[2];
    struct cursor cursor = cursor_of(edits);
    struct slice now = bytes;
    for (unsigned i = 0; i < 2; i++) {
        builder_init(&work[i], 2 * LIMIT_EVIDENCE_BYTES);
    }
    for (unsigned i = 0; i < EDITS_MAX && cursor_remaining(&cursor) >= 4 && now.size > 0; i++) {
        builder_reset(&work[i % 2]);
        edit_once(now, &cursor, &work[i % 2]);
        now = builder_slice(&work[i % 2]);
    }
    builder_bytes(out, now);
    builder_deinit(&work[0]);
    builder_deinit(&work[1]);
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

/* Verifies claims that the leaf key signed. */
static enum evidence_result judge_claims(struct slice claims, struct evidence_facts *ret_facts) {
    struct builder token;
    struct error err;
    uint8_t signature[ES256_SIGNATURE_BYTES];
    enum evidence_result result = EVIDENCE_MALFORMED;
    builder_init(&token, 2 * LIMIT_EVIDENCE_BYTES);
    text_base64url(SLICE_LITERAL(TOKEN_HEADER), &token);
    builder_u8(&token, '.');
    text_base64url(claims, &token);
    if (builder_is_ok(&token) &&
        status_is_ok(es256_sign(key, builder_slice(&token), signature, &err))) {
        builder_u8(&token, '.');
        text_base64url(slice_of(signature, sizeof signature), &token);
        result = evidence_verify(builder_slice(&token), &expected, ret_facts);
    }
    builder_deinit(&token);
    return result;
}

static void try_claims(struct slice claims) {
    struct evidence_facts facts = {};
    bool is_good = judge_claims(claims, &facts) == EVIDENCE_VERIFIED;
    if (is_good) {
        ASSERT(digest_equal(&facts.config, &config));
        ASSERT(digest_equal(&facts.measurement, &measurement));
    }
    ASSERT(is_good || !slice_equal(claims, builder_slice(&good_claims)));
}

/* A quote whose root signed whatever stands in it, below claims that are right otherwise. It is
 * taken if and only if it can be read, has its signature and is for this connection. */
static void try_quote_edits(struct slice edits) {
    struct builder quote_bytes, claims;
    struct quote read = {};
    struct evidence_facts facts = {};
    struct error err;
    uint8_t signature[ES256_SIGNATURE_BYTES];
    builder_init(&quote_bytes, 2 * LIMIT_EVIDENCE_BYTES);
    builder_init(&claims, LIMIT_EVIDENCE_BYTES);
    edit(slice_of(bound_quote.data, bound_quote.size - QUOTE_SIGNATURE_BYTES), edits, &quote_bytes);
    ASSERT(status_is_ok(es256_sign(key, builder_slice(&quote_bytes), signature, &err)));
    builder_u16_be(&quote_bytes, 0);
    builder_u16_be(&quote_bytes, sizeof signature);
    builder_bytes(&quote_bytes, slice_of(signature, sizeof signature));
    bool is_good = quote_read(builder_slice(&quote_bytes), &read) == QUOTE_GOOD &&
                   memcmp(read.report_data, bound_report, sizeof bound_report) == 0;
    /* In place of the quote that stands in the good claims, from its first quotation mark on. */
    static const char NAME[] = "\"quote\":\"";
    const uint8_t *from = memmem(good_claims.data, good_claims.size, NAME, sizeof NAME - 1);
    ASSERT(from != nullptr);
    size_t start = (size_t)(from - good_claims.data) + sizeof NAME - 1;
    const uint8_t *to = memchr(good_claims.data + start, '"', good_claims.size - start);
    put(&claims, builder_slice(&good_claims), 0, start);
    text_base64url(builder_slice(&quote_bytes), &claims);
    put(&claims, builder_slice(&good_claims), (size_t)(to - good_claims.data), good_claims.size);
    bool is_taken = judge_claims(builder_slice(&claims), &facts) == EVIDENCE_VERIFIED;
    ASSERT(is_taken == is_good);
    ASSERT(!is_taken || digest_equal(&facts.measurement, &read.measurement));
    builder_deinit(&quote_bytes);
    builder_deinit(&claims);
}

static void try_edits(unsigned mode, struct slice edits) {
    struct builder edited;
    struct slice good = builder_slice(mode == MODE_TOKEN_EDITS ? &good_token : &good_claims);
    builder_init(&edited, 2 * LIMIT_EVIDENCE_BYTES);
    edit(good, edits, &edited);
    if (mode == MODE_TOKEN_EDITS) {
        try_token(builder_slice(&edited), slice_equal(builder_slice(&edited), good));
    } else {
        try_claims(builder_slice(&edited));
    }
    builder_deinit(&edited);
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
    case MODE_TOKEN_EDITS:
    case MODE_CLAIMS_EDITS:
        try_edits(data[0] % MODE_COUNT, rest);
        break;
    case MODE_QUOTE_EDITS:
        try_quote_edits(rest);
        break;
    default:
        try_request(rest);
        break;
    }
    return 0;
}
