/* SPDX-License-Identifier: Apache-2.0
 *
 * What the benches of sandboxes share.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The folders of a run, empty, for a payload of these ids. */
status_t bench_folders_make(const char *run_folder, uint32_t uid, uint32_t gid, struct error *err);
/* Sorts times of nanoseconds and prints them in microseconds. */
void bench_print_times(const char *what, uint64_t *times, size_t count);
