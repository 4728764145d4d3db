/* SPDX-License-Identifier: Apache-2.0
 *
 * The log as files that other tools read: C2SP tlog-tiles (checkpoint, tile/<L>/<N>,
 * tile/entries/<N>), and one entry with its proof in the form of Debian's spicy-litetlog.
 */
#pragma once

#include "audit/log.h"

struct audit_export_result {
    uint64_t size;  /* of the exported tree: the last checkpoint's */
    uint64_t files; /* written */
    uint64_t gone;  /* bundles of entries that were not written: retention deleted their bytes */
};

/* Writes the tree of the last checkpoint into `folder_fd`. Tiles that are there are not written
 * again: they never change. */
status_t audit_export_tiles(struct audit_log *log, int folder_fd,
                            struct audit_export_result *ret_result, struct error *err);

/* Writes entry-<seq>.json (the entry's bytes) and entry-<seq>.json.spicy (its proof). */
status_t audit_export_spicy(struct audit_log *log, uint64_t seq, int folder_fd, struct error *err);
