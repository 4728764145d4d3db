/* SPDX-License-Identifier: Apache-2.0 */
#include "store/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

status_t config_path(const char *name, char ret_path[static LIMIT_PATH_BYTES], struct error *err) {
    const char *folder = getenv("XDG_CONFIG_HOME");
    const char *below = "airlock";
    if (folder == nullptr || folder[0] != '/') {
        folder = getenv("HOME");
        below = ".config/airlock";
    }
    if (folder == nullptr || folder[0] != '/') {
        (void)error_set(err, ERROR_STATE_UNUSABLE, 0, "cannot tell where %s is", name);
        error_detail(err, "neither XDG_CONFIG_HOME nor HOME is an absolute path");
        error_hint(err, "Set one of them; with HOME=/nonexistent there is no such file.");
        return (status_t){ERROR_STATE_UNUSABLE};
    }
    int size = snprintf(ret_path, LIMIT_PATH_BYTES, "%s/%s/%s", folder, below, name);
    if (size < 0 || size >= LIMIT_PATH_BYTES) {
        return error_set(err, ERROR_STATE_UNUSABLE, ENAMETOOLONG, "cannot use the path of %s",
                         name);
    }
    return STATUS_OK;
}
