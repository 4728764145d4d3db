/* SPDX-License-Identifier: Apache-2.0
 *
 * ES256 (RFC 7518, section 3.4): ECDSA over P-256 with SHA-256, its signature as R || S. The only
 * algorithm evidence is signed with; no caller chooses another.
 */
#pragma once

#include <openssl/types.h>

#include "base/bytes.h"
#include "base/error.h"

enum { ES256_SIGNATURE_BYTES = 64 };

/* Whether the key is one on P-256: nothing else signs or verifies here. nullptr is none. */
bool es256_is_key(const EVP_PKEY *key);
/* ERROR_ENCLAVE_QUOTE when the key is another kind, or libcrypto cannot sign with it. */
status_t es256_sign(EVP_PKEY *key, struct slice message,
                    uint8_t ret_signature[static ES256_SIGNATURE_BYTES], struct error *err);
/* false for a wrong signature, for a key that is no P-256 key, and when libcrypto cannot tell. */
bool es256_verify(EVP_PKEY *key, struct slice message,
                  const uint8_t signature[static ES256_SIGNATURE_BYTES]);
/* Appends the key's SubjectPublicKeyInfo (RFC 5280) in DER; any kind of key. */
bool es256_spki(const EVP_PKEY *key, struct builder *ret_der);
