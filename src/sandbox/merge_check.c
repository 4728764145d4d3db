/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/merge_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/choices.h"
#include "sandbox/stage_view.h"
#include "sys/fd.h"

enum { NAMED_PATHS_MAX = 5 };

void merge_plan_deinit(struct merge_plan *plan) {
    free(plan->items);
    plan->items = nullptr;
}

static bool verdict_is_skip(enum merge_verdict verdict) {
    return verdict != MERGE_VERDICT_APPLY && verdict != MERGE_VERDICT_DONE &&
           verdict != MERGE_VERDICT_BEFORE;
}

/* A change from or to a folder: what is below depends on it. */
static bool item_changes_kind(const struct change *change, const struct merge_plan_item *item) {
    bool was_folder = item->current.kind == ENTRY_FOLDER;
    return was_folder != (change->after.kind == ENTRY_FOLDER);
}

/* The stage's file is still what its record says. */
static status_t check_upper(const struct merge *merge, const struct change *change,
                            struct error *err) {
    struct entry_state now;
    if (change->after.kind == ENTRY_NONE || change->after_is_part) {
        return STATUS_OK; /* a part was made from what was looked at just now */
    }
    TRY(entry_look(merge->upper_fds[change->after_layer], change->path, ENTRY_FORCED, &now, err));
    if (now.kind == ENTRY_FOLDER && now.mode == (change->after.mode | UPPER_FOLDER_MODE)) {
        now.mode = change->after.mode; /* opened up when the stage was sealed */
    }
    if (!entry_is_equal(&now, &change->after)) {
        CLEANUP(builder_deinit) struct builder name;
        builder_init(&name, (size_t)LIMIT_PATH_BYTES * 4);
        text_escape(slice_of_string(change->path), &name);
        return error_set(err, ERROR_STAGE_DAMAGED, 0, "%s in the stage was changed",
                         builder_c_string(&name));
    }
    return STATUS_OK;
}

/* A folder that goes must hold nothing the stage does not know of. */
static status_t check_folder_content(const struct merge *merge, const struct change *change,
                                     struct merge_plan_item *item, struct error *err) {
    CLEANUP(fd_closep) int fd = entry_open_folder(merge->workspace_fd, change->path, false);
    CLEANUP(name_list_deinit) struct name_list names = {0};
    if (fd < 0) {
        item->verdict = MERGE_VERDICT_CONFLICT;
        return STATUS_OK;
    }
    TRY(name_list_read(fd, change->path, &names, err));
    for (size_t i = 0; i < names.count; i++) {
        char child[LIMIT_PATH_BYTES];
        if (!path_join(child, change->path, names.names[i]) ||
            change_list_find(&merge->list, child) == nullptr) {
            item->verdict = MERGE_VERDICT_CONFLICT;
        }
    }
    return STATUS_OK;
}

static status_t check_policy(const struct merge *merge, const struct change *change,
                             const struct apply_options *options, struct merge_plan_item *item,
                             struct error *err) {
    char target[LIMIT_PATH_BYTES];
    bool is_link = change->after.kind == ENTRY_LINK;
    if (is_link && !entry_read_link(merge->upper_fds[change->after_layer], change->path, target,
                                    sizeof target)) {
        return error_set(err, ERROR_IO, errno, "cannot read a link of the stage");
    }
    struct apply_subject subject = {
        .path = change->path,
        .mode = entry_mode(&change->after),
        .link_target = is_link ? target : nullptr,
        .size = change->after.kind == ENTRY_FILE ? change->after.size : 0,
    };
    if (options->decide != nullptr &&
        options->decide(options->context, &subject, &item->reason) != APPLY_ALLOW) {
        item->verdict = MERGE_VERDICT_DENIED;
    }
    return STATUS_OK;
}

