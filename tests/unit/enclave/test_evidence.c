/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_kit.h"

#include <openssl/sha.h>

#include "enclave/token.h"

static struct kit kit;

static int set_up(void **state) {
    (void)state;
    kit_make(&kit);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    kit_free(&kit);
    return 0;
}

static void a_token_verifies_for_its_connection(void **state) {
    (void)state;
    struct evidence_facts facts;
    kit_token(&kit);
    kit.expected.measurement = &kit.measurement;
    assert_int_equal(evidence_verify(builder_slice(&kit.jwt), &kit.expected, &facts),
                     EVIDENCE_VERIFIED);
    assert_true(facts.has_quote && facts.is_debug);
    assert_int_equal(facts.type, EVIDENCE_TYPE_SIMULATION);
    assert_true(digest_equal(&facts.config, &kit.config));
    assert_true(digest_equal(&facts.measurement, &kit.measurement));
    assert_int_equal(facts.issued_s, KIT_NOW_S);
}

static void a_simulation_is_refused_unless_allowed(void **state) {
    (void)state;
    kit_token(&kit);
    kit.expected.allow_simulation = false;
    assert_int_equal(kit_verify(&kit), EVIDENCE_SIMULATION);
}

static void no_quote_is_never_enough(void **state) {
    (void)state;
    kit.provider.type = EVIDENCE_TYPE_NONE;
    kit.provider.quote = nullptr;
    kit_token(&kit);
    assert_int_equal(kit_verify(&kit), EVIDENCE_NO_QUOTE);
}

/* The pre-image is what the documentation says, byte for byte. */
static void report_data_is_as_documented(void **state) {
    (void)state;
    uint8_t made[EVIDENCE_REPORT_BYTES];
    uint8_t expected[EVIDENCE_REPORT_BYTES];
    struct builder text;
    builder_init(&text, 512);
    builder_bytes(&text, slice_of("airlock/attest/2\0\1", 18));
    builder_bytes(&text, slice_of("\0\0\0\x20", 4));
    builder_bytes(&text, kit.binding.nonce);
    builder_bytes(&text, slice_of("\0\0\0\x20", 4));
    builder_bytes(&text, kit.binding.exporter);
    builder_bytes(&text, slice_of("\0\0\0\x20", 4));
    builder_bytes(&text, kit.binding.spki_hash);
    builder_bytes(&text, slice_of("\x11\xec", 2));
    builder_bytes(&text, slice_of("\0\0\0\x20", 4));
    builder_bytes(&text, kit.binding.config_hash);
    (void)SHA512(text.data, text.size, expected);
    assert_true(evidence_report_data(&kit.binding, made));
    assert_memory_equal(made, expected, sizeof made);
    builder_deinit(&text);
}

static void parts_of_wrong_sizes_bind_nothing(void **state) {
    (void)state;
    uint8_t report[EVIDENCE_REPORT_BYTES];
    static const uint8_t bytes[EVIDENCE_NONCE_BYTES_MAX + 1] = {1};
    static const size_t NONCES[] = {0, 1, 15, 65};
    struct evidence_binding binding = kit.binding;
    for (size_t i = 0; i < sizeof NONCES / sizeof NONCES[0]; i++) {
        binding.nonce = slice_of(bytes, NONCES[i]);
        assert_false(evidence_report_data(&binding, report));
    }
    binding = kit.binding;
    binding.exporter.size--;
    assert_false(evidence_report_data(&binding, report));
    binding = kit.binding;
    binding.spki_hash.size = 0;
    assert_false(evidence_report_data(&binding, report));
    binding = kit.binding;
    binding.config_hash.size--;
    assert_false(evidence_report_data(&binding, report));
    binding = kit.binding;
    binding.group = 0;
    assert_false(evidence_report_data(&binding, report));
    binding = kit.binding;
    binding.kind = EVIDENCE_KIND_KEY; /* has neither exporter nor group */
    assert_false(evidence_report_data(&binding, report));
    binding.exporter = slice_of(bytes, 0);
    binding.group = 0;
    assert_true(evidence_report_data(&binding, report));
}

