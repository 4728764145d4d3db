/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/stage_view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

static status_t stage_view_load(const struct state *state, const struct run *run,
                                struct stage_view *view, struct error *err) {
    view->workspace_fd = open(run->workspace, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (view->workspace_fd < 0) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, errno, "cannot open the workspace %s",
                         run->workspace);
    }
    if (run->parent[0] == '\0') {
        return STATUS_OK;
    }
    CLEANUP(run_close) struct run parent = {.fd = -1, .lock_fd = -1};
    TRY(run_open(state, run->parent, &parent, err));
    TRY(run_stack_read(state, &parent, view->below, err));
    for (size_t i = 0; i < view->below->count; i++) {
        const struct run *layer = &view->below->runs[i];
        if (!run_stage_is_open(layer)) {
            continue; /* the first may be closed: it was applied, or changed nothing */
        }
        TRY(base_record_read(layer, &view->lists[i], err));
        TRY(file_open_folder(layer->fd, "upper", false, 0, &view->upper_fds[i], err));
    }
    return STATUS_OK;
}

status_t stage_view_open(const struct state *state, const struct run *run,
                         struct stage_view *ret_view, struct error *err) {
    *ret_view =
        (struct stage_view){.workspace_fd = -1, .below = calloc(1, sizeof(struct run_stack))};
    for (size_t i = 0; i < LIMIT_STAGE_STACK; i++) {
        ret_view->upper_fds[i] = -1;
    }
    if (ret_view->below == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot look at the workspace");
    }
    status_t status = stage_view_load(state, run, ret_view, err);
    if (!status_is_ok(status)) {
        stage_view_close(ret_view);
    }
    return status;
}

void stage_view_close(struct stage_view *view) {
    fd_closep(&view->workspace_fd);
    for (size_t i = 0; i < LIMIT_STAGE_STACK; i++) {
        change_list_deinit(&view->lists[i]);
        fd_closep(&view->upper_fds[i]);
    }
    if (view->below != nullptr) {
        run_stack_close(view->below);
        free(view->below);
        view->below = nullptr;
    }
}

status_t stage_view_look(const struct stage_view *view, const char *path, enum entry_depth depth,
                         struct entry_state *ret_state, int *ret_source_fd, struct error *err) {
    int source = view->workspace_fd;
    for (size_t i = 0; i < view->below->count; i++) {
        const struct change *change = change_list_find(&view->lists[i], path);
        if (change != nullptr) {
            *ret_state = change->after;
            if (ret_source_fd != nullptr) {
                *ret_source_fd = view->upper_fds[i];
            }
            return STATUS_OK;
        }
    }
    if (ret_source_fd != nullptr) {
        *ret_source_fd = source;
    }
    return entry_look(source, path, depth, ret_state, err);
}

/* Names. */

void name_list_deinit(struct name_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->names[i]);
    }
    free(list->names);
    *list = (struct name_list){0};
}

status_t name_list_add(struct name_list *list, const char *name, size_t size, struct error *err) {
    if (list->count == (size_t)LIMIT_STAGE_ENTRIES) {
        limit_hit(LIMIT_ID_STAGE_ENTRIES);
        return error_set(err, ERROR_LIMIT, 0, "a folder holds more than %lld names",
                         (long long)LIMIT_STAGE_ENTRIES);
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 32 : list->capacity * 2;
        char **names = reallocarray(list->names, capacity, sizeof *names);
        if (names == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list a folder");
        }
        list->names = names;
        list->capacity = capacity;
    }
    char *copy = strndup(name, size);
    if (copy == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list a folder");
    }
    list->names[list->count++] = copy;
    return STATUS_OK;
}

static int name_order(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void name_list_sort(struct name_list *list) {
    if (list->count < 2) {
        return;
    }
    qsort(list->names, list->count, sizeof list->names[0], name_order);
    size_t kept = 1;
    for (size_t i = 1; i < list->count; i++) {
        if (strcmp(list->names[i], list->names[kept - 1]) == 0) {
            free(list->names[i]);
        } else {
            list->names[kept++] = list->names[i];
        }
    }
    list->count = kept;
}

bool name_list_has(const struct name_list *list, const char *name) {
    return list->count > 0 &&
           bsearch(&name, list->names, list->count, sizeof list->names[0], name_order) != nullptr;
}

static void folder_closep(DIR **folder) {
    if (*folder != nullptr) {
        (void)closedir(*folder);
    }
}

status_t name_list_read(int fd, const char *what, struct name_list *list, struct error *err) {
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    CLEANUP(folder_closep) DIR *folder = copy < 0 ? nullptr : fdopendir(copy);
    if (folder == nullptr) {
        fd_closep(&copy);
        return error_set(err, ERROR_IO, errno, "cannot list the folder %s", what);
    }
    rewinddir(folder); /* the copy shares its position with `fd` */
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(folder);
        if (entry == nullptr && errno != 0) {
            return error_set(err, ERROR_IO, errno, "cannot list the folder %s", what);
        }
        if (entry == nullptr) {
            break;
        }
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            TRY(name_list_add(list, entry->d_name, strlen(entry->d_name), err));
        }
    }
    name_list_sort(list);
    return STATUS_OK;
}

static status_t stage_view_list_layer(const struct change_list *changes, const char *path,
                                      struct name_list *list, struct error *err) {
    size_t size = strlen(path);
    for (size_t i = change_list_lower_bound(changes, path); i < changes->count; i++) {
        const char *each = changes->items[i].path;
        if (!path_is_within(each, path)) {
            break;
        }
        const char *rest = size == 0 ? each : (each[size] == '/' ? each + size + 1 : "");
        if (rest[0] != '\0' && strchr(rest, '/') == nullptr) {
            TRY(name_list_add(list, rest, strlen(rest), err));
        }
    }
    return STATUS_OK;
}

static status_t stage_view_gather(const struct stage_view *view, const char *path,
                                  struct name_list *list, struct error *err) {
    CLEANUP(fd_closep)
    int fd = entry_open_folder(view->workspace_fd, path[0] == '\0' ? "." : path, false);
    if (fd >= 0) {
        TRY(name_list_read(fd, path, list, err));
    } else if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP) {
        return error_set(err, ERROR_IO, errno, "cannot list the folder %s", path);
    }
    for (size_t i = 0; i < view->below->count; i++) {
        TRY(stage_view_list_layer(&view->lists[i], path, list, err));
    }
    name_list_sort(list);
    return STATUS_OK;
}

status_t stage_view_list(const struct stage_view *view, const char *path, struct name_list *ret,
                         struct error *err) {
    struct name_list list = {0};
    status_t status = stage_view_gather(view, path, &list, err);
    if (!status_is_ok(status)) {
        name_list_deinit(&list);
        return status;
    }
    *ret = list;
    return STATUS_OK;
}

bool path_join(char ret[static LIMIT_PATH_BYTES], const char *folder, const char *name) {
    int size = folder[0] == '\0' ? snprintf(ret, LIMIT_PATH_BYTES, "%s", name)
                                 : snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", folder, name);
    return size >= 0 && size < LIMIT_PATH_BYTES;
}
