/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-keys-pq: the only process that holds the second log key. A program of its own, because
 * ML-DSA comes from libcrypto's EVP, whose start costs more than all of airlock-keys.
 */
#include "keys/serve.h"

int main(void) {
    return keys_serve(&SIGNER_SCHEME_PQ);
}
