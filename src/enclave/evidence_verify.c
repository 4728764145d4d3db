/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier. It reads nothing of a token before the signature over it is that of the key the
 * connection showed; then each part of the binding is compared with what the verifier's own end of
 * the connection has, so that a refusal can say which; then the report data is computed from the
 * verifier's own values, never from the token's, and has to be the quote's.
 *
 * Every token has one form: exactly these members, no others, base64url in its one spelling. What
 * is not known is refused; nothing is taken for `none` or for a simulation by default.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/json.h"
#include "codec/text.h"
#include "enclave/es256.h"
#include "enclave/evidence.h"
#include "enclave/quote.h"
#include "enclave/token.h"

enum { CLOCK_SKEW_S = 60, HEADER_BYTES_MAX = 256 };

struct token {
    struct slice header, claims, signature; /* as base64url */
    struct slice text;                      /* what is signed */
};

static bool token_split(struct slice jwt, struct token *ret_token) {
    struct cursor cursor = cursor_of(jwt);
    ret_token->header = cursor_until(&cursor, '.');
    ret_token->claims = cursor_until(&cursor, '.');
    if (!cursor_is_ok(&cursor)) {
        return false;
    }
    ret_token->text = slice_of(jwt.data, cursor.offset - 1);
    ret_token->signature = cursor_bytes(&cursor, cursor_remaining(&cursor));
    return !limit_past(jwt.size > LIMIT_EVIDENCE_BYTES, LIMIT_ID_EVIDENCE_BYTES) &&
           ret_token->signature.size > 0 &&
           memchr(ret_token->signature.data, '.', ret_token->signature.size) == nullptr;
}

static struct json *json_of(struct slice base64, size_t bytes_max) {
    struct json *value = nullptr;
    struct error ignored;
    size_t size = 0;
    CLEANUP(memory_freep) uint8_t *bytes = malloc(bytes_max);
    if (bytes == nullptr || !text_unbase64url(base64, bytes, bytes_max, &size) ||
        !status_is_ok(json_parse(slice_of(bytes, size), "evidence", &value, &ignored))) {
        return nullptr;
    }
    if (json_kind_of(value) != JSON_KIND_OBJECT) {
        json_freep(&value);
    }
    return value;
}

static bool text_is(const struct json *object, const char *key, const char *wanted) {
    const char *text = json_get_text(object, key);
    return text != nullptr && strcmp(text, wanted) == 0;
}

static enum evidence_result check_signature(const struct token *token, EVP_PKEY *leaf) {
    uint8_t signature[ES256_SIGNATURE_BYTES];
    size_t size = 0;
    CLEANUP(json_freep) struct json *header = json_of(token->header, HEADER_BYTES_MAX);
    if (header == nullptr || json_get_text(header, "alg") == nullptr) {
        return EVIDENCE_MALFORMED;
    }
    if (!text_is(header, "alg", "ES256") || !es256_is_key(leaf)) {
        return EVIDENCE_ALGORITHM;
    }
    /* No "jwk", "x5c", "kid", "crit": a token does not choose the key it is checked with. */
    if (json_object_count(header) != 2 || !text_is(header, "typ", "eat+jwt")) {
        return EVIDENCE_MALFORMED;
    }
    if (!text_unbase64url(token->signature, signature, sizeof signature, &size) ||
        size != sizeof signature) {
        return EVIDENCE_MALFORMED;
    }
    return es256_verify(leaf, token->text, signature) ? EVIDENCE_VERIFIED : EVIDENCE_SIGNATURE;
}

/* The bytes behind a member in base64url; false when there is none, or it is no base64url. */
static bool get_bytes(const struct json *object, const char *key, uint8_t *ret, size_t size_max,
                      size_t *ret_size) {
    const char *text = json_get_text(object, key);
    return text != nullptr && text_unbase64url(slice_of_string(text), ret, size_max, ret_size);
}

static bool bytes_are(const struct json *object, const char *key, struct slice wanted) {
    uint8_t bytes[EVIDENCE_NONCE_BYTES_MAX];
    size_t size = 0;
    return get_bytes(object, key, bytes, sizeof bytes, &size) &&
           slice_equal(slice_of(bytes, size), wanted);
}

static bool number_is(const struct json *object, const char *key, int64_t wanted) {
    int64_t number = 0;
    return json_get_integer(object, key, &number) && number == wanted;
}

static bool is_fresh(uint64_t issued_s, uint64_t now_s) {
    uint64_t distance = issued_s > now_s ? issued_s - now_s : now_s - issued_s;
    return distance <= CLOCK_SKEW_S;
}

static enum evidence_result check_claims(const struct json *claims,
                                         const struct evidence_expectation *expected,
                                         struct evidence_facts *facts) {
    int64_t issued = 0;
    if (json_object_count(claims) != TOKEN_CLAIMS) {
        return EVIDENCE_MALFORMED;
    }
    if (!text_is(claims, CLAIM_PROFILE, TOKEN_PROFILE)) {
        return EVIDENCE_PROFILE;
    }
    if (!bytes_are(claims, CLAIM_NONCE, expected->binding.nonce)) {
        return EVIDENCE_NONCE;
    }
    if (!json_get_integer(claims, CLAIM_ISSUED, &issued) || issued < 0) {
        return EVIDENCE_MALFORMED;
    }
    facts->issued_s = (uint64_t)issued;
    facts->is_debug = true;
    /* Nothing that exists here can say otherwise of itself. */
    return !text_is(claims, CLAIM_DEBUG, DEBUG_ENABLED) ? EVIDENCE_MALFORMED
           : is_fresh(facts->issued_s, expected->now_s) ? EVIDENCE_VERIFIED
                                                        : EVIDENCE_STALE;
}

