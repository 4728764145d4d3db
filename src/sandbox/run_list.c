/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sandbox/run.h"
#include "sandbox/squash.h"
#include "sandbox/stage_lock.h"
#include "sys/fd.h"

static void folder_closep(DIR **folder) {
    if (*folder != nullptr) {
        (void)closedir(*folder);
    }
}

/* Ids are UUIDv7: their text sorts by time. Newest first. */
static int run_order(const void *a, const void *b) {
    const struct run *left = a;
    const struct run *right = b;
    return strcmp(right->id, left->id);
}

struct run_array {
    struct run *items; /* owned */
    size_t count;
    size_t capacity;
};

static void run_array_deinit(struct run_array *array) {
    free(array->items);
}

static status_t run_array_add(struct run_array *array, const struct run *run, struct error *err) {
    if (array->count == array->capacity) {
        size_t capacity = array->capacity == 0 ? 16 : array->capacity * 2;
        struct run *items = reallocarray(array->items, capacity, sizeof *items);
        if (items == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the runs");
        }
        array->items = items;
        array->capacity = capacity;
    }
    array->items[array->count++] = *run;
    return STATUS_OK;
}

status_t run_list(const struct state *state, struct run **ret_runs, size_t *ret_count,
                  struct error *err) {
    int fd = openat(state->runs_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP(folder_closep) DIR *folder = fd < 0 ? nullptr : fdopendir(fd);
    if (folder == nullptr) {
        fd_closep(&fd);
        return error_set(err, ERROR_IO, errno, "cannot list the runs");
    }
    CLEANUP(run_array_deinit) struct run_array array = {0};
    struct dirent *entry;
    while ((entry = readdir(folder)) != nullptr) {
        struct run run;
        bool found = false;
        struct error ignored; /* one damaged run must not hide the others */
        if (!id_is_valid(entry->d_name) ||
            !status_is_ok(run_read(state->runs_fd, entry->d_name, &run, &found, &ignored)) ||
            !found) {
            continue;
        }
        run_close(&run);
        TRY(run_array_add(&array, &run, err));
    }
    if (array.count > 0) {
        qsort(array.items, array.count, sizeof array.items[0], run_order);
    }
    *ret_count = array.count;
    *ret_runs = TAKE(array.items);
    return STATUS_OK;
}

/* Finding the one a user means. */

/* "@1", "@2": the number, or 0. */
static size_t name_as_rank(const char *name) {
    char *end = nullptr;
    if (name[0] != '@' || !isdigit((unsigned char)name[1])) {
        return 0;
    }
    unsigned long rank = strtoul(name + 1, &end, 10);
    return *end == '\0' ? rank : 0;
}

bool run_name_is_suffix(const char *name) {
    size_t size = strlen(name);
    return size >= 6 && size <= 32 && strspn(name, "0123456789abcdef-") == size;
}

static bool id_ends_with(const char *id, const char *suffix) {
    size_t at = strlen(id);
    size_t left = strlen(suffix);
    while (left > 0 && at > 0) {
        if (id[at - 1] == '-') {
            at--;
        } else if (suffix[left - 1] == '-') {
            left--;
        } else if (id[--at] != suffix[--left]) {
            return false;
        }
    }
    return left == 0;
}

static status_t run_find_suffix(const struct run *runs, size_t count, const char *name,
                                size_t *ret_index, struct error *err) {
    size_t found = count;
    for (size_t i = 0; i < count; i++) {
        if (!id_ends_with(runs[i].id, name)) {
            continue;
        }
        if (found != count) {
            return error_set(err, ERROR_RUN_AMBIGUOUS, 0, "%s and %s both end with %s",
                             runs[found].id, runs[i].id, name);
        }
        found = i;
    }
    if (found == count) {
        return error_set(err, ERROR_RUN_UNKNOWN, 0, "no run ends with %s", name);
    }
    *ret_index = found;
    return STATUS_OK;
}

static status_t run_find_rank(const struct run *runs, size_t count, size_t rank,
                              const char *workspace, size_t *ret_index, struct error *err) {
    size_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(runs[i].workspace, workspace) == 0 && ++seen == rank) {
            *ret_index = i;
            return STATUS_OK;
        }
    }
    return error_set(err, ERROR_RUN_UNKNOWN, 0, "there is no run @%zu of this workspace", rank);
}

