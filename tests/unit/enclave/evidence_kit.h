/* SPDX-License-Identifier: Apache-2.0
 *
 * A connection as both of its ends see it, keys, and a provider of simulated quotes.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "base/limits.h"
#include "codec/text.h"
#include "enclave/es256.h"
#include "enclave/evidence.h"
#include "enclave/quote.h"

enum { KIT_NOW_S = 1800000000 };

struct kit {
    EVP_PKEY *leaf, *root, *other;
    uint8_t nonce[32], exporter[EVIDENCE_EXPORTER_BYTES];
    struct digest spki, config, measurement;
    struct evidence_binding binding;
    struct evidence_provider provider;
    struct evidence_expectation expected;
    struct builder jwt;
};

static inline uint64_t kit_wall_ms(void *context) {
    (void)context;
    return (uint64_t)KIT_NOW_S * 1000;
}

static inline status_t kit_quote(void *context, const uint8_t *report_data,
                                 struct builder *ret_quote, struct error *err) {
    const struct kit *kit = context;
    return quote_simulate(kit->root, &kit->measurement, report_data, ret_quote, err);
}

static inline void kit_make(struct kit *kit) {
    *kit = (struct kit){
        .leaf = EVP_EC_gen("P-256"),
        .root = EVP_EC_gen("P-256"),
        .other = EVP_EC_gen("P-256"),
    };
    struct builder der;
    builder_init(&der, 4096);
    assert_true(es256_spki(kit->leaf, &der));
    sha256_of(builder_slice(&der), &kit->spki);
    builder_deinit(&der);
    memset(kit->nonce, 'n', sizeof kit->nonce);
    memset(kit->exporter, 'e', sizeof kit->exporter);
    sha256_of(SLICE_LITERAL("config"), &kit->config);
    sha256_of(SLICE_LITERAL("manifest"), &kit->measurement);
    kit->binding = (struct evidence_binding){
        .kind = EVIDENCE_KIND_CONNECTION,
        .nonce = slice_of(kit->nonce, sizeof kit->nonce),
        .exporter = slice_of(kit->exporter, sizeof kit->exporter),
        .spki_hash = slice_of(kit->spki.bytes, DIGEST_BYTES),
        .group = 0x11ec,
        .config_hash = slice_of(kit->config.bytes, DIGEST_BYTES),
    };
    kit->provider = (struct evidence_provider){
        .type = EVIDENCE_TYPE_SIMULATION,
        .quote = kit_quote,
        .context = kit,
        .clock = {.wall_ms = kit_wall_ms},
    };
    kit->expected = (struct evidence_expectation){
        .binding = kit->binding,
        .leaf = kit->leaf,
        .now_s = KIT_NOW_S,
        .allow_simulation = true,
    };
    builder_init(&kit->jwt, LIMIT_EVIDENCE_BYTES);
}

static inline void kit_free(struct kit *kit) {
    EVP_PKEY_free(kit->leaf);
    EVP_PKEY_free(kit->root);
    EVP_PKEY_free(kit->other);
    builder_deinit(&kit->jwt);
}

static inline void kit_token(struct kit *kit) {
    struct error err = {};
    builder_reset(&kit->jwt);
    assert_true(
        status_is_ok(evidence_make(&kit->binding, &kit->provider, kit->leaf, &kit->jwt, &err)));
}

static inline enum evidence_result kit_verify(const struct kit *kit) {
    struct evidence_facts facts;
    return evidence_verify(builder_slice(&kit->jwt), &kit->expected, &facts);
}

/* A token with this header and these claims, signed by `key`. */
static inline void kit_sign(struct kit *kit, struct slice header, struct slice claims,
                            EVP_PKEY *key) {
    uint8_t signature[ES256_SIGNATURE_BYTES];
    struct error err = {};
    builder_reset(&kit->jwt);
    text_base64url(header, &kit->jwt);
    builder_u8(&kit->jwt, '.');
    text_base64url(claims, &kit->jwt);
    assert_true(status_is_ok(es256_sign(key, builder_slice(&kit->jwt), signature, &err)));
    builder_u8(&kit->jwt, '.');
    text_base64url(slice_of(signature, sizeof signature), &kit->jwt);
}

/* The claims of the kit's token, as text. */
static inline void kit_claims(const struct kit *kit, struct builder *ret_claims) {
    static uint8_t bytes[LIMIT_EVIDENCE_BYTES];
    size_t size = 0;
    struct cursor cursor = cursor_of(builder_slice(&kit->jwt));
    (void)cursor_until(&cursor, '.');
    assert_true(text_unbase64url(cursor_until(&cursor, '.'), bytes, sizeof bytes, &size));
    builder_bytes(ret_claims, slice_of(bytes, size));
}
