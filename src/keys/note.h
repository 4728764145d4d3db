/* SPDX-License-Identifier: Apache-2.0
 *
 * Signed checkpoints in the C2SP formats: signed-note v1 (with its verifier keys), tlog-checkpoint
 * v1 and tlog-tiles v0.1. The log's key name is its origin. Parsing is strict: one spelling only.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"

enum {
    NOTE_NAME_BYTES = 256, /* with its NUL */
    NOTE_KEY_ID_BYTES = 4,
    NOTE_TYPE_ED25519 = 1,
    NOTE_BYTES_MAX = 65536,
    NOTE_SIGNATURES_MAX = 64,
};

/* A decimal number without sign or leading zeros, at most 18 digits. */
bool note_parse_decimal(struct slice text, uint64_t *ret_value);

/* A verifier key: name+hex(key id)+base64(type || public key). */
struct note_vkey {
    char name[NOTE_NAME_BYTES];
    uint8_t key_id[NOTE_KEY_ID_BYTES];
    uint8_t public_key[ED25519_PUBLIC_BYTES];
};

/* A name that fits, with neither spaces, '+' nor control characters, in UTF-8. */
bool note_name_is_valid(struct slice name);
/* Computes the key id; `name` is valid. */
void note_vkey_make(const char *name, const uint8_t public_key[static ED25519_PUBLIC_BYTES],
                    struct note_vkey *ret_vkey);
/* false for anything but a well-formed Ed25519 key whose id is right. */
bool note_vkey_parse(struct slice text, struct note_vkey *ret_vkey);
void note_vkey_format(const struct note_vkey *vkey, struct builder *out);

struct checkpoint {
    char origin[NOTE_NAME_BYTES];
    uint64_t size;
    struct digest root;
};

/* The three lines that are signed: origin, size, root. */
void checkpoint_format(const struct checkpoint *checkpoint, struct builder *out);
/* What the verifier keys of all signature types have in common: name+hex(key id)+base64(type ||
 * public key), where the key id is the beginning of SHA-256(name || LF || type || public key). */
void note_key_id(struct slice name, uint8_t type, struct slice public_key,
                 uint8_t ret_key_id[static NOTE_KEY_ID_BYTES]);
/* Takes a verifier key apart; false unless it is of this type and size and its id is right. */
bool note_vkey_split(struct slice text, uint8_t type, char ret_name[static NOTE_NAME_BYTES],
                     uint8_t *ret_public_key, size_t public_key_size);
void note_vkey_join(const char *name, uint8_t type, struct slice public_key, struct builder *out);

/* A signature line from the key's name and what its base64 holds: key id and signature. */
void note_line_format(const char *name, struct slice bytes, struct builder *out);
/* One signature line, to follow the body and an empty line. */
void note_format_signature(const struct note_vkey *vkey,
                           const uint8_t signature[static ED25519_SIGNATURE_BYTES],
                           struct builder *out);

/* One signature line; slices borrow from the text. */
struct note_line {
    struct slice name;   /* of the key */
    struct slice base64; /* key id and signature, not decoded yet */
};
/* Reads the next line of signatures. False, with the cursor anywhere, when it is not one. */
bool note_line_parse(struct cursor *cursor, struct note_line *ret_line);
/* Whether a line says it is by the key with this name and id. */
bool note_line_claims(const struct note_line *line, const char *name,
                      const uint8_t key_id[static NOTE_KEY_ID_BYTES]);
/* Decodes base64 that must hold exactly `size` bytes. */
bool note_unbase64(struct slice text, uint8_t *ret, size_t size);

/* A parsed signed checkpoint; slices borrow from the text. */
struct note {
    struct checkpoint checkpoint;
    struct slice body;       /* what is signed, with its final line feed */
    struct slice signatures; /* well-formed lines */
    unsigned signature_count;
};

/* false unless the whole text is one signed checkpoint without extension lines. */
bool note_parse(struct slice text, struct note *ret_note);

enum note_verdict : uint8_t {
    NOTE_VALID,
    NOTE_UNSIGNED,      /* no line is by this key */
    NOTE_BAD_SIGNATURE, /* a line claims this key and is wrong */
};
enum note_verdict note_verify(const struct note *note, const struct note_vkey *vkey);
