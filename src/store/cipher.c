/* SPDX-License-Identifier: Apache-2.0 */
#include "store/cipher.h"

bool cipher_is_linked(void) {
    return true;
}