static status_t check_one(const struct merge *merge, const struct change *change,
                          const struct apply_options *options, struct merge_plan_item *item,
                          struct error *err) {
    enum merge_relation relation = MERGE_CLEAN;
    TRY(merge_relate(merge, change, &item->current, &relation, err));
    if (change->refusal != REFUSAL_NONE) {
        item->verdict = MERGE_VERDICT_REFUSED;
        return STATUS_OK;
    }
    if (relation == MERGE_DONE) {
        item->verdict = MERGE_VERDICT_DONE;
        return STATUS_OK;
    }
    TRY(check_upper(merge, change, err));
    TRY(check_policy(merge, change, options, item, err));
    if (relation == MERGE_CONFLICT && item->verdict == MERGE_VERDICT_APPLY) {
        item->verdict = MERGE_VERDICT_CONFLICT;
    }
    if (item->verdict == MERGE_VERDICT_APPLY && item->current.kind == ENTRY_FOLDER &&
        change->after.kind != ENTRY_FOLDER) {
        return check_folder_content(merge, change, item, err);
    }
    return STATUS_OK;
}

/* Links every change to the nearest one above it. In path order those above the current one are
 * always the last ones seen that it lies within. */
static void plan_link(const struct merge *merge, struct merge_plan *plan) {
    size_t above = SIZE_MAX;
    for (size_t i = 0; i < merge->list.count; i++) {
        const char *path = merge->list.items[i].path;
        while (above != SIZE_MAX && !path_is_within(path, merge->list.items[above].path)) {
            above = plan->items[above].above;
        }
        plan->items[i].above = above;
        above = i;
    }
}

/* A named change brings the folders that it needs. */
static bool is_chosen(const struct apply_options *options, const char *path) {
    return options->choices != nullptr ? apply_choices_find(options->choices, path) != nullptr
                                       : merge_is_selected(path, options->paths);
}

static void plan_select(const struct merge *merge, struct merge_plan *plan,
                        const struct apply_options *options) {
    for (size_t i = 0; i < merge->list.count; i++) {
        bool selected = is_chosen(options, merge->list.items[i].path);
        plan->items[i].verdict = selected ? MERGE_VERDICT_APPLY : MERGE_VERDICT_UNNAMED;
        for (size_t up = plan->items[i].above; selected && up != SIZE_MAX;
             up = plan->items[up].above) {
            const struct change *change = &merge->list.items[up];
            bool creates =
                change->after.kind == ENTRY_FOLDER && change->before.kind != ENTRY_FOLDER;
            plan->items[up].verdict = creates ? MERGE_VERDICT_APPLY : plan->items[up].verdict;
        }
    }
}

static void plan_block(const struct merge *merge, struct merge_plan *plan) {
    size_t count = merge->list.count;
    for (size_t i = 0; i < count; i++) { /* downwards: no folder, nothing in it */
        struct merge_plan_item *item = &plan->items[i];
        if (item->above == SIZE_MAX || item->verdict != MERGE_VERDICT_APPLY) {
            continue;
        }
        const struct merge_plan_item *above = &plan->items[item->above];
        if (verdict_is_skip(above->verdict) &&
            item_changes_kind(&merge->list.items[item->above], above) &&
            !(above->verdict == MERGE_VERDICT_UNNAMED && above->current.kind == ENTRY_FOLDER)) {
            item->verdict = MERGE_VERDICT_BLOCKED;
        }
    }
    for (size_t i = count; i-- > 0;) { /* upwards: a folder with something left in it stays */
        const struct merge_plan_item *item = &plan->items[i];
        if (!verdict_is_skip(item->verdict) || item->above == SIZE_MAX ||
            item->current.kind == ENTRY_NONE) {
            continue;
        }
        struct merge_plan_item *above = &plan->items[item->above];
        if (above->verdict == MERGE_VERDICT_APPLY && above->current.kind == ENTRY_FOLDER &&
            merge->list.items[item->above].after.kind != ENTRY_FOLDER) {
            above->verdict = MERGE_VERDICT_BLOCKED;
        }
    }
}

/* New folders are built whole beside their place; what they hold is made inside of them. */
static void plan_tops(const struct merge *merge, struct merge_plan *plan) {
    for (size_t i = 0; i < merge->list.count; i++) {
        struct merge_plan_item *item = &plan->items[i];
        item->top = item->above == SIZE_MAX ? SIZE_MAX : plan->items[item->above].top;
        bool is_new = item->verdict == MERGE_VERDICT_APPLY &&
                      merge->list.items[i].after.kind == ENTRY_FOLDER &&
                      item->current.kind != ENTRY_FOLDER;
        if (item->top == SIZE_MAX && is_new) {
            item->top = i;
        }
        plan->counts[item->verdict]++;
    }
}

