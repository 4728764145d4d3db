/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates that we make: those of one sandbox's egress, and the data plane's for development.
 */
#pragma once

#include <openssl/types.h>

#include "base/bytes.h"

/* A certificate (version 3, random serial number, CN `name`) for `key` that nobody has signed yet,
 * good from an hour ago, because clocks differ, for `life_s` seconds. nullptr when memory runs
 * out. Owned by the caller: X509_free(). */
X509 *certificate_new(EVP_PKEY *key, const char *name, int64_t life_s);
/* Adds an extension, whose value is written as x509v3_config(5) says. */
bool certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *value);
/* Signed by `issuer` with its key, by SHA-256. */
bool certificate_sign(X509 *certificate, X509 *issuer, EVP_PKEY *issuer_key);
/* Appends it as PEM. */
bool certificate_write(X509 *certificate, struct builder *out);
/* Trusts what this system trusts; false when it says nowhere what that is. */
bool certificate_trust_system(X509_STORE *store);
