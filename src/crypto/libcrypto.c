/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/libcrypto.h"

#include <openssl/crypto.h>

#include "base/assert.h"

void libcrypto_start(void) {
    ASSERT(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr) == 1);
}
