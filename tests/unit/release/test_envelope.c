/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "release/envelope.h"

static const char TYPE[] = "application/vnd.in-toto+json";

static const char *refusal_of(const char *text) {
    static struct error err;
    struct envelope envelope;
    err = (struct error){};
    status_t status = envelope_parse(slice_of_string(text), TYPE, "it", &envelope, &err);
    envelope_deinit(&envelope);
    if (status_is_ok(status)) {
        return nullptr;
    }
    assert_int_equal(err.code, ERROR_RELEASE_UNVERIFIED);
    return err.detail;
}

static void what_is_signed_is_what_the_standard_gives_as_example(void **state) {
    (void)state;
    struct builder out;
    builder_init(&out, 256);
    envelope_encode("http://example.com/HelloWorld", SLICE_LITERAL("hello world"), &out);
    assert_string_equal(builder_c_string(&out),
                        "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    builder_reset(&out);
    envelope_encode("", SLICE_LITERAL(""), &out);
    assert_string_equal(builder_c_string(&out), "DSSEv1 0  0 ");
    builder_deinit(&out);
}

static void lengths_keep_two_splits_of_the_same_bytes_apart(void **state) {
    (void)state;
    struct builder one;
    struct builder other;
    builder_init(&one, 256);
    builder_init(&other, 256);
    envelope_encode("a", SLICE_LITERAL("1 b"), &one);
    envelope_encode("a 1", SLICE_LITERAL("b"), &other);
    assert_false(slice_equal(builder_slice(&one), builder_slice(&other)));
    builder_deinit(&one);
    builder_deinit(&other);
}

static void only_the_one_form_is_read(void **state) {
    (void)state;
    static const char *const BAD[] = {
        "",
        "null",
        "[]",
        "{}",
        "{\"payload\":\"\",\"payloadType\":\"application/vnd.in-toto+json\"}",
        "{\"payload\":1,\"payloadType\":\"application/"
        "vnd.in-toto+json\",\"signatures\":[{\"sig\":\"AA==\"}]}",
        "{\"payload\":\"\",\"payloadType\":\"text/plain\",\"signatures\":[{\"sig\":\"AA==\"}]}",
        "{\"payload\":\"\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":{}}",
        "{\"payload\":\"\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[]}",
        "{\"payload\":\"\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[1]}",
        "{\"payload\":\"\",\"payloadType\":\"application/vnd.in-toto+json\",\"signatures\":[{}]}",
        "{\"payload\":\"\",\"payloadType\":\"application/"
        "vnd.in-toto+json\",\"signatures\":[{\"sig\":\"\"}]}",
        "{\"payload\":\"\",\"payloadType\":\"application/"
        "vnd.in-toto+json\",\"signatures\":[{\"sig\":\"AB==\"}]}",
        "{\"payload\":\"\",\"payloadType\":\"application/"
        "vnd.in-toto+json\",\"signatures\":[{\"sig\":\"AA==\",\"cert\":\"\"}]}",
        "{\"payload\":\"\",\"payloadType\":\"application/"
        "vnd.in-toto+json\",\"signatures\":[{\"sig\":\"AA==\",\"keyid\":1}]}",
        "{\"payload\":\"\",\"payloadType\":\"application/"
        "vnd.in-toto+json\",\"signatures\":[{\"sig\":\"AA==\",\"keyid\":\"\\n\"}]}",
        "{\"payload\":\"A\",\"payloadType\":\"application/"
        "vnd.in-toto+json\",\"signatures\":[{\"sig\":\"AA==\"}]}",
        "{\"payload\":\"\",\"payloadType\":\"application/"
        "vnd.in-toto+json\",\"signatures\":[{\"sig\":\"AA==\"}]}x",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_non_null(refusal_of(BAD[i]));
    }
    assert_null(refusal_of("{\"payload\":\"\",\"payloadType\":\"application/vnd.in-toto+json\","
                           "\"signatures\":[{\"sig\":\"AA==\"}]}"));
}

static void a_signature_that_is_too_long_is_refused(void **state) {
    (void)state;
    struct builder text;
    builder_init(&text, (size_t)64 * 1024);
    builder_text(&text, "{\"payload\":\"\",\"payloadType\":\"application/vnd.in-toto+json\","
                        "\"signatures\":[{\"sig\":\"");
    for (int i = 0; i < (ENVELOPE_SIGNATURE_BYTES_MAX + 2) / 3; i++) {
        builder_text(&text, "AAAA");
    }
    builder_text(&text, "\"}]}");
    assert_string_equal(refusal_of(builder_c_string(&text)),
                        "a signature has a length that none has");
    builder_deinit(&text);
}

static void parts_come_out_as_they_went_in(void **state) {
    (void)state;
    struct envelope envelope;
    struct error err;
    assert_true(status_is_ok(envelope_parse(
        SLICE_LITERAL("{\"signatures\":[{\"keyid\":\"ab\",\"sig\":\"AQI=\"},{\"sig\":\"Aw==\"}],"
                      "\"payloadType\":\"application/vnd.in-toto+json\",\"payload\":\"aGk=\"}"),
        TYPE, "it", &envelope, &err)));
    assert_true(slice_equal(builder_slice(&envelope.payload), SLICE_LITERAL("hi")));
    assert_int_equal(envelope.count, 2);
    assert_string_equal(envelope.list[0].key_id, "ab");
    assert_string_equal(envelope.list[1].key_id, "");
    assert_true(slice_equal(envelope.list[0].bytes, SLICE_LITERAL("\1\2")));
    assert_true(slice_equal(envelope.list[1].bytes, SLICE_LITERAL("\3")));
    envelope_deinit(&envelope);
}

static void a_bundle_is_one_of_version_0_3(void **state) {
    (void)state;
    static const char FORM[] =
        "{\"mediaType\":\"application/"
        "vnd.dev.sigstore.bundle.v0.%d+json\",\"verificationMaterial\":{},"
        "\"dsseEnvelope\":{\"payload\":\"\",\"payloadType\":\"application/vnd.in-toto+json\","
        "\"signatures\":[{\"sig\":\"AA==\"}]}}";
    for (int version = 1; version <= 3; version++) {
        struct envelope envelope;
        struct error err;
        struct builder text;
        builder_init(&text, 1024);
        builder_format(&text, FORM, version);
        status_t status = envelope_parse_bundle(builder_slice(&text), TYPE, "it", &envelope, &err);
        assert_true(status_is_ok(status) == (version == 3));
        envelope_deinit(&envelope);
        builder_deinit(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_signed_is_what_the_standard_gives_as_example),
        cmocka_unit_test(lengths_keep_two_splits_of_the_same_bytes_apart),
        cmocka_unit_test(only_the_one_form_is_read),
        cmocka_unit_test(a_signature_that_is_too_long_is_refused),
        cmocka_unit_test(parts_come_out_as_they_went_in),
        cmocka_unit_test(a_bundle_is_one_of_version_0_3),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
