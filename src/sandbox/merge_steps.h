/* SPDX-License-Identifier: Apache-2.0
 *
 * What an apply does to the workspace, as a list of steps. The list is data: built and checked
 * first, made durable, then executed; after a crash it is executed again. Every step may be
 * repeated.
 *
 * Until the list is committed nothing of the workspace has changed but for temporaries beside their
 * targets, named .airlock-<run>-<number>; the list names them all.
 */
#pragma once

#include "sandbox/merge.h"

enum merge_operation : uint8_t {
    MERGE_RENAME,        /* the temporary takes the place of a file, a link, or nothing */
    MERGE_REMOVE_FILE,   /* a file or link goes */
    MERGE_REMOVE_FOLDER, /* an empty folder goes; one that is not empty any more stays */
    MERGE_MODE,          /* an existing folder gets another mode */
    MERGE_ATTRIBUTES,    /* and the attributes of its temporary, an empty folder that goes */
};

struct merge_step {
    enum merge_operation operation;
    char *path;         /* owned */
    uint32_t temporary; /* number, for MERGE_RENAME, MERGE_ATTRIBUTES, and what makes room */
    bool makes_room;    /* a removal after which the temporary takes the place */
    uint32_t mode;      /* for MERGE_MODE */
    /* What stands there and may be replaced; anything else that came since is left alone. */
    enum entry_kind kind;
    uint64_t dev, ino, size;
    int64_t mtime_ns;
};

struct merge_steps {
    char run_id[ID_TEXT_BYTES];
    bool closes_stage; /* nothing is left in the stack when the list is done */
    char workspace[LIMIT_PATH_BYTES];
    struct merge_step *items; /* owned */
    size_t count, capacity;
};

void merge_steps_deinit(struct merge_steps *steps);
/* `current` is what stands at the path now. */
status_t merge_steps_add(struct merge_steps *steps, enum merge_operation operation,
                         const char *path, const struct entry_state *current,
                         struct merge_step **ret_step, struct error *err);

void merge_steps_encode(const struct merge_steps *steps, struct builder *out);
status_t merge_steps_decode(struct slice bytes, struct merge_steps *ret_steps, struct error *err);

/* Executes every step. *ret_left counts those that found something else in their place, or that the
 * system refused; they leave the workspace as it was there. */
status_t merge_steps_execute(const struct merge_steps *steps, int workspace_fd, uint32_t *ret_left,
                             struct error *err);
/* Removes all temporaries that the list names. */
void merge_steps_remove_temporaries(const struct merge_steps *steps, int workspace_fd);

/* The path of a temporary beside `path`; false when it is too long. */
bool merge_temporary_path(const char *run_id, const char *path, uint32_t number,
                          char ret[static LIMIT_PATH_BYTES]);
/* Opens the folder that holds `path` (O_PATH) without following a symlink; *ret_name is the last
 * component, borrowed from path. -1 with errno. */
int merge_open_parent(int workspace_fd, const char *path, const char **ret_name);

/* For tests: called before each change of a disk, so that a test can die there. nullptr otherwise.
 */
extern void (*merge_test_hook)(void);
void merge_step_begins(void);