static status_t run_find_open(const struct run *runs, size_t count, const char *workspace,
                              size_t *ret_index, struct error *err) {
    for (size_t i = 0; i < count; i++) {
        if (run_stage_is_open(&runs[i]) && strcmp(runs[i].workspace, workspace) == 0) {
            *ret_index = i;
            return STATUS_OK;
        }
    }
    return error_set(err, ERROR_RUN_UNKNOWN, 0, "no run of this workspace has changes that wait");
}

status_t run_find(const struct state *state, const char *name_or_null, const char *workspace,
                  struct run *ret_run, struct error *err) {
    if (name_or_null != nullptr && id_is_valid(name_or_null)) {
        return run_open(state, name_or_null, ret_run, err);
    }
    CLEANUP(memory_freep) struct run *runs = nullptr;
    size_t count = 0;
    size_t index = 0;
    TRY(run_list(state, &runs, &count, err));
    if (name_or_null == nullptr) {
        TRY(run_find_open(runs, count, workspace, &index, err));
    } else if (name_as_rank(name_or_null) > 0) {
        TRY(run_find_rank(runs, count, name_as_rank(name_or_null), workspace, &index, err));
    } else if (run_name_is_suffix(name_or_null)) {
        TRY(run_find_suffix(runs, count, name_or_null, &index, err));
    } else {
        return error_set(err, ERROR_RUN_UNKNOWN, 0, "no run is named %.64s", name_or_null);
    }
    return run_open(state, runs[index].id, ret_run, err);
}

/* Layers. */

status_t run_stack_read(const struct state *state, const struct run *run, struct run_stack *ret,
                        struct error *err) {
    struct run_stack stack = {.count = 0};
    char id[ID_TEXT_BYTES];
    (void)snprintf(id, sizeof id, "%s", run->id);
    while (id[0] != '\0') {
        struct run *next = &stack.runs[stack.count];
        status_t status = STATUS_OK;
        if (stack.count == LIMIT_STAGE_STACK) {
            limit_hit(LIMIT_ID_STAGE_STACK);
            status = error_set(err, ERROR_LIMIT, 0, "more than %d stages stand on each other",
                               (int)LIMIT_STAGE_STACK);
            error_hint(err, "Apply the older ones first: airlock apply RUN");
        } else {
            status = run_open(state, id, next, err);
        }
        if (!status_is_ok(status)) {
            run_stack_close(&stack);
            return status;
        }
        (void)snprintf(id, sizeof id, "%s", next->parent);
        bool counts = stack.count == 0 || run_stage_is_open(next);
        if (next->state == RUN_APPLIED && stack.count > 0) {
            id[0] = '\0'; /* what it and those below it changed is in the workspace already */
        }
        if (next->state == RUN_DISCARDED && stack.count > 0) {
            status = error_set(err, ERROR_RUN_STAGE_CLOSED, 0,
                               "run %s stands on run %s, which was discarded", run->id, next->id);
            run_close(next);
            run_stack_close(&stack);
            return status;
        }
        if (counts) {
            stack.count++;
        } else {
            run_close(next);
        }
    }
    *ret = stack;
    return STATUS_OK;
}

void run_stack_close(struct run_stack *stack) {
    for (size_t i = 0; i < stack->count; i++) {
        run_close(&stack->runs[i]);
    }
    stack->count = 0;
}

/* Whether the stage of `id` is one of the layers below `top`. Runs are few below one another. */
static bool run_stands_on(const struct run *runs, size_t count, const struct run *top,
                          const char *id) {
    const char *parent = top->parent;
    for (size_t depth = 0; depth < count && parent[0] != '\0'; depth++) {
        if (strcmp(parent, id) == 0) {
            return true;
        }
        const char *next = "";
        for (size_t i = 0; i < count; i++) {
            bool is_it = strcmp(runs[i].id, parent) == 0 && runs[i].state != RUN_APPLIED;
            next = is_it ? runs[i].parent : next;
        }
        parent = next;
    }
    return false;
}