/* What the verifier's own end of the connection has is not what the token was made for. */
static void another_connection_is_refused(void **state) {
    (void)state;
    uint8_t other[32];
    memset(other, 'o', sizeof other);
    const struct evidence_expectation right = kit.expected;
    kit_token(&kit);
    kit.expected.binding.nonce = slice_of(other, sizeof other);
    assert_int_equal(kit_verify(&kit), EVIDENCE_NONCE);
    kit.expected.binding.nonce = slice_of(kit.nonce, 16); /* a beginning is another one */
    assert_int_equal(kit_verify(&kit), EVIDENCE_NONCE);
    kit.expected = right;
    kit.expected.binding.exporter = slice_of(other, sizeof other);
    assert_int_equal(kit_verify(&kit), EVIDENCE_EXPORTER);
    kit.expected = right;
    kit.expected.binding.spki_hash = slice_of(other, sizeof other);
    assert_int_equal(kit_verify(&kit), EVIDENCE_SPKI);
    kit.expected = right;
    kit.expected.binding.group = 0x001d; /* classical X25519: a downgrade */
    assert_int_equal(kit_verify(&kit), EVIDENCE_GROUP);
    kit.expected = right;
    kit.expected.binding.config_hash = slice_of(other, sizeof other);
    assert_int_equal(kit_verify(&kit), EVIDENCE_CONFIG);
    kit.expected = right;
    kit.expected.binding.config_hash = slice_of(other, 0); /* any */
    assert_int_equal(kit_verify(&kit), EVIDENCE_VERIFIED);
    kit.expected = right;
    kit.expected.binding.kind = EVIDENCE_KIND_KEY;
    assert_int_equal(kit_verify(&kit), EVIDENCE_KIND);
    kit.expected = right;
    kit.expected.leaf = kit.other; /* a relay's own key */
    assert_int_equal(kit_verify(&kit), EVIDENCE_SIGNATURE);
    kit.expected.leaf = nullptr;
    assert_int_equal(kit_verify(&kit), EVIDENCE_ALGORITHM);
}

static void time_root_and_measurement_are_compared(void **state) {
    (void)state;
    struct digest other = {{9}};
    const struct evidence_expectation right = kit.expected;
    kit_token(&kit);
    kit.expected.now_s = KIT_NOW_S + 61;
    assert_int_equal(kit_verify(&kit), EVIDENCE_STALE);
    kit.expected.now_s = KIT_NOW_S - 61;
    assert_int_equal(kit_verify(&kit), EVIDENCE_STALE);
    kit.expected.now_s = KIT_NOW_S + 60;
    assert_int_equal(kit_verify(&kit), EVIDENCE_VERIFIED);
    kit.expected = right;
    kit.expected.measurement = &other;
    assert_int_equal(kit_verify(&kit), EVIDENCE_MEASUREMENT);
    kit.expected = right;
    kit.expected.root = &other;
    assert_int_equal(kit_verify(&kit), EVIDENCE_ROOT);
}

