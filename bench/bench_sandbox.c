/* SPDX-License-Identifier: Apache-2.0 */
#include "bench_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

status_t bench_folders_make(const char *run_folder, uint32_t uid, uint32_t gid, struct error *err) {
    static const char *const names[] = {"upper", "work", "tmp", "home"};
    CLEANUP(fd_closep) int folder = -1;
    TRY(file_open_folder(AT_FDCWD, run_folder, true, 0700, &folder, err));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        TRY(file_remove_tree(folder, names[i], err));
        TRY(file_make_folder(folder, names[i], 0755, err));
        if (fchownat(folder, names[i], uid, gid, 0) != 0) {
            return error_set(err, ERROR_IO, errno, "cannot give a folder to the payload");
        }
    }
    return STATUS_OK;
}

static int compare(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

void bench_print_times(const char *what, uint64_t *times, size_t count) {
    qsort(times, count, sizeof *times, compare);
    printf("%s p50 %.0f p90 %.0f p99 %.0f max %.0f (n %zu)\n", what, (double)times[count / 2] / 1e3,
           (double)times[count * 9 / 10] / 1e3, (double)times[count * 99 / 100] / 1e3,
           (double)times[count - 1] / 1e3, count);
}
