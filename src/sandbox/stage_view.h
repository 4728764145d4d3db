/* SPDX-License-Identifier: Apache-2.0
 *
 * What a run saw below itself: the workspace with the stages it stands on laid over it.
 */
#pragma once

#include "sandbox/base_record.h"

struct stage_view {
    int workspace_fd;                            /* owned */
    struct run_stack *below;                     /* owned; newest first, without the run itself */
    struct change_list lists[LIMIT_STAGE_STACK]; /* of `below` */
    int upper_fds[LIMIT_STAGE_STACK];            /* owned */
};

/* Opens the workspace and everything the run stands on. */
status_t stage_view_open(const struct state *state, const struct run *run,
                         struct stage_view *ret_view, struct error *err);
void stage_view_close(struct stage_view *view);

/* As entry_look(). *ret_source_fd, when asked for, is the folder that holds the entry's content at
 * the same path; borrowed. */
status_t stage_view_look(const struct stage_view *view, const char *path, enum entry_depth depth,
                         struct entry_state *ret_state, int *ret_source_fd, struct error *err);

struct name_list {
    char **names; /* owned */
    size_t count;
    size_t capacity;
};
void name_list_deinit(struct name_list *list);
status_t name_list_add(struct name_list *list, const char *name, size_t size, struct error *err);
void name_list_sort(struct name_list *list);
bool name_list_has(const struct name_list *list, const char *name); /* in a sorted list */
/* All names in a folder that is open; `fd` stays the caller's. Sorted. */
status_t name_list_read(int fd, const char *what, struct name_list *list, struct error *err);

/* The names that stand in a folder of the view; some may turn out to be deleted. Sorted, unique. */
status_t stage_view_list(const struct stage_view *view, const char *path, struct name_list *ret,
                         struct error *err);

/* "folder/name", or "name" for folder "". false: too long. */
bool path_join(char ret[static LIMIT_PATH_BYTES], const char *folder, const char *name);
