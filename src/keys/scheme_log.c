/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's own key: Ed25519 over the text of the checkpoint. Nothing of libcrypto's EVP is
 * reached from here, so that airlock-keys stays small and starts at once.
 */
#include "keys/server.h"

static_assert((int)SEED_BYTES == (int)ED25519_SEED_BYTES);

static status_t load(struct signer *signer, const char *origin, const struct seed *seed,
                     struct error *err) {
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    TRY(ed25519_key_new(seed->bytes, &signer->key, err));
    ed25519_key_public(signer->key, public_key);
    note_vkey_make(origin, public_key, &signer->vkey);
    return STATUS_OK;
}

static void unload(struct signer *signer) {
    ed25519_key_freep(&signer->key);
}

static void vkey_format(const struct signer *signer, struct builder *out) {
    note_vkey_format(&signer->vkey, out);
}

static bool has_signed(const struct signer *signer, const struct note *note) {
    return note_verify(note, &signer->vkey) == NOTE_VALID;
}

static status_t sign(const struct signer *signer,
                     [[maybe_unused]] const struct checkpoint *checkpoint,
                     [[maybe_unused]] struct slice first, struct builder *text,
                     [[maybe_unused]] struct error *err) {
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    ed25519_sign(signer->key, builder_slice(text), signature);
    builder_u8(text, '\n');
    note_format_signature(&signer->vkey, signature, text);
    return STATUS_OK;
}

const struct signer_scheme SIGNER_SCHEME_LOG = {
    .signer = KEYS_SIGNER_LOG,
    .form = {.header = "airlock log key, Ed25519 seed\n"},
    .load = load,
    .unload = unload,
    .vkey_format = vkey_format,
    .has_signed = has_signed,
    .sign = sign,
};