status_t run_check_standing(const struct state *state, const struct run *run, bool live_only,
                            struct error *err) {
    CLEANUP(memory_freep) struct run *runs = nullptr;
    size_t count = 0;
    TRY(run_list(state, &runs, &count, err));
    for (size_t i = 0; i < count; i++) {
        bool counts = runs[i].state == RUN_LIVE || (!live_only && run_stage_is_open(&runs[i]));
        if (!counts || !run_stands_on(runs, count, &runs[i], run->id)) {
            continue;
        }
        bool is_live = runs[i].state == RUN_LIVE;
        status_t status = error_set(err, ERROR_BUSY, 0, "run %s stands on the stage of run %s%s",
                                    runs[i].id, run->id, is_live ? " and still runs" : "");
        if (!is_live) {
            error_hint(err, "Discard that one first: airlock discard %s", runs[i].id);
        }
        return status;
    }
    return STATUS_OK;
}

/* One allocation: the table, then the texts. `squashed` is the last of them unless it is "". */
static char **layers_table(const struct state *state, const struct run *const *open, size_t count,
                           const char *squashed) {
    size_t path_bytes = strlen(state->path) + ID_TEXT_BYTES + sizeof "/runs//upper";
    size_t table_bytes = (count + 2) * sizeof(char *);
    char **layers = malloc(table_bytes + count * path_bytes + strlen(squashed) + 1);
    if (layers == nullptr) {
        return nullptr;
    }
    char *text = (char *)layers + table_bytes;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(text, path_bytes, "%s/runs/%s/upper", state->path, open[i]->id);
        layers[i] = text;
        text += path_bytes;
    }
    if (squashed[0] != '\0') {
        memcpy(text, squashed, strlen(squashed) + 1);
        layers[count++] = text;
    }
    layers[count] = nullptr;
    return layers;
}

static status_t stack_layers(const struct state *state, const struct run_stack *stack,
                             char ***ret_layers, struct error *err) {
    const struct run *open[LIMIT_STAGE_STACK + 1] = {};
    size_t count = 0;
    char squashed[LIMIT_PATH_BYTES] = "";
    for (size_t i = 0; i < stack->count; i++) {
        if (run_stage_is_open(&stack->runs[i])) {
            open[count++] = &stack->runs[i];
        }
    }
    size_t kept = count - squash_depth(count);
    if (kept < count) {
        TRY(squash_make(state, open, count, kept, squashed, err));
    }
    *ret_layers = layers_table(state, open, kept, squashed);
    return *ret_layers != nullptr
               ? STATUS_OK
               : error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the stages");
}

status_t run_layers(const struct state *state, const struct run *run, char ***ret_layers,
                    struct error *err) {
    CLEANUP(memory_freep) struct run_stack *stack = calloc(1, sizeof *stack);
    if (stack == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the stages");
    }
    if (run->state == RUN_DISCARDED) {
        return error_set(err, ERROR_RUN_STAGE_CLOSED, 0, "run %s was discarded", run->id);
    }
    if (run->state == RUN_LIVE) {
        return error_set(err, ERROR_RUN_UNFINISHED, 0, "run %s still runs", run->id);
    }
    TRY(run_stack_read(state, run, stack, err));
    status_t status = stack_layers(state, stack, ret_layers, err);
    run_stack_close(stack);
    return status;
}

status_t run_layers_check(const struct state *state, const struct run *run, char *const *layers,
                          struct error *err) {
    CLEANUP(fd_closep) int lock = -1;
    CLEANUP(run_close) struct run parent = {.fd = -1, .lock_fd = -1};
    CLEANUP(memory_freep) char **now = nullptr;
    TRY(stage_lock_hold(state, run->workspace, &lock, err));
    TRY(run_open(state, run->parent, &parent, err));
    TRY(run_layers(state, &parent, &now, err));
    size_t i = 0;
    while (layers[i] != nullptr && now[i] != nullptr && strcmp(layers[i], now[i]) == 0) {
        i++;
    }
    if (layers[i] == nullptr && now[i] == nullptr) {
        return STATUS_OK;
    }
    status_t status =
        error_set(err, ERROR_RUN_STAGE_CLOSED, 0,
                  "a stage below run %s was applied or discarded while it started", run->id);
    error_hint(err, "Nothing ran. Start it again.");
    return status;
}
