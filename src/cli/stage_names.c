/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/stage_names.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/kernel.h"
#include "kernel/workspace.h"
#include "sandbox/run.h"

const char *run_short_id(const char *id) {
    size_t size = strlen(id);
    return size > 8 ? id + size - 8 : id;
}

void stage_operands_deinit(struct stage_operands *operands) {
    run_close(&operands->run);
    for (size_t i = 0; operands->paths != nullptr && operands->paths[i] != nullptr; i++) {
        free(operands->paths[i]);
    }
    free(operands->paths);
    operands->paths = nullptr;
}

/* Appends one component to a normalised path; ".." takes one away. false: above the top. */
static bool path_step(char path[static LIMIT_PATH_BYTES], struct slice step) {
    size_t size = strlen(path);
    if (step.size == 0 || slice_equal(step, SLICE_LITERAL("."))) {
        return true;
    }
    if (slice_equal(step, SLICE_LITERAL(".."))) {
        char *slash = strrchr(path, '/');
        if (slash == nullptr) {
            return false;
        }
        *slash = '\0';
        return true;
    }
    if (size + step.size + 2 > LIMIT_PATH_BYTES) {
        return false;
    }
    path[size] = '/';
    memcpy(path + size + 1, step.data, step.size);
    path[size + 1 + step.size] = '\0';
    return true;
}

static bool path_walk(char path[static LIMIT_PATH_BYTES], const char *steps) {
    while (*steps != '\0') {
        size_t size = strcspn(steps, "/");
        if (!path_step(path, slice_of(steps, size))) {
            return false;
        }
        steps += size + (steps[size] == '/' ? 1 : 0);
    }
    return true;
}

/* What the user wrote, as a path below the workspace. Lexical: the file may exist in the stage
 * only, or not any more. */
static status_t path_in_workspace(const char *workspace, const char *operand, char **ret,
                                  struct error *err) {
    char path[LIMIT_PATH_BYTES] = "";
    CLEANUP(memory_freep) char *here = operand[0] == '/' ? nullptr : getcwd(nullptr, 0);
    size_t size = strlen(workspace);
    bool ok = (here == nullptr || path_walk(path, here)) && path_walk(path, operand) &&
              strncmp(path, workspace, size) == 0 && (path[size] == '/' || path[size] == '\0');
    if (!ok) {
        status_t status = error_set(err, ERROR_USAGE, 0, "%.200s is not in the workspace %.200s",
                                    operand, workspace);
        error_hint(err, "The first operand may also be a RUN; list them with: airlock runs");
        return status;
    }
    *ret = strdup(path[size] == '/' ? path + size + 1 : ".");
    return *ret != nullptr ? STATUS_OK : error_set(err, ERROR_NO_MEMORY, ENOMEM, "out of memory");
}

static status_t operands_read_paths(struct stage_operands *operands, char **names, size_t count,
                                    struct error *err) {
    if (count == 0) {
        return STATUS_OK;
    }
    operands->paths = calloc(count + 1, sizeof *operands->paths);
    if (operands->paths == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        TRY(path_in_workspace(operands->run.workspace, names[i], &operands->paths[i], err));
    }
    return STATUS_OK;
}

/* Finds the run an operand names; *ret_found is false when it can only be a path. */
static status_t operand_as_run(const struct state *state, const char *operand,
                               struct stage_operands *operands, bool *ret_found,
                               struct error *err) {
    bool exact = id_is_valid(operand) || (operand[0] == '@' && isdigit((unsigned char)operand[1]));
    *ret_found = false;
    if (!exact && !run_name_is_suffix(operand)) {
        return STATUS_OK;
    }
    struct error found;
    status_t status = run_find(state, operand, operands->workspace, &operands->run, &found);
    if (!status_is_ok(status) && !exact && found.code == ERROR_RUN_UNKNOWN) {
        return STATUS_OK;
    }
    if (!status_is_ok(status)) {
        *err = found;
        return status;
    }
    *ret_found = true;
    return STATUS_OK;
}

static bool run_is_below(const struct run *runs, size_t count, const struct run *top,
                         const char *id) {
    const char *parent = top->parent;
    for (size_t i = 0; i < count && parent[0] != '\0'; i++) {
        if (strcmp(parent, id) == 0) {
            return true;
        }
        const char *next = "";
        for (size_t j = 0; j < count; j++) {
            next = strcmp(runs[j].id, parent) == 0 ? runs[j].parent : next;
        }
        parent = next;
    }
    return false;
}

static status_t check_single(const struct state *state, const struct run *run, struct error *err) {
    CLEANUP(memory_freep) struct run *runs = nullptr;
    size_t count = 0;
    TRY(run_list(state, &runs, &count, err));
    for (size_t i = 0; i < count; i++) {
        bool other = run_stage_is_open(&runs[i]) && strcmp(runs[i].id, run->id) != 0 &&
                     strcmp(runs[i].workspace, run->workspace) == 0;
        if (other && !run_is_below(runs, count, run, runs[i].id)) {
            status_t status =
                error_set(err, ERROR_RUN_AMBIGUOUS, 0, "runs %s and %s both have changes that wait",
                          run_short_id(run->id), run_short_id(runs[i].id));
            error_hint(err, "Name one: airlock apply %s, or throw one away: airlock discard %s",
                       run_short_id(run->id), run_short_id(runs[i].id));
            return status;
        }
    }
    return STATUS_OK;
}

static status_t operands_find(const struct state *state, const struct stage_query *query,
                              struct stage_operands *operands, struct error *err) {
    TRY(workspace_find(query->workspace, operands->workspace, err));
    if (query->count > 0) {
        TRY(operand_as_run(state, query->operands[0], operands, &operands->is_named, err));
    }
    if (!operands->is_named) {
        TRY(run_find(state, nullptr, operands->workspace, &operands->run, err));
        if (query->must_be_single) {
            TRY(check_single(state, &operands->run, err));
        }
    }
    int first = operands->is_named ? 1 : 0;
    return operands_read_paths(operands, query->operands + first, (size_t)(query->count - first),
                               err);
}

status_t stage_operands_find(const struct state *state, const struct stage_query *query,
                             struct stage_operands *ret, struct error *err) {
    *ret = (struct stage_operands){.run = {.fd = -1, .lock_fd = -1}};
    status_t status = operands_find(state, query, ret, err);
    if (!status_is_ok(status)) {
        stage_operands_deinit(ret);
    }
    return status;
}

void stage_settle(void) {
    struct kernel kernel;
    struct error ignored;
    if (status_is_ok(kernel_open(&kernel, &ignored))) {
        kernel_close(&kernel);
    }
}
