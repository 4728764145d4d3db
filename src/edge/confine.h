/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "edge/config.h"

/* Before any thread: files but the configuration's own cannot be opened any more, here and by what
 * is started later. A reload that names files elsewhere fails, and says so. *ret_enforced is false
 * where the kernel has no Landlock. */
status_t edge_confine_files(const struct edge_config *config, bool *ret_enforced,
                            struct error *err);
/* Before the first client: system calls, of all threads. */
status_t edge_confine_calls(struct error *err);
