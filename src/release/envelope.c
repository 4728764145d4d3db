/* SPDX-License-Identifier: Apache-2.0 */
#include "release/envelope.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"

static const char BUNDLE_TYPE[] = "application/vnd.dev.sigstore.bundle.v0.3+json";

struct names {
    const char *const *names; /* ends with nullptr */
    const char *unknown;
};

static bool name_is_known(void *context, const char *key, const struct json *value) {
    struct names *names = context;
    (void)value;
    for (size_t i = 0; names->names[i] != nullptr; i++) {
        if (strcmp(names->names[i], key) == 0) {
            return true;
        }
    }
    names->unknown = key;
    return false;
}

/* An object with members of these names and no others. */
static bool has_only(const struct json *value, const char *const *names) {
    struct names known = {.names = names};
    return value != nullptr && json_kind_of(value) == JSON_KIND_OBJECT &&
           json_each(value, name_is_known, &known);
}

static status_t malformed(const char *what, const char *why, struct error *err) {
    (void)error_set(err, ERROR_RELEASE_UNVERIFIED, 0, "%s is not a signed statement", what);
    error_detail(err, "%s", why);
    return (status_t){ERROR_RELEASE_UNVERIFIED};
}

/* nullptr, or what is wrong with it. */
static const char *read_signature(const struct json *value, struct envelope *envelope) {
    static const char *const NAMES[] = {"keyid", "sig", nullptr};
    struct envelope_signature *signature = &envelope->list[envelope->count];
    const char *text = json_get_text(value, "sig");
    const struct json *id = json_get(value, "keyid");
    const char *id_text = id != nullptr ? json_as_text(id) : "";
    if (!has_only(value, NAMES) || text == nullptr || id_text == nullptr) {
        return "a signature is not {keyid, sig}";
    }
    if (strlen(id_text) > ENVELOPE_KEY_ID_BYTES_MAX || !text_is_plain(slice_of_string(id_text))) {
        return "the id of a key is no SHA-256";
    }
    size_t before = envelope->signatures.size;
    if (!text_unbase64(slice_of_string(text), &envelope->signatures)) {
        return "a signature is not in base64";
    }
    size_t size = envelope->signatures.size - before;
    if (!builder_is_ok(&envelope->signatures) || size == 0 || size > ENVELOPE_SIGNATURE_BYTES_MAX) {
        return "a signature has a length that none has";
    }
    (void)snprintf(signature->key_id, sizeof signature->key_id, "%s", id_text);
    signature->bytes = slice_of(nullptr, size); /* placed when all are read: the bytes may move */
    envelope->count++;
    return nullptr;
}

static const char *read_signatures(const struct json *list, struct envelope *envelope) {
    size_t count = json_array_count(list);
    if (count == 0) {
        return "it has no signatures";
    }
    if (count > ENVELOPE_SIGNATURES_MAX) {
        return "it has more signatures than there are keys";
    }
    for (size_t i = 0; i < count; i++) {
        const char *fault = read_signature(json_array_at(list, i), envelope);
        if (fault != nullptr) {
            return fault;
        }
    }
    size_t offset = 0;
    for (size_t i = 0; i < count; i++) {
        envelope->list[i].bytes.data = envelope->signatures.data + offset;
        offset += envelope->list[i].bytes.size;
    }
    return nullptr;
}

static const char *read_envelope(const struct json *value, const char *payload_type,
                                 struct envelope *envelope) {
    static const char *const NAMES[] = {"payload", "payloadType", "signatures", nullptr};
    const char *payload = json_get_text(value, "payload");
    const char *type = json_get_text(value, "payloadType");
    if (!has_only(value, NAMES) || payload == nullptr || type == nullptr) {
        return "it is not {payload, payloadType, signatures}";
    }
    if (strcmp(type, payload_type) != 0) {
        return "its payload is of another type";
    }
    if (!text_unbase64(slice_of_string(payload), &envelope->payload) ||
        !builder_is_ok(&envelope->payload)) {
        return "its payload is not in base64";
    }
    return read_signatures(json_get(value, "signatures"), envelope);
}

static void envelope_init(struct envelope *ret_envelope) {
    *ret_envelope = (struct envelope){};
    builder_init(&ret_envelope->payload, (size_t)LIMIT_RELEASE_ENVELOPE_BYTES);
    builder_init(&ret_envelope->signatures,
                 (size_t)ENVELOPE_SIGNATURES_MAX * ENVELOPE_SIGNATURE_BYTES_MAX);
}

status_t envelope_parse(struct slice text, const char *payload_type, const char *what,
                        struct envelope *ret_envelope, struct error *err) {
    CLEANUP(json_freep) struct json *value = nullptr;
    struct error reason;
    envelope_init(ret_envelope);
    if (!status_is_ok(json_parse(text, what, &value, &reason))) {
        return malformed(what, reason.message, err);
    }
    const char *fault = read_envelope(value, payload_type, ret_envelope);
    return fault == nullptr ? STATUS_OK : malformed(what, fault, err);
}

status_t envelope_parse_bundle(struct slice text, const char *payload_type, const char *what,
                               struct envelope *ret_envelope, struct error *err) {
    static const char *const NAMES[] = {"mediaType", "verificationMaterial", "dsseEnvelope",
                                        nullptr};
    CLEANUP(json_freep) struct json *value = nullptr;
    struct error reason;
    envelope_init(ret_envelope);
    if (!status_is_ok(json_parse(text, what, &value, &reason))) {
        return malformed(what, reason.message, err);
    }
    const char *type = json_get_text(value, "mediaType");
    if (!has_only(value, NAMES) || type == nullptr || strcmp(type, BUNDLE_TYPE) != 0) {
        return malformed(what, "it is no Sigstore bundle of version 0.3", err);
    }
    const char *fault = read_envelope(json_get(value, "dsseEnvelope"), payload_type, ret_envelope);
    return fault == nullptr ? STATUS_OK : malformed(what, fault, err);
}

void envelope_deinit(struct envelope *envelope) {
    builder_deinit(&envelope->payload);
    builder_deinit(&envelope->signatures);
}

void envelope_encode(const char *payload_type, struct slice payload, struct builder *out) {
    builder_format(out, "DSSEv1 %zu %s %zu ", strlen(payload_type), payload_type, payload.size);
    builder_bytes(out, payload);
}