/* Whoever has the leaf key signs what they like; each part of it is still held against the rest. */
static void claims_that_were_changed_and_signed_again(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        enum evidence_result result;
    } ROWS[] = {
        {"\"eat_profile\":\"urn:", "\"eat_profile\":\"URN:", EVIDENCE_PROFILE},
        {"\"eat_profile\":", "\"profile\":", EVIDENCE_PROFILE},
        {"\"eat_nonce\":\"bm", "\"eat_nonce\":\"cm", EVIDENCE_NONCE},
        {"\"eat_nonce\":", "\"nonce\":", EVIDENCE_NONCE},
        {"\"iat\":18", "\"iat\":17", EVIDENCE_STALE},
        {"\"iat\":18", "\"iat\":-18", EVIDENCE_MALFORMED},
        {"\"iat\":1800000000", "\"iat\":\"1800000000\"", EVIDENCE_MALFORMED},
        {"\"enabled\"", "\"disabled\"", EVIDENCE_MALFORMED},
        {"\"dbgstat\":\"enabled\"", "\"dbgstat\":0", EVIDENCE_MALFORMED},
        {"\"kind\":1", "\"kind\":2", EVIDENCE_KIND},
        {"\"kind\":1", "\"kind\":257", EVIDENCE_KIND},
        {"\"exporter\":\"ZW", "\"exporter\":\"ZX", EVIDENCE_EXPORTER},
        {"\"group\":4588", "\"group\":29", EVIDENCE_GROUP},
        {"\"group\":4588", "\"group\":70124", EVIDENCE_GROUP}, /* 0x111ec */
        {"\"config\":\"", "\"config\":\"A", EVIDENCE_MALFORMED},
        {"\"spki\":\"", "\"spki\":\"A", EVIDENCE_SPKI},
        {"\"spki\":", "\"key\":", EVIDENCE_SPKI},
        {"{\"binding\":{", "{\"binding\":{\"more\":1,", EVIDENCE_MALFORMED},
        {"{\"binding\":{", "{\"more\":1,\"binding\":{", EVIDENCE_MALFORMED},
        {"{\"binding\":{", "{\"binding\":[],\"bindings\":{", EVIDENCE_MALFORMED},
        {"\"submods\":{", "\"submods\":{\"more\":{},", EVIDENCE_MALFORMED},
        {"\"type\":\"simulation\"", "\"type\":\"none\"", EVIDENCE_NO_QUOTE},
        {"\"type\":\"simulation\"", "\"type\":\"sgx\"", EVIDENCE_TYPE},
        {"\"type\":\"simulation\"", "\"type\":\"Simulation\"", EVIDENCE_TYPE},
        {"\"type\":\"simulation\"", "\"type\":\"\"", EVIDENCE_TYPE},
        {"\"type\":\"simulation\"", "\"type\":255", EVIDENCE_TYPE},
        {",\"type\":\"simulation\"", "", EVIDENCE_TYPE},
        {"\"quote\":\"YWly", "\"quote\":\"AwAC", EVIDENCE_QUOTE}, /* an SGX quote's version */
        {"\"quote\":\"YWly", "\"quote\":\"", EVIDENCE_QUOTE},
        {"\"type\":\"simulation\"", "\"type\":\"simulation\",\"more\":1", EVIDENCE_QUOTE},
        {"}", "", EVIDENCE_MALFORMED},
    };
    struct builder claims;
    struct builder changed;
    builder_init(&claims, LIMIT_EVIDENCE_BYTES);
    builder_init(&changed, LIMIT_EVIDENCE_BYTES);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        builder_reset(&claims);
        builder_reset(&changed);
        kit_token(&kit);
        kit_claims(&kit, &claims);
        const char *text = builder_c_string(&claims);
        const char *at = strstr(text, ROWS[i].from);
        if (at == nullptr) {
            print_message("no %s in %s\n", ROWS[i].from, text);
        }
        assert_non_null(at);
        builder_bytes(&changed, slice_of(text, (size_t)(at - text)));
        builder_text(&changed, ROWS[i].to);
        builder_text(&changed, at + strlen(ROWS[i].from));
        kit_sign(&kit, SLICE_LITERAL(TOKEN_HEADER), builder_slice(&changed), kit.leaf);
        if (kit_verify(&kit) != ROWS[i].result) {
            print_message("%s -> %s: %s\n", ROWS[i].from, ROWS[i].to,
                          evidence_result_slug(kit_verify(&kit)));
        }
        assert_int_equal(kit_verify(&kit), ROWS[i].result);
    }
    builder_deinit(&claims);
    builder_deinit(&changed);
}

