/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-keys: the only process that holds the log key.
 */
#include "keys/serve.h"

int main(void) {
    return keys_serve(&SIGNER_SCHEME_LOG);
}
