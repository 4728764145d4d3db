/* SPDX-License-Identifier: Apache-2.0
 *
 * Stands for src/crypto/x25519.h in the proof about hybrid_kem.c; see mlkem.h beside it.
 */
#pragma once

#include <stdint.h>

#include "base/error.h"

enum { X25519_BYTES = 2 };

status_t x25519_public(const uint8_t private_key[static X25519_BYTES],
                       uint8_t ret_public[static X25519_BYTES], struct error *err);
status_t x25519_derive(const uint8_t private_key[static X25519_BYTES],
                       const uint8_t public_key[static X25519_BYTES],
                       uint8_t ret_secret[static X25519_BYTES], struct error *err);
