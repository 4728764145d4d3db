/* SPDX-License-Identifier: Apache-2.0
 *
 * A log's two keys, and notes that they have signed.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keys/note_keys.h"

static const char BODY[] = "example.com/log\n"
                           "7\n"
                           "3bib5AOAnjJXUNPSY814kpwpQreUKjS3fhIslZSnTIw=\n";
enum { TIME_S = 1763700000 };

struct pq_kit {
    struct note_keys keys;
    char log_line[512];
    char pq_line[4096];
    char other_line[4096]; /* by another ML-DSA-44 key of the same name */
};

static inline void pq_kit_line(uint8_t seed, const struct checkpoint *checkpoint,
                               struct note_pq_vkey *ret_vkey, char *ret_line, size_t size) {
    const uint8_t bytes[MLDSA44_SEED_BYTES] = {seed};
    uint8_t public_key[MLDSA44_PUBLIC_BYTES];
    uint8_t signature[MLDSA44_SIGNATURE_BYTES];
    struct mldsa44_key *key;
    struct builder text;
    struct error err;
    assert_true(status_is_ok(mldsa44_key_new(bytes, &key, &err)));
    mldsa44_key_public(key, public_key);
    note_pq_vkey_make("example.com/log", public_key, ret_vkey);
    builder_init(&text, 8192);
    note_pq_message(ret_vkey->name, TIME_S, checkpoint, &text);
    assert_true(status_is_ok(mldsa44_sign(key, builder_slice(&text), signature, &err)));
    builder_reset(&text);
    note_pq_format(ret_vkey, TIME_S, signature, &text);
    (void)snprintf(ret_line, size, "%s", builder_c_string(&text));
    builder_deinit(&text);
    mldsa44_key_free(key);
}

static inline void pq_kit_make(struct pq_kit *kit) {
    static const uint8_t SEED[ED25519_SEED_BYTES] = {1};
    struct ed25519_key *key;
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    struct error err;
    struct builder text;
    struct note note;
    struct note_pq_vkey other;
    *kit = (struct pq_kit){.keys = {.has_pq = true}};
    assert_true(status_is_ok(ed25519_key_new(SEED, &key, &err)));
    ed25519_key_public(key, public_key);
    note_vkey_make("example.com/log", public_key, &kit->keys.log);
    ed25519_sign(key, slice_of_string(BODY), signature);
    ed25519_key_free(key);
    builder_init(&text, 1024);
    note_format_signature(&kit->keys.log, signature, &text);
    (void)snprintf(kit->log_line, sizeof kit->log_line, "%s", builder_c_string(&text));
    builder_reset(&text);
    builder_format(&text, "%s\n%s", BODY, kit->log_line);
    assert_true(note_parse(builder_slice(&text), &note));
    pq_kit_line(1, &note.checkpoint, &kit->keys.pq, kit->pq_line, sizeof kit->pq_line);
    pq_kit_line(2, &note.checkpoint, &other, kit->other_line, sizeof kit->other_line);
    builder_deinit(&text);
}

/* The note of these signature lines; `text` is its storage. False when it does not parse. */
static inline bool pq_kit_note(struct builder *text, const char *body, const char *const *lines,
                               struct note *ret_note) {
    builder_reset(text);
    builder_format(text, "%s\n", body);
    for (size_t i = 0; lines[i] != nullptr; i++) {
        builder_text(text, lines[i]);
    }
    return note_parse(builder_slice(text), ret_note);
}
