/* SPDX-License-Identifier: Apache-2.0
 *
 * Choosing from a stage: which paths, and of a text that changed which blocks of lines. A choice is
 * made on one comparison and carried out on another, maybe minutes later; the digests of both sides
 * that it holds make sure that the two are the same comparison.
 */
#pragma once

#include "sandbox/hunks.h"
#include "sandbox/merge.h"

struct apply_choice {
    char *path; /* owned */
    bool is_whole;
    bool takes_mode;             /* not whole: the change of mode */
    struct digest before, after; /* not whole: SHA-256 of the two texts */
    uint8_t *blocks;             /* owned; not whole: nonzero for each block that is taken */
    size_t block_count;
};

struct apply_choices {
    struct apply_choice *items; /* owned; by path_order() */
    size_t count, capacity;
};

void apply_choices_deinit(struct apply_choices *choices);
/* The whole change of a path. */
status_t apply_choices_add_whole(struct apply_choices *choices, const char *path,
                                 struct error *err);
/* nullptr: the path is not chosen. */
const struct apply_choice *apply_choices_find(const struct apply_choices *choices,
                                              const char *path);

/* A change as it can be chosen from. */
struct choosable {
    const struct change *change;  /* borrowed from the merged list */
    bool has_hunks;               /* else only whole; the rest is set only then */
    bool has_mode;                /* the mode changes as well */
    struct hunk_set set;          /* owned; borrows from the texts */
    struct builder before, after; /* owned */
};
void choosable_deinit(struct choosable *choosable);
/* Reads both sides of a change, when it is a text that changed. */
status_t choosable_read(const struct merge *merge, const struct change *change,
                        struct choosable *ret, struct error *err);
/* Adds what is chosen of it: a whole choice when it is all there is to choose; nothing when it is
 * nothing. `blocks` has as many members as the set has blocks. */
status_t apply_choices_add(struct apply_choices *choices, const struct choosable *choosable,
                           const uint8_t *blocks, bool takes_mode, struct error *err);
/* Chooses what a patch names. Each of its hunks must be one of the stage's, and each file it adds
 * or deletes one the stage does. ERROR_PATCH_NO_SUBSET. */
status_t apply_choices_add_patch(struct apply_choices *choices, const struct merge *merge,
                                 const struct patch *patch, struct error *err);

/* Puts what is chosen in place of what the stage holds: of a path that is not taken whole, `after`
 * becomes what stands there with the chosen blocks changed, and the content is kept in the run's
 * parts. STAGE_CONFLICT when a comparison is not the one that was chosen from. */
status_t merge_take_parts(struct merge *merge, const struct apply_choices *choices,
                          struct error *err);
/* Records the states that an apply of those parts begins from and ends with. */
status_t merge_record_parts(const struct merge *merge, struct error *err);
/* Rebases what was applied in part before. Called when a merge is opened. */
status_t merge_rebase_parts(struct merge *merge, struct error *err);
