/* SPDX-License-Identifier: Apache-2.0
 *
 * The verifier's end of a connection: TLS 1.3 with post-quantum groups alone and ALPN
 * airlock-attest/1, one request on it, and what this end knows of it. Certificates are not checked
 * against anybody: the evidence is about the key.
 */
#pragma once

#include "enclave/evidence.h"

struct attested {
    struct builder jwt;
    uint8_t exporter[EVIDENCE_EXPORTER_BYTES];
    struct digest spki;
    EVP_PKEY *leaf; /* owned */
    uint16_t group;
    const char *group_name; /* a constant */
};

/* Asks HOST:PORT for evidence with this nonce. ERROR_USAGE when it is no address,
 * ERROR_ENCLAVE_UNREACHABLE, ERROR_ENCLAVE_SERVER when what answers does not speak this. */
status_t client_ask(const char *target, struct slice nonce, struct attested *ret_attested,
                    struct error *err);
void attested_deinit(struct attested *attested);
