/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sandbox/run.h"
#include "sys/file.h"

/* "output" is a file, the others are trees. work, tmp and home are gone since the run ended, or
 * their removal failed then. */
static const char *const pruned[] = {"output", "upper", "base", "parts",
                                     "squash", "work",  "tmp",  "home"};
enum { PRUNED_COUNT = sizeof pruned / sizeof pruned[0] };

static void fts_closep(FTS **tree) {
    if (*tree != nullptr) {
        (void)fts_close(*tree);
    }
}

uint64_t run_disk_bytes(const struct state *state, const char *id, uint64_t bytes_max) {
    char paths[PRUNED_COUNT][LIMIT_PATH_BYTES];
    char *list[PRUNED_COUNT + 1] = {nullptr};
    uint64_t bytes = 0;
    for (size_t i = 0; i < PRUNED_COUNT; i++) {
        int size = snprintf(paths[i], sizeof paths[i], "%s/runs/%s/%s", state->path, id, pruned[i]);
        if (size < 0 || (size_t)size >= sizeof paths[i]) {
            return 0;
        }
        list[i] = paths[i];
    }
    /* What cannot be looked at (a mode, a path past PATH_MAX) is left out: a lower bound will do.
     */
    CLEANUP(fts_closep) FTS *tree = fts_open(list, FTS_PHYSICAL | FTS_NOCHDIR, nullptr);
    for (FTSENT *entry; tree != nullptr && (entry = fts_read(tree)) != nullptr;) {
        bool counts = entry->fts_info == FTS_F || entry->fts_info == FTS_D ||
                      entry->fts_info == FTS_SL || entry->fts_info == FTS_DEFAULT;
        if (counts) { /* an empty folder of a tmpfs has no block, and yet it is there */
            uint64_t blocks = (uint64_t)entry->fts_statp->st_blocks;
            bytes += (blocks > 0 ? blocks : 1) * 512;
        }
        if (bytes > bytes_max) {
            break;
        }
    }
    return bytes;
}

status_t run_prune(const struct state *state, const char *id, struct error *err) {
    CLEANUP(run_close) struct run run = {.fd = -1, .lock_fd = -1};
    TRY(run_open(state, id, &run, err)); /* as it is now: a list may be old */
    if (run.state == RUN_LIVE || run_stage_is_open(&run)) {
        return error_set(err, ERROR_BUSY, 0, "run %s %s", id,
                         run.state == RUN_LIVE ? "still runs" : "has changes that wait");
    }
    for (size_t i = 0; i < PRUNED_COUNT; i++) {
        TRY(file_remove_tree(run.fd, pruned[i], err));
    }
    return STATUS_OK;
}
