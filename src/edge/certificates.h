/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates, keys and authorities of one `tls:`, from their files into libssl's hands. What a
 * peer would refuse is refused here, where it can be said why: `airlock proxy check` is this.
 */
#pragma once

#include <openssl/types.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/error.h"
#include "edge/config.h"

enum { CERTIFICATE_WARNINGS = 8, CERTIFICATE_SOON_DAYS = 14 };

struct certificates {
    X509 *leaf;                    /* nullptr: none is shown */
    STACK_OF(X509) * chain;        /* what comes behind it, as in the file; maybe empty */
    EVP_PKEY *key;                 /* of the leaf */
    uint8_t spki[EDGE_SPKI_BYTES]; /* SHA-256 of the leaf's public key (SubjectPublicKeyInfo) */
    X509_STORE *trusted;           /* authorities of peers; nullptr: none, pins alone decide */
    const struct edge_pin *pins;   /* borrowed from the configuration */
    uint32_t pin_count;
    uint32_t warning_count;
    char warnings[CERTIFICATE_WARNINGS][256]; /* works, but; whole sentences without a full stop */
};

/* Reads the files. On an upstream (not `is_server`) without ca_file and pins, the system's
 * authorities are trusted. Errors name the file: ERROR_PROXY_CERTIFICATE, ERROR_NO_MEMORY. */
status_t certificates_load(const struct edge_tls *tls, bool is_server,
                           struct certificates **ret_certificates, struct error *err);
void certificates_free(struct certificates *certificates); /* nullptr is fine */
void certificates_freep(struct certificates **certificates);

/* Whether the peer's certificate has one of the pinned keys. */
bool certificates_is_pinned(const struct certificates *certificates, const X509 *peer);
/* SHA-256 of the certificate's SubjectPublicKeyInfo. */
bool certificate_spki(const X509 *certificate, uint8_t ret_spki[static EDGE_SPKI_BYTES]);
/* Appends the names it is for, "a.example, 127.0.0.1"; its subject's common name when there is
 * none. Escaped. */
void certificate_names(const X509 *certificate, struct builder *out);
/* Whole days until it ends; negative behind its end. */
int certificate_days(const X509 *certificate);
/* "ECDSA P-256", "RSA 2048", "ML-DSA-65"; constant or in `text`. */
enum { CERTIFICATE_KEY_TEXT_BYTES = 48 };
const char *certificate_key_text(const EVP_PKEY *key, char text[static CERTIFICATE_KEY_TEXT_BYTES]);
