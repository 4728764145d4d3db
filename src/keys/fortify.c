/* SPDX-License-Identifier: Apache-2.0
 *
 * What Debian's libsodium asks of glibc and musl has not: explicit_bzero(3) in the checked form
 * that _FORTIFY_SOURCE makes of it. Only linked where the C library is musl.
 */
#include <stddef.h>
#include <string.h>

#include "base/assert.h"

void __explicit_bzero_chk(void *data, size_t size, size_t room);

void __explicit_bzero_chk(void *data, size_t size, size_t room) {
    ASSERT(size <= room);
    explicit_bzero(data, size);
}
