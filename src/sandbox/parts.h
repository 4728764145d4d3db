/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run's stage was applied of in part: runs/<id>/parts. A stage is never written again, so
 * what is left of it is what the stage holds less what the workspace holds already. For a path that
 * was applied whole the workspace itself tells. For one of which only some hunks were applied it
 * holds neither what the stage was made from nor what the stage holds: `index` lists such paths
 * with the state they were left in, and the file named by that state's SHA-256 keeps the content.
 *
 * The record is written before the apply commits, and a path keeps the state it had as well as the
 * one it is to get; so whichever of the two a crash leaves is known.
 */
#pragma once

#include "sandbox/base_record.h"

struct part {
    char *path; /* owned */
    struct entry_state state;
};

struct part_list {
    struct part *items; /* owned */
    size_t count, capacity;
};

void part_list_deinit(struct part_list *list);
status_t part_list_add(struct part_list *list, const char *path, const struct entry_state *state,
                       struct error *err);
/* A run without the record has an empty list. STAGE_DAMAGED. */
status_t parts_read(const struct run *run, struct part_list *ret_list, struct error *err);
/* Durable when this returns, whole or as before; contents that no row names any more are removed.
 */
status_t parts_write(const struct run *run, const struct part_list *list, struct error *err);
/* Keeps a content, durable. */
status_t parts_keep(const struct run *run, struct slice content, struct error *err);
/* Opens a content for reading; -1 with errno. */
int parts_open(const struct run *run, const struct digest *digest);
