/* SPDX-License-Identifier: Apache-2.0
 *
 * What statx(2) tells and stat(2) does not: on which mount an entry stands.
 */
#pragma once

#include <stdint.h>

struct entry_status {
    uint32_t mode; /* as st_mode */
    uint32_t link_count;
    uint64_t blocks; /* of 512 bytes */
    uint64_t mount_id;
};

/* Looks at `name` below `folder`, or with "" at the folder itself; a symbolic link is not followed.
 * false, with errno, when it cannot. */
[[nodiscard]] bool entry_status_at(int folder, const char *name, struct entry_status *ret_status);
