/* SPDX-License-Identifier: Apache-2.0
 *
 * profiles/proxy.yaml, embedded while building: what `airlock proxy init` writes.
 */
#pragma once

#include "base/bytes.h"

struct slice init_file_text(void); /* a constant */
