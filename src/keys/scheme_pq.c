/* SPDX-License-Identifier: Apache-2.0
 *
 * The second key: ML-DSA-44, as note_pq.h has it. It signs what the log's Ed25519 key has signed,
 * and that key's verifier key stands in its own file since it was made: who can write into keys/
 * can neither give it another log to follow nor another tree of this one.
 */
#include <string.h>
#include <time.h>

#include "keys/server.h"

static_assert((int)SEED_BYTES == (int)MLDSA44_SEED_BYTES);

static status_t load(struct signer *signer, const char *origin, const struct seed *seed,
                     struct error *err) {
    uint8_t public_key[MLDSA44_PUBLIC_BYTES];
    if (strcmp(seed->followed.name, origin) != 0) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "keys/%s is of another log", KEYS_FILE_PQ_SEED);
    }
    TRY(mldsa44_key_new(seed->bytes, &signer->pq_key, err));
    mldsa44_key_public(signer->pq_key, public_key);
    note_pq_vkey_make(origin, public_key, &signer->pq_vkey);
    signer->vkey = seed->followed;
    return STATUS_OK;
}

static void unload(struct signer *signer) {
    mldsa44_key_freep(&signer->pq_key);
}

static void vkey_format(const struct signer *signer, struct builder *out) {
    note_pq_vkey_format(&signer->pq_vkey, out);
}

static bool has_signed(const struct signer *signer, const struct note *note) {
    return note_verify(note, &signer->vkey) == NOTE_VALID &&
           note_pq_verify(note, &signer->pq_vkey) == NOTE_VALID;
}

/* The clock is nothing to rely on, and nobody does: a time before 1970 is written as none. */
static uint64_t now_s(void) {
    struct timespec now;
    return clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec > 0 ? (uint64_t)now.tv_sec : 0;
}

static status_t sign(const struct signer *signer, const struct checkpoint *checkpoint,
                     struct slice first, struct builder *text, struct error *err) {
    uint8_t signature[MLDSA44_SIGNATURE_BYTES];
    struct builder message;
    uint64_t time_s = now_s();
    builder_init(&message, NOTE_PQ_MESSAGE_BYTES);
    note_pq_message(signer->pq_vkey.name, time_s, checkpoint, &message);
    status_t status = builder_is_ok(&message)
                          ? mldsa44_sign(signer->pq_key, builder_slice(&message), signature, err)
                          : error_set(err, ERROR_NO_MEMORY, 0, "cannot sign a checkpoint");
    builder_deinit(&message);
    TRY(status);
    builder_u8(text, '\n');
    builder_bytes(text, first);
    note_pq_format(&signer->pq_vkey, time_s, signature, text);
    return STATUS_OK;
}

const struct signer_scheme SIGNER_SCHEME_PQ = {
    .signer = KEYS_SIGNER_PQ,
    .form = {.header = "airlock second log key, ML-DSA-44 seed\n", .follows = true},
    .load = load,
    .unload = unload,
    .vkey_format = vkey_format,
    .has_signed = has_signed,
    .sign = sign,
};
