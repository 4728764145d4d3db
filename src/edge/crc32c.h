/* SPDX-License-Identifier: Apache-2.0
 *
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4), which the PROXY protocol has in its headers. A
 * checksum against accidents, not against anybody.
 */
#pragma once

#include <stdint.h>

#include "base/bytes.h"

/* Of the first bytes, CRC32C_START; of what follows, what came out before. */
enum { CRC32C_START = 0 };
uint32_t crc32c(uint32_t before, struct slice bytes);