static enum evidence_result check_binding(const struct json *claims,
                                          const struct evidence_binding *wanted,
                                          struct evidence_facts *facts) {
    const struct json *binding = json_get(claims, CLAIM_BINDING);
    size_t size = 0;
    if (binding == nullptr || json_object_count(binding) != TOKEN_BINDINGS ||
        !get_bytes(binding, BINDING_CONFIG, facts->config.bytes, DIGEST_BYTES, &size) ||
        size != DIGEST_BYTES) {
        return EVIDENCE_MALFORMED;
    }
    if (!number_is(binding, BINDING_KIND, wanted->kind)) {
        return EVIDENCE_KIND;
    }
    if (!bytes_are(binding, BINDING_EXPORTER, wanted->exporter)) {
        return EVIDENCE_EXPORTER;
    }
    if (!bytes_are(binding, BINDING_SPKI, wanted->spki_hash)) {
        return EVIDENCE_SPKI;
    }
    if (!number_is(binding, BINDING_GROUP, wanted->group)) {
        return EVIDENCE_GROUP;
    }
    bool is_expected =
        wanted->config_hash.size == 0 ||
        slice_equal(slice_of(facts->config.bytes, DIGEST_BYTES), wanted->config_hash);
    return is_expected ? EVIDENCE_VERIFIED : EVIDENCE_CONFIG;
}

static enum evidence_result check_quote(struct slice bytes,
                                        const struct evidence_expectation *expected,
                                        struct evidence_facts *facts) {
    struct quote quote = {};
    uint8_t report_data[EVIDENCE_REPORT_BYTES];
    struct evidence_binding binding = expected->binding;
    binding.config_hash = slice_of(facts->config.bytes, DIGEST_BYTES);
    enum quote_result read = quote_read(bytes, &quote);
    if (read == QUOTE_MALFORMED) {
        return EVIDENCE_QUOTE;
    }
    facts->measurement = quote.measurement;
    facts->root = quote.root;
    if (read == QUOTE_BAD_SIGNATURE) {
        return EVIDENCE_QUOTE_SIGNATURE;
    }
    if (!evidence_report_data(&binding, report_data) ||
        memcmp(report_data, quote.report_data, sizeof report_data) != 0) {
        return EVIDENCE_REPORT_DATA;
    }
    if (expected->root != nullptr && !digest_equal(expected->root, &quote.root)) {
        return EVIDENCE_ROOT;
    }
    if (expected->measurement != nullptr &&
        !digest_equal(expected->measurement, &quote.measurement)) {
        return EVIDENCE_MEASUREMENT;
    }
    return expected->allow_simulation ? EVIDENCE_VERIFIED : EVIDENCE_SIMULATION;
}

static enum evidence_result check_submods(const struct json *claims,
                                          const struct evidence_expectation *expected,
                                          struct evidence_facts *facts) {
    uint8_t bytes[QUOTE_BYTES_MAX];
    size_t size = 0;
    const struct json *submods = json_get(claims, CLAIM_SUBMODS);
    const struct json *quote = submods != nullptr ? json_get(submods, SUBMOD_QUOTE) : nullptr;
    if (quote == nullptr || json_object_count(submods) != 1) {
        return EVIDENCE_MALFORMED;
    }
    if (text_is(quote, QUOTE_TYPE, evidence_type_text(EVIDENCE_TYPE_NONE))) {
        facts->type = EVIDENCE_TYPE_NONE;
        return EVIDENCE_NO_QUOTE;
    }
    if (!text_is(quote, QUOTE_TYPE, evidence_type_text(EVIDENCE_TYPE_SIMULATION))) {
        return EVIDENCE_TYPE;
    }
    facts->type = EVIDENCE_TYPE_SIMULATION;
    facts->has_quote = true;
    if (json_object_count(quote) != 2 ||
        !get_bytes(quote, QUOTE_BYTES, bytes, sizeof bytes, &size)) {
        return EVIDENCE_QUOTE;
    }
    return check_quote(slice_of(bytes, size), expected, facts);
}

enum evidence_result evidence_verify(struct slice jwt, const struct evidence_expectation *expected,
                                     struct evidence_facts *ret_facts) {
    struct token token;
    *ret_facts = (struct evidence_facts){};
    if (!token_split(jwt, &token)) {
        return EVIDENCE_MALFORMED;
    }
    enum evidence_result result = check_signature(&token, expected->leaf);
    if (result != EVIDENCE_VERIFIED) {
        return result;
    }
    CLEANUP(json_freep) struct json *claims = json_of(token.claims, LIMIT_EVIDENCE_BYTES);
    if (claims == nullptr) {
        return EVIDENCE_MALFORMED;
    }
    result = check_claims(claims, expected, ret_facts);
    if (result == EVIDENCE_VERIFIED) {
        result = check_binding(claims, &expected->binding, ret_facts);
    }
    return result == EVIDENCE_VERIFIED ? check_submods(claims, expected, ret_facts) : result;
}
