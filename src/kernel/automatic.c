/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/automatic.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/limits.h"
#include "codec/text.h"
#include "sandbox/change_lines.h"

enum { ROW_BYTES_MAX = 65536, NAME_BYTES_MAX = 200, WHY_BYTES_MAX = 600 };

static const struct {
    const char *slug;
    const char *says; /* before the names; "" when they say it all */
} KINDS[AUTOMATIC_REASON_COUNT] = {
    [AUTOMATIC_COMMAND] = {"command", ""},
    [AUTOMATIC_PARENT] = {"parent", "it stands on changes that wait for a decision: "},
    [AUTOMATIC_REVIEW] = {"review", "a person has to look at "},
    [AUTOMATIC_DENIED] = {"denied", "policy denies "},
    [AUTOMATIC_UNPERMITTED] = {"unpermitted", "no rule with auto_apply allows "},
    [AUTOMATIC_REFUSED] = {"refused", "never applied: "},
    [AUTOMATIC_CONFLICT] = {"conflict", "the workspace changed at "},
    [AUTOMATIC_UNREADABLE] = {"unreadable", "not countable in lines: "},
    [AUTOMATIC_LINES] = {"lines", ""},
    [AUTOMATIC_FILES] = {"files", ""},
    [AUTOMATIC_OTHER] = {"other", ""},
};

const char *automatic_reason_slug(enum automatic_reason reason) {
    return KINDS[reason].slug;
}

void automatic_init(struct automatic *automatic) {
    *automatic = (struct automatic){};
    for (size_t i = 0; i < AUTOMATIC_REASON_COUNT; i++) {
        builder_init(&automatic->rows[i].text, ROW_BYTES_MAX);
    }
}

void automatic_deinit(struct automatic *automatic) {
    for (size_t i = 0; i < AUTOMATIC_REASON_COUNT; i++) {
        builder_deinit(&automatic->rows[i].text);
    }
}

void automatic_hold(struct automatic *automatic, enum automatic_reason reason, const char *what,
                    const char *why) {
    struct automatic_row *row = &automatic->rows[reason];
    if (limit_past(row->count++ >= (uint64_t)LIMIT_AUTO_PATHS_NAMED, LIMIT_ID_AUTO_PATHS_NAMED)) {
        return;
    }
    builder_text(&row->text, row->count > 1 ? ", " : "");
    text_escape_short(slice_of_string(what), why == nullptr ? WHY_BYTES_MAX : NAME_BYTES_MAX,
                      &row->text);
    if (why != nullptr) {
        builder_text(&row->text, " (");
        text_escape_short(slice_of_string(why), WHY_BYTES_MAX, &row->text);
        builder_text(&row->text, ")");
    }
}

void automatic_judge(struct automatic *automatic, const char *path,
                     const struct policy_decision *decision) {
    bool is_silent =
        decision->outcome == POLICY_DENY && decision->deciders[0].layer == POLICY_LAYER_NONE;
    if (automatic == nullptr || (path == nullptr && is_silent)) {
        return; /* paths may be granted one by one */
    }
    const char *what = path != nullptr ? path : "all of it";
    switch (decision->outcome) {
    case POLICY_REVIEW:
        automatic_hold(automatic, AUTOMATIC_REVIEW, what, decision->reasons[0]);
        return;
    case POLICY_DENY:
        automatic_hold(automatic, AUTOMATIC_DENIED, what, decision->reasons[0]);
        return;
    case POLICY_ALLOW:
        break;
    }
    const struct policy_auto_apply *permitted = &decision->obligations.auto_apply;
    if (path == nullptr) {
        return; /* what is permitted is a matter of each path */
    }
    if (!permitted->is_permitted) {
        automatic_hold(automatic, AUTOMATIC_UNPERMITTED, what, nullptr);
        return;
    }
    policy_auto_apply_merge(&automatic->permitted, permitted);
}

static status_t weigh_change(struct automatic *automatic, const struct merge *merge,
                             const struct change *change, struct error *err) {
    struct change_lines lines;
    bool is_folder = (change->after.kind == ENTRY_FOLDER || change->after.kind == ENTRY_NONE) &&
                     (change->before.kind == ENTRY_FOLDER || change->before.kind == ENTRY_NONE);
    automatic->changed_files += !is_folder;
    if (automatic->changed_files > automatic->permitted.files_max) {
        return STATUS_OK; /* it is left to a person: the rest need not be read */
    }
    TRY(change_lines_count(merge, change, &lines, err));
    automatic->changed_lines += lines.added + lines.deleted;
    if (lines.unreadable != nullptr) {
        automatic_hold(automatic, AUTOMATIC_UNREADABLE, change->path, lines.unreadable);
    }
    return STATUS_OK;
}

