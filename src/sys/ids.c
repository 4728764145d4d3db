/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/ids.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"

bool ids_are_all_ours(void) {
    if (geteuid() != 0) {
        return false;
    }
    CLEANUP(fd_closep) int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
    char text[256];
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (size <= 0) {
        return false;
    }
    text[size] = '\0';
    unsigned inside = 1;
    unsigned outside = 1;
    unsigned count = 0;
    int fields = sscanf(text, "%u %u %u", &inside, &outside, &count);
    return fields == 3 && inside == 0 && outside == 0 && count == 4294967295U;
}
