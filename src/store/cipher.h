/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether this program can read an encrypted database. The one that is started most often cannot
 * (docs/adr/0013-front.md): it links SQLCipher without the part of libcrypto that does
 * it, and hands over to the one that can when a key is configured.
 */
#pragma once

bool cipher_is_linked(void);