/* The quote of another token, whole and well signed, under right claims. */
static void a_quote_for_something_else_is_refused(void **state) {
    (void)state;
    struct evidence_binding right = kit.binding;
    struct builder claims;
    struct builder quote;
    struct builder text;
    struct error err = {};
    uint8_t report[EVIDENCE_REPORT_BYTES];
    static uint8_t other[32] = {7};
    builder_init(&claims, LIMIT_EVIDENCE_BYTES);
    builder_init(&quote, QUOTE_BYTES_MAX);
    builder_init(&text, LIMIT_EVIDENCE_BYTES);
    struct evidence_binding elsewhere = right;
    elsewhere.exporter = slice_of(other, sizeof other);
    assert_true(evidence_report_data(&elsewhere, report));
    assert_true(status_is_ok(quote_simulate(kit.root, &kit.measurement, report, &quote, &err)));
    kit_token(&kit);
    kit_claims(&kit, &claims);
    const char *start = builder_c_string(&claims);
    const char *at = strstr(start, "\"quote\":\"");
    assert_non_null(at);
    builder_bytes(&text, slice_of(start, (size_t)(at - start) + 9));
    text_base64url(builder_slice(&quote), &text);
    builder_text(&text, strstr(at + 9, "\""));
    kit_sign(&kit, SLICE_LITERAL(TOKEN_HEADER), builder_slice(&text), kit.leaf);
    assert_int_equal(kit_verify(&kit), EVIDENCE_REPORT_DATA);
    builder_deinit(&claims);
    builder_deinit(&quote);
    builder_deinit(&text);
}

static void only_one_algorithm_is_known(void **state) {
    (void)state;
    static const struct {
        const char *header;
        enum evidence_result result;
    } ROWS[] = {
        {"{\"alg\":\"none\",\"typ\":\"eat+jwt\"}", EVIDENCE_ALGORITHM},
        {"{\"alg\":\"None\",\"typ\":\"eat+jwt\"}", EVIDENCE_ALGORITHM},
        {"{\"alg\":\"HS256\",\"typ\":\"eat+jwt\"}", EVIDENCE_ALGORITHM},
        {"{\"alg\":\"ES384\",\"typ\":\"eat+jwt\"}", EVIDENCE_ALGORITHM},
        {"{\"alg\":\"es256\",\"typ\":\"eat+jwt\"}", EVIDENCE_ALGORITHM},
        {"{\"alg\":\"\",\"typ\":\"eat+jwt\"}", EVIDENCE_ALGORITHM},
        {"{\"typ\":\"eat+jwt\"}", EVIDENCE_MALFORMED},
        {"{\"alg\":[\"ES256\"],\"typ\":\"eat+jwt\"}", EVIDENCE_MALFORMED},
        {"{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"eat+jwt\"}", EVIDENCE_MALFORMED},
        {"{\"alg\":\"ES256\"}", EVIDENCE_MALFORMED},
        {"{\"alg\":\"ES256\",\"typ\":\"JWT\"}", EVIDENCE_MALFORMED},
        {"{\"alg\":\"ES256\",\"crit\":[\"x\"],\"typ\":\"eat+jwt\"}", EVIDENCE_MALFORMED},
        {"{\"alg\":\"ES256\",\"kid\":\"../key\",\"typ\":\"eat+jwt\"}", EVIDENCE_MALFORMED},
        {"{\"alg\":\"ES256\",\"jwk\":{\"kty\":\"EC\"},\"typ\":\"eat+jwt\"}", EVIDENCE_MALFORMED},
        {"[\"ES256\"]", EVIDENCE_MALFORMED},
        {"", EVIDENCE_MALFORMED},
        {TOKEN_HEADER, EVIDENCE_VERIFIED},
    };
    struct builder claims;
    builder_init(&claims, LIMIT_EVIDENCE_BYTES);
    kit_token(&kit);
    kit_claims(&kit, &claims);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        kit_sign(&kit, slice_of_string(ROWS[i].header), builder_slice(&claims), kit.leaf);
        assert_int_equal(kit_verify(&kit), ROWS[i].result);
    }
    builder_deinit(&claims);
}

