/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence of what terminates a TLS connection, for this very connection: an EAT (RFC 9711) as a
 * JWT signed by the connection's leaf key, with a quote inside whose report data is
 *
 *   SHA-512("airlock/attest/2" || 0 || kind u8 || LP(nonce) || LP(exporter) || LP(spki hash) ||
 *           group u16 || LP(config hash))
 *
 * LP is a u32 length, then that many bytes; numbers are big-endian. Whoever relays evidence has
 * another connection, hence another exporter and another key, and is refused. The form of token and
 * quote is in docs/enclave.md.
 */
#pragma once

#include <openssl/types.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "crypto/hash.h"

enum {
    EVIDENCE_NONCE_BYTES_MIN = 16,
    EVIDENCE_NONCE_BYTES_MAX = 64,
    EVIDENCE_EXPORTER_BYTES = 32, /* tls-exporter of RFC 9266 */
    EVIDENCE_REPORT_BYTES = 64,
    EVIDENCE_PATH_BYTES = 108, /* of a Unix socket's address */
};

/* What the exporter is asked for: SSL_export_keying_material() with this label, an empty context,
 * EVIDENCE_EXPORTER_BYTES bytes. */
#define EVIDENCE_EXPORTER_LABEL "EXPORTER-Channel-Binding"
#define EVIDENCE_ALPN "airlock-attest/1"

enum evidence_kind : uint8_t {
    EVIDENCE_KIND_CONNECTION = 1, /* of a TLS connection */
    EVIDENCE_KIND_KEY = 2,        /* of a long-lived key; the exporter is empty and the group 0 */
};

/* What a quote is for. All slices are borrowed. */
struct evidence_binding {
    enum evidence_kind kind;
    struct slice nonce;       /* 16..64 bytes, the verifier's */
    struct slice exporter;    /* 32 bytes; none for EVIDENCE_KIND_KEY */
    struct slice spki_hash;   /* SHA-256 of the leaf key's SubjectPublicKeyInfo */
    uint16_t group;           /* TLS code point of the key exchange (0x11ec: X25519MLKEM768) */
    struct slice config_hash; /* SHA-256 of the configuration in force */
};

/* false when a part has not the size it must have. */
bool evidence_report_data(const struct evidence_binding *binding,
                          uint8_t ret_report_data[static EVIDENCE_REPORT_BYTES]);

enum evidence_type : uint8_t { EVIDENCE_TYPE_NONE, EVIDENCE_TYPE_SIMULATION };

/* Makes a quote with this report data, appending it to `ret_quote`. Called from any thread. */
typedef status_t evidence_quote(void *context, const uint8_t *report_data,
                                struct builder *ret_quote, struct error *err);

/* Where quotes come from. */
struct evidence_provider {
    enum evidence_type type;
    evidence_quote *quote; /* nullptr for EVIDENCE_TYPE_NONE */
    void *context;
    struct clock clock; /* dates the evidence */
};

/* Appends a token about the connection of `binding`, signed by its leaf key (P-256).
 * ERROR_ENCLAVE_QUOTE when the key is of another kind, a part of the binding has a wrong size, or
 * the provider fails. */
status_t evidence_make(const struct evidence_binding *binding,
                       const struct evidence_provider *provider, EVP_PKEY *leaf,
                       struct builder *ret_jwt, struct error *err);

enum evidence_result : uint8_t {
#define EVIDENCE(name, slug, meaning) EVIDENCE_##name,
#include "enclave/evidence.def"
#undef EVIDENCE
    EVIDENCE_RESULT_COUNT,
};

/* What a verifier knows by itself, and what it lets through. */
struct evidence_expectation {
    /* As the verifier's own end of the connection has it. An empty config_hash: any. */
    struct evidence_binding binding;
    EVP_PKEY *leaf; /* borrowed; the key that the connection was authenticated with */
    uint64_t now_s; /* seconds since 1970 */
    bool allow_simulation;
    const struct digest *measurement; /* nullptr: any */
    const struct digest *root;        /* SHA-256 of the SPKI that signed the quote; nullptr: any */
};

/* What a token says, as far as it could be read; filled also when it is refused. */
struct evidence_facts {
    bool has_quote;
    enum evidence_type type;
    struct digest config;
    struct digest measurement;
    struct digest root;
    uint64_t issued_s;
    bool is_debug;
};

/* Judges a token. Everything must hold for EVIDENCE_VERIFIED; the first thing that does not is the
 * answer, except that EVIDENCE_SIMULATION is said only of evidence that is right otherwise. */
enum evidence_result evidence_verify(struct slice jwt, const struct evidence_expectation *expected,
                                     struct evidence_facts *ret_facts);

/* "nonce", "simulation"; constants. */
const char *evidence_result_slug(enum evidence_result result);
const char *evidence_result_text(enum evidence_result result);
const char *evidence_type_text(enum evidence_type type);
