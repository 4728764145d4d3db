/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/evidence.h"

#include <openssl/sha.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/json.h"
#include "codec/text.h"
#include "enclave/block.h"
#include "enclave/es256.h"
#include "enclave/quote.h"
#include "enclave/token.h"

enum { PRE_IMAGE_BYTES_MAX = 512, TEXT_BYTES_MAX = 2 * QUOTE_BYTES_MAX };

static bool binding_is_whole(const struct evidence_binding *binding) {
    bool is_key = binding->kind == EVIDENCE_KIND_KEY;
    return (binding->kind == EVIDENCE_KIND_CONNECTION || is_key) &&
           binding->nonce.size >= EVIDENCE_NONCE_BYTES_MIN &&
           binding->nonce.size <= EVIDENCE_NONCE_BYTES_MAX &&
           binding->exporter.size == (is_key ? 0 : EVIDENCE_EXPORTER_BYTES) &&
           (binding->group == 0) == is_key && binding->spki_hash.size == DIGEST_BYTES &&
           binding->config_hash.size == DIGEST_BYTES;
}

bool evidence_report_data(const struct evidence_binding *binding,
                          uint8_t ret_report_data[static EVIDENCE_REPORT_BYTES]) {
    struct builder text;
    if (!binding_is_whole(binding)) {
        return false;
    }
    builder_init(&text, PRE_IMAGE_BYTES_MAX);
    builder_text(&text, TOKEN_DOMAIN);
    builder_u8(&text, 0);
    builder_u8(&text, binding->kind);
    block_add(&text, binding->nonce);
    block_add(&text, binding->exporter);
    block_add(&text, binding->spki_hash);
    builder_u16_be(&text, binding->group);
    block_add(&text, binding->config_hash);
    bool is_made = builder_is_ok(&text);
    if (is_made) {
        (void)SHA512(text.data, text.size, ret_report_data);
    }
    builder_deinit(&text);
    return is_made;
}

static void set_base64(struct json *object, const char *key, struct slice bytes) {
    struct builder text;
    builder_init(&text, TEXT_BYTES_MAX);
    text_base64url(bytes, &text);
    json_set_text(object, key, builder_c_string(&text));
    builder_deinit(&text);
}

static struct json *binding_json(const struct evidence_binding *binding) {
    struct json *object = json_object_new();
    json_set_integer(object, BINDING_KIND, binding->kind);
    set_base64(object, BINDING_EXPORTER, binding->exporter);
    set_base64(object, BINDING_SPKI, binding->spki_hash);
    json_set_integer(object, BINDING_GROUP, binding->group);
    set_base64(object, BINDING_CONFIG, binding->config_hash);
    return object;
}

static struct json *submods_json(const struct evidence_provider *provider, struct slice quote) {
    struct json *submods = json_object_new();
    struct json *inner = json_object_new();
    json_set_text(inner, QUOTE_TYPE, evidence_type_text(provider->type));
    if (quote.size > 0) {
        set_base64(inner, QUOTE_BYTES, quote);
    }
    json_set(submods, SUBMOD_QUOTE, inner);
    return submods;
}

static void claims_write(const struct evidence_binding *binding,
                         const struct evidence_provider *provider, struct slice quote,
                         struct builder *out) {
    CLEANUP(json_freep) struct json *claims = json_object_new();
    set_base64(claims, CLAIM_NONCE, binding->nonce);
    json_set_integer(claims, CLAIM_ISSUED, (int64_t)(clock_wall_ms(&provider->clock) / 1000));
    json_set_text(claims, CLAIM_PROFILE, TOKEN_PROFILE);
    json_set_text(claims, CLAIM_DEBUG, DEBUG_ENABLED);
    json_set(claims, CLAIM_BINDING, binding_json(binding));
    json_set(claims, CLAIM_SUBMODS, submods_json(provider, quote));
    json_write_canonical(claims, out);
}

static status_t token_write(struct slice claims, EVP_PKEY *leaf, struct builder *ret_jwt,
                            struct error *err) {
    uint8_t signature[ES256_SIGNATURE_BYTES];
    size_t start = ret_jwt->size;
    text_base64url(SLICE_LITERAL(TOKEN_HEADER), ret_jwt);
    builder_u8(ret_jwt, '.');
    text_base64url(claims, ret_jwt);
    if (!builder_is_ok(ret_jwt)) {
        return error_set(err, ERROR_ENCLAVE_QUOTE, 0, "evidence does not fit");
    }
    TRY(es256_sign(leaf, slice_of(ret_jwt->data + start, ret_jwt->size - start), signature, err));
    builder_u8(ret_jwt, '.');
    text_base64url(slice_of(signature, sizeof signature), ret_jwt);
    return builder_is_ok(ret_jwt) ? STATUS_OK
                                  : error_set(err, ERROR_ENCLAVE_QUOTE, 0, "evidence does not fit");
}

static status_t quote_make(const struct evidence_binding *binding,
                           const struct evidence_provider *provider, struct builder *ret_quote,
                           struct error *err) {
    uint8_t report_data[EVIDENCE_REPORT_BYTES];
    if (!evidence_report_data(binding, report_data)) {
        return error_set(err, ERROR_ENCLAVE_QUOTE, 0, "a part of what evidence binds is missing");
    }
    if (provider->type == EVIDENCE_TYPE_NONE) {
        return STATUS_OK;
    }
    ASSERT(provider->quote != nullptr);
    TRY(provider->quote(provider->context, report_data, ret_quote, err));
    return builder_is_ok(ret_quote) && ret_quote->size > 0
               ? STATUS_OK
               : error_set(err, ERROR_ENCLAVE_QUOTE, 0, "the quote is empty or too long");
}

status_t evidence_make(const struct evidence_binding *binding,
                       const struct evidence_provider *provider, EVP_PKEY *leaf,
                       struct builder *ret_jwt, struct error *err) {
    CLEANUP(builder_deinit) struct builder quote;
    CLEANUP(builder_deinit) struct builder claims;
    builder_init(&quote, QUOTE_BYTES_MAX);
    builder_init(&claims, LIMIT_EVIDENCE_BYTES);
    TRY(quote_make(binding, provider, &quote, err));
    claims_write(binding, provider, builder_slice(&quote), &claims);
    if (!builder_is_ok(&claims)) {
        return error_set(err, ERROR_ENCLAVE_QUOTE, 0, "evidence does not fit");
    }
    return token_write(builder_slice(&claims), leaf, ret_jwt, err);
}

struct result_row {
    const char *slug;
    const char *text;
};

static const struct result_row *result_row(enum evidence_result result) {
    static const struct result_row ROWS[] = {
#define EVIDENCE(name, slug, meaning) {slug, meaning},
#include "enclave/evidence.def"
#undef EVIDENCE
    };
    ASSERT(result < EVIDENCE_RESULT_COUNT);
    return &ROWS[result];
}

const char *evidence_result_slug(enum evidence_result result) {
    return result_row(result)->slug;
}

const char *evidence_result_text(enum evidence_result result) {
    return result_row(result)->text;
}

const char *evidence_type_text(enum evidence_type type) {
    switch (type) {
    case EVIDENCE_TYPE_NONE:
        return "none";
    case EVIDENCE_TYPE_SIMULATION:
        break;
    }
    return "simulation";
}
