/* SPDX-License-Identifier: Apache-2.0
 *
 * How libcrypto is started, once, by whoever uses its EVP: without openssl.cnf, which could put
 * other code and other defaults in the place of what was tested.
 */
#pragma once

void libcrypto_start(void);
