/* SPDX-License-Identifier: Apache-2.0
 *
 * The quote of a simulation. It has the parts of a hardware's quote, and a form of its own that
 * nothing takes for one: it begins with words where an SGX quote has its version, says debug, and
 * carries the root that signed it.
 *
 *   "airlock-simulation-quote" || version u8 = 1 || debug u8 = 1 || LP(measurement, 32) ||
 *   LP(report data, 64) || LP(root's SPKI) || LP(ES256 signature of all before it)
 */
#pragma once

#include <openssl/types.h>

#include "crypto/hash.h"
#include "enclave/evidence.h"

enum { QUOTE_BYTES_MAX = 8192 }; /* what Gramine allows a quote to have */

struct quote {
    struct digest measurement;
    uint8_t report_data[EVIDENCE_REPORT_BYTES];
    struct digest root; /* SHA-256 of the root's SPKI */
};

enum quote_result : uint8_t { QUOTE_GOOD, QUOTE_MALFORMED, QUOTE_BAD_SIGNATURE };

/* Appends the quote. ERROR_ENCLAVE_QUOTE. */
status_t quote_simulate(EVP_PKEY *root, const struct digest *measurement,
                        const uint8_t report_data[static EVIDENCE_REPORT_BYTES],
                        struct builder *ret_quote, struct error *err);
/* *ret_quote is written unless malformed. */
enum quote_result quote_read(struct slice bytes, struct quote *ret_quote);
