/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's own struct and number, because the C libraries differ in which fields they know; its
 * header and theirs cannot both be included.
 */
#include "sys/entry.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool entry_status_at(int folder, const char *name, struct entry_status *ret_status) {
    struct statx status;
    unsigned flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (name[0] == '\0' ? AT_EMPTY_PATH : 0);
    if (syscall(SYS_statx, folder, name, flags, STATX_BASIC_STATS | STATX_MNT_ID, &status) != 0) {
        return false;
    }
    *ret_status = (struct entry_status){
        .mode = status.stx_mode,
        .link_count = status.stx_nlink,
        .blocks = status.stx_blocks,
        .mount_id = status.stx_mnt_id,
    };
    return true;
}
