/* SPDX-License-Identifier: Apache-2.0
 *
 * DSSE envelopes (secure-systems-lab/dsse, envelope.md and protocol.md, version 1.0): a payload,
 * its type, and signatures over both in one unambiguous encoding (PAE).
 *
 * Read more strictly than the standard asks: members that it does not name are refused, so that
 * nothing rides along unsigned, and base64 has its one canonical spelling.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

enum {
    ENVELOPE_SIGNATURES_MAX = 8,
    ENVELOPE_SIGNATURE_BYTES_MAX = 4096, /* ML-DSA-65 has 3,309 */
    ENVELOPE_KEY_ID_BYTES_MAX = 64,      /* SHA-256 in hex */
};

struct envelope_signature {
    char key_id[ENVELOPE_KEY_ID_BYTES_MAX + 1]; /* "" when none is said; never trusted */
    struct slice bytes;                         /* borrowed from the envelope */
};

struct envelope {
    struct builder payload;    /* owned */
    struct builder signatures; /* owned: the bytes of all */
    struct envelope_signature list[ENVELOPE_SIGNATURES_MAX];
    size_t count;
};

/* Reads an envelope whose payload is of type `payload_type`. Errors: ERROR_RELEASE_UNVERIFIED, in
 * every way in which `text` can be wrong; `what` names it. envelope_deinit() is fine after both. */
status_t envelope_parse(struct slice text, const char *payload_type, const char *what,
                        struct envelope *ret_envelope, struct error *err);
/* The same for a Sigstore bundle of version 0.3 that holds one; what else the bundle says about
 * keys and logs is not looked at. */
status_t envelope_parse_bundle(struct slice text, const char *payload_type, const char *what,
                               struct envelope *ret_envelope, struct error *err);
void envelope_deinit(struct envelope *envelope);

/* "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload: what is signed. */
void envelope_encode(const char *payload_type, struct slice payload, struct builder *out);
