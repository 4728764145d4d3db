/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/program.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"

status_t program_find(const char *name, char ret_path[static LIMIT_PATH_BYTES], bool *ret_found,
                      struct error *err) {
    static const char *const places[] = {"", "../libexec/airlock/"};
    char self[LIMIT_PATH_BYTES];
    ssize_t size = readlink("/proc/self/exe", self, sizeof self - 1);
    if (size < 0) {
        return error_set(err, ERROR_IO, errno, "cannot tell where this program is");
    }
    self[size] = '\0';
    char *slash = strrchr(self, '/');
    ASSERT(slash != nullptr);
    slash[1] = '\0';
    *ret_found = false;
    for (size_t i = 0; i < sizeof places / sizeof places[0] && !*ret_found; i++) {
        int length = snprintf(ret_path, LIMIT_PATH_BYTES, "%s%s%s", self, places[i], name);
        *ret_found = length > 0 && length < LIMIT_PATH_BYTES && access(ret_path, X_OK) == 0;
    }
    return STATUS_OK;
}
