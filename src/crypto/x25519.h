/* SPDX-License-Identifier: Apache-2.0
 *
 * X25519 (RFC 7748) by libcrypto's EVP. Private keys are any 32 bytes; whoever holds one keeps it
 * in a struct secret.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

enum { X25519_BYTES = 32 }; /* a private key, a public key and a shared secret alike */

/* ERROR_KEYS_FAILED when libcrypto cannot. */
status_t x25519_public(const uint8_t private_key[static X25519_BYTES],
                       uint8_t ret_public[static X25519_BYTES], struct error *err);
/* `ret_secret` lies in a struct secret; zero or untouched after a failure. ERROR_KEY_EXCHANGE when
 * the result is all zero, which only a public key of small order makes (RFC 7748, section 6.1):
 * both sides would share what everybody knows. */
status_t x25519_derive(const uint8_t private_key[static X25519_BYTES],
                       const uint8_t public_key[static X25519_BYTES],
                       uint8_t ret_secret[static X25519_BYTES], struct error *err);