/* A key of another kind or curve neither signs nor is a token checked with it. */
static void other_keys_are_no_keys(void **state) {
    (void)state;
    EVP_PKEY *keys[] = {EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_EC_gen("P-384"),
                        EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", (size_t)2048),
                        EVP_EC_gen("secp256k1")};
    kit_token(&kit);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct error err = {};
        struct builder jwt;
        assert_non_null(keys[i]);
        builder_init(&jwt, LIMIT_EVIDENCE_BYTES);
        assert_false(status_is_ok(evidence_make(&kit.binding, &kit.provider, keys[i], &jwt, &err)));
        assert_int_equal(err.code, ERROR_ENCLAVE_QUOTE);
        kit.expected.leaf = keys[i];
        assert_int_equal(kit_verify(&kit), EVIDENCE_ALGORITHM);
        builder_deinit(&jwt);
        EVP_PKEY_free(keys[i]);
    }
}

static void every_byte_of_a_token_counts(void **state) {
    (void)state;
    kit_token(&kit);
    assert_int_equal(kit_verify(&kit), EVIDENCE_VERIFIED);
    for (size_t i = 0; i < kit.jwt.size; i++) {
        uint8_t kept = kit.jwt.data[i];
        kit.jwt.data[i] = kept == 'A' ? 'B' : 'A';
        assert_int_not_equal(kit_verify(&kit), EVIDENCE_VERIFIED);
        kit.jwt.data[i] = kept;
    }
    size_t size = kit.jwt.size;
    for (size_t cut = 0; cut < size; cut++) {
        kit.jwt.size = cut;
        assert_int_not_equal(kit_verify(&kit), EVIDENCE_VERIFIED);
    }
    kit.jwt.size = size;
    static const char *const TAILS[] = {"=", ".", "\n", "A", ".A"};
    for (size_t i = 0; i < sizeof TAILS / sizeof TAILS[0]; i++) {
        builder_text(&kit.jwt, TAILS[i]);
        assert_int_not_equal(kit_verify(&kit), EVIDENCE_VERIFIED);
        kit.jwt.size = size;
    }
}

/* Signatures of zeros, and none at all. */
static void an_empty_signature_is_none(void **state) {
    (void)state;
    struct builder claims;
    uint8_t zeros[ES256_SIGNATURE_BYTES] = {};
    builder_init(&claims, LIMIT_EVIDENCE_BYTES);
    kit_token(&kit);
    kit_claims(&kit, &claims);
    builder_reset(&kit.jwt);
    text_base64url(SLICE_LITERAL(TOKEN_HEADER), &kit.jwt);
    builder_u8(&kit.jwt, '.');
    text_base64url(builder_slice(&claims), &kit.jwt);
    assert_int_equal(kit_verify(&kit), EVIDENCE_MALFORMED);
    builder_u8(&kit.jwt, '.');
    assert_int_equal(kit_verify(&kit), EVIDENCE_MALFORMED);
    text_base64url(slice_of(zeros, sizeof zeros), &kit.jwt);
    assert_int_equal(kit_verify(&kit), EVIDENCE_SIGNATURE);
    builder_deinit(&claims);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_token_verifies_for_its_connection),
        ROW(a_simulation_is_refused_unless_allowed),
        ROW(no_quote_is_never_enough),
        ROW(report_data_is_as_documented),
        ROW(parts_of_wrong_sizes_bind_nothing),
        ROW(another_connection_is_refused),
        ROW(time_root_and_measurement_are_compared),
        ROW(claims_that_were_changed_and_signed_again),
        ROW(a_quote_for_something_else_is_refused),
        ROW(only_one_algorithm_is_known),
        ROW(other_keys_are_no_keys),
        ROW(every_byte_of_a_token_counts),
        ROW(an_empty_signature_is_none),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