static void weigh_parents(struct automatic *automatic, const struct merge *merge) {
    for (size_t i = 1; i < merge->stack->count; i++) {
        if (run_stage_is_open(&merge->stack->runs[i])) {
            automatic_hold(automatic, AUTOMATIC_PARENT, merge->stack->runs[i].id, nullptr);
        }
    }
}

void automatic_weigh_totals(struct automatic *automatic) {
    const struct policy_auto_apply *permitted = &automatic->permitted;
    char text[256];
    if (!permitted->is_permitted) {
        return; /* AUTOMATIC_UNPERMITTED says so */
    }
    if (automatic->changed_lines > permitted->lines_max) {
        (void)snprintf(text, sizeof text,
                       "%" PRIu64 "%s lines change, and the rule %.100s permits %" PRIu32,
                       automatic->changed_lines,
                       automatic->changed_files > permitted->files_max ? " or more" : "",
                       permitted->rule, permitted->lines_max);
        automatic_hold(automatic, AUTOMATIC_LINES, text, nullptr);
    }
    if (automatic->changed_files > permitted->files_max) {
        (void)snprintf(text, sizeof text,
                       "%" PRIu32 " files change, and auto_apply permits %" PRIu32,
                       automatic->changed_files, permitted->files_max);
        automatic_hold(automatic, AUTOMATIC_FILES, text, nullptr);
    }
}

void automatic_record(const struct automatic *automatic, struct json *fields) {
    if (automatic != nullptr) {
        json_set_bool(fields, "automatic", true);
        json_set_text(fields, "auto_rule", automatic->permitted.rule);
        json_set_integer(fields, "changed_lines", (int64_t)automatic->changed_lines);
        json_set_integer(fields, "changed_files", automatic->changed_files);
    }
}

/* Nothing is asked and nothing left out: any reason leaves the whole to a person. */
static status_t settle(struct automatic *automatic, const struct obliged *obliged,
                       struct error *err) {
    struct obliged_refusal refusal;
    automatic_weigh_totals(automatic);
    if (!obliged_fits(obliged, &refusal)) {
        automatic_hold(automatic, AUTOMATIC_OTHER, refusal.reason, nullptr);
    }
    return automatic_is_held(automatic)
               ? error_set(err, ERROR_POLICY_REVIEW, 0, "a person has to decide")
               : STATUS_OK;
}

status_t automatic_weigh(struct automatic *automatic, const struct merge *merge,
                         const struct merge_plan *plan, const struct obliged *obliged,
                         struct error *err) {
    weigh_parents(automatic, merge);
    for (size_t i = 0; i < merge->list.count; i++) {
        const struct change *change = &merge->list.items[i];
        switch (plan->items[i].verdict) {
        case MERGE_VERDICT_APPLY:
            if (automatic->permitted.is_permitted) {
                TRY(weigh_change(automatic, merge, change, err));
            }
            break;
        case MERGE_VERDICT_REFUSED:
            automatic_hold(automatic, AUTOMATIC_REFUSED, change->path,
                           refusal_text(change->refusal));
            break;
        case MERGE_VERDICT_CONFLICT:
        case MERGE_VERDICT_BLOCKED:
            automatic_hold(automatic, AUTOMATIC_CONFLICT, change->path, nullptr);
            break;
        case MERGE_VERDICT_DENIED:
        case MERGE_VERDICT_DONE:
        case MERGE_VERDICT_UNNAMED:
        case MERGE_VERDICT_BEFORE:
        case MERGE_VERDICT_COUNT:
            break;
        }
    }
    return settle(automatic, obliged, err);
}

bool automatic_is_held(const struct automatic *automatic) {
    for (size_t i = 0; i < AUTOMATIC_REASON_COUNT; i++) {
        if (automatic->rows[i].count > 0) {
            return true;
        }
    }
    return false;
}

const char *automatic_text(struct automatic *automatic, enum automatic_reason reason,
                           struct builder *scratch) {
    ASSERT(reason < AUTOMATIC_REASON_COUNT);
    struct automatic_row *row = &automatic->rows[reason];
    builder_reset(scratch);
    if (row->count == 0) {
        return "";
    }
    builder_text(scratch, KINDS[reason].says);
    builder_bytes(scratch, builder_slice(&row->text));
    if (row->count > (uint64_t)LIMIT_AUTO_PATHS_NAMED) {
        builder_format(scratch, " and %" PRIu64 " more",
                       row->count - (uint64_t)LIMIT_AUTO_PATHS_NAMED);
    }
    return builder_c_string(scratch);
}