/* When all that is not named was applied before, the stage is closed with what is named. */
static status_t check_unnamed(const struct merge *merge, const struct change *change,
                              struct merge_plan_item *item, struct error *err) {
    enum merge_relation relation = MERGE_CLEAN;
    TRY(merge_relate(merge, change, &item->current, &relation, err));
    if (relation == MERGE_DONE && change->refusal == REFUSAL_NONE) {
        item->verdict = MERGE_VERDICT_BEFORE;
    }
    return STATUS_OK;
}

static status_t plan_fill(const struct merge *merge, const struct apply_options *options,
                          struct merge_plan *plan, struct error *err) {
    plan_link(merge, plan);
    plan_select(merge, plan, options);
    for (size_t i = 0; i < merge->list.count; i++) {
        struct merge_plan_item *item = &plan->items[i];
        const struct change *change = &merge->list.items[i];
        if (item->verdict == MERGE_VERDICT_UNNAMED) {
            TRY(check_unnamed(merge, change, item, err));
        } else {
            TRY(check_one(merge, change, options, item, err));
        }
    }
    plan_block(merge, plan);
    plan_tops(merge, plan);
    return STATUS_OK;
}

status_t merge_plan_make(const struct merge *merge, const struct apply_options *options,
                         struct merge_plan *ret_plan, struct error *err) {
    struct merge_plan plan = {.items = calloc(merge->list.count + 1, sizeof *plan.items)};
    if (plan.items == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot check the stage");
    }
    status_t status = plan_fill(merge, options, &plan, err);
    if (!status_is_ok(status)) {
        merge_plan_deinit(&plan);
        return status;
    }
    *ret_plan = plan;
    return STATUS_OK;
}

/* "a, b, c and 4 more" of the changes with this verdict; the first one's reason goes with it. */
static void plan_name_paths(const struct merge *merge, const struct merge_plan *plan,
                            enum merge_verdict verdict, struct builder *out) {
    size_t named = 0;
    for (size_t i = 0; i < merge->list.count && named < NAMED_PATHS_MAX; i++) {
        const struct change *change = &merge->list.items[i];
        if (plan->items[i].verdict != verdict) {
            continue;
        }
        builder_text(out, named > 0 ? ", " : "");
        text_escape(slice_of_string(change->path), out);
        const char *reason = verdict == MERGE_VERDICT_REFUSED  ? refusal_text(change->refusal)
                             : verdict == MERGE_VERDICT_DENIED ? plan->items[i].reason
                                                               : nullptr;
        if (reason != nullptr) {
            builder_format(out, " (%s)", reason);
        }
        named++;
    }
    if (plan->counts[verdict] > named) {
        builder_format(out, " and %zu more", plan->counts[verdict] - named);
    }
}

status_t merge_plan_error(const struct merge *merge, const struct merge_plan *plan,
                          struct error *err) {
    static const struct {
        enum merge_verdict verdict;
        enum error_code code;
        const char *what;
    } rows[] = {
        {MERGE_VERDICT_REFUSED, ERROR_STAGE_REFUSED, "the stage holds what is never applied"},
        {MERGE_VERDICT_DENIED, ERROR_POLICY_DENIED, "policy refuses to apply"},
        {MERGE_VERDICT_CONFLICT, ERROR_STAGE_CONFLICT, "the workspace changed at"},
        {MERGE_VERDICT_BLOCKED, ERROR_STAGE_CONFLICT, "the workspace changed around"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (plan->counts[rows[i].verdict] == 0) {
            continue;
        }
        CLEANUP(builder_deinit) struct builder paths;
        builder_init(&paths, (size_t)LIMIT_PATH_BYTES * 4 * NAMED_PATHS_MAX);
        plan_name_paths(merge, plan, rows[i].verdict, &paths);
        status_t status =
            error_set(err, rows[i].code, 0, "%s: %s", rows[i].what, builder_c_string(&paths));
        if (rows[i].code == ERROR_POLICY_DENIED) {
            error_hint(err, "Apply the rest with: airlock apply --skip-refused");
        }
        return status;
    }
    return STATUS_OK;
}
