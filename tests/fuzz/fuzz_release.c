/* SPDX-License-Identifier: Apache-2.0
 *
 * Envelopes, bundles and statements of releases: whatever the bytes are, what is read keeps to its
 * limits, names of files are names of files, and no statement comes out of an unsigned envelope.
 */
#include <string.h>

#include "base/assert.h"
#include "codec/text.h"
#include "fuzz.h"
#include "release/check.h"

static const char STATEMENT[] =
    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicateType\":"
    "\"https://slsa.dev/provenance/v1\",\"subject\":[{\"name\":\"a\",\"digest\":{\"sha256\":"
    "\"0000000000000000000000000000000000000000000000000000000000000000\"}}],\"predicate\":"
    "{\"buildDefinition\":{\"buildType\":\"b\",\"externalParameters\":{\"a\":1},"
    "\"resolvedDependencies\":[{\"uri\":\"git\"}]},\"runDetails\":{\"builder\":{\"id\":\"i\"}}}}";

static void write_envelope(struct builder *out) {
    builder_text(out, "{\"payload\":\"");
    text_base64(slice_of_string(STATEMENT), out);
    builder_text(out,
                 "\",\"payloadType\":\"" STATEMENT_PAYLOAD_TYPE
                 "\",\"signatures\":[{\"keyid\":\"ab\",\"sig\":\"AQI=\"},{\"sig\":\"Aw==\"}]}");
}

/* 0: a statement; 1: an envelope; 2: a bundle. */
bool fuzz_seed(unsigned number, struct builder *out) {
    if (number > 2) {
        return false;
    }
    if (number == 0) {
        builder_text(out, STATEMENT);
    } else if (number == 1) {
        write_envelope(out);
    } else {
        builder_text(out, "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
                          "\"verificationMaterial\":{},\"dsseEnvelope\":");
        write_envelope(out);
        builder_text(out, "}");
    }
    return true;
}

static void check_envelope(const struct envelope *envelope) {
    static const struct release_keys NO_KEYS;
    struct error err;
    size_t total = 0;
    ASSERT(envelope->count > 0 && envelope->count <= ENVELOPE_SIGNATURES_MAX);
    for (size_t i = 0; i < envelope->count; i++) {
        size_t size = envelope->list[i].bytes.size;
        ASSERT(size > 0 && size <= ENVELOPE_SIGNATURE_BYTES_MAX);
        ASSERT(envelope->list[i].bytes.data == envelope->signatures.data + total);
        total += size;
    }
    ASSERT(total == envelope->signatures.size);
    ASSERT(!status_is_ok(release_check_signatures(envelope, &NO_KEYS, &err)));
    ASSERT(err.code == ERROR_RELEASE_UNVERIFIED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct statement statement; /* large */
    struct envelope envelope;
    struct error err;
    struct slice text = slice_of(data, size);
    if (status_is_ok(envelope_parse(text, STATEMENT_PAYLOAD_TYPE, "it", &envelope, &err))) {
        check_envelope(&envelope);
    }
    envelope_deinit(&envelope);
    if (status_is_ok(envelope_parse_bundle(text, STATEMENT_PAYLOAD_TYPE, "it", &envelope, &err))) {
        check_envelope(&envelope);
    }
    envelope_deinit(&envelope);
    if (status_is_ok(statement_parse(text, &statement, &err))) {
        ASSERT(statement.count > 0 && statement.count <= (size_t)LIMIT_RELEASE_FILES);
        for (size_t i = 0; i < statement.count; i++) {
            const char *name = statement.subjects[i].name;
            ASSERT(name[0] != '\0' && name[0] != '.' && strchr(name, '/') == nullptr);
            ASSERT(statement_find(&statement, name) == &statement.subjects[i]);
        }
    }
    statement_deinit(&statement);
    return 0;
}
