/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/replay_view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/policy_commands.h"
#include "cli/stage_names.h"
#include "codec/text.h"

enum {
    OPERATION_BYTES = 32,
    PATH_BYTES = 160,
    RULE_BYTES = 80,
    PLACE_BYTES = 256,
};

/* All escaped, and cut where they are too long. */
struct replay_row {
    uint64_t seq;
    char run[16];
    char operation[OPERATION_BYTES];
    char path[PATH_BYTES];
    char was_rule[RULE_BYTES];
    char rule[RULE_BYTES];
    char place[PLACE_BYTES];
};

static void put(char *ret_text, size_t size, const char *any_bytes) {
    struct builder text;
    builder_init(&text, size);
    text_escape_short(slice_of_string(any_bytes), size - 4, &text);
    (void)snprintf(ret_text, size, "%s", builder_c_string(&text));
    builder_deinit(&text);
}

void replay_view_deinit(struct replay_view *view) {
    for (size_t was = 0; was < POLICY_OUTCOME_COUNT; was++) {
        for (size_t now = 0; now < POLICY_OUTCOME_COUNT; now++) {
            free(view->groups[was][now].rows);
        }
    }
}

void replay_view_add(struct replay_view *view, const struct policy_replay_change *change) {
    struct replay_group *group = &view->groups[change->was][change->now];
    if (group->rows == nullptr) {
        group->rows = calloc(LIMIT_REPLAY_SHOWN, sizeof *group->rows);
    }
    if (group->rows == nullptr ||
        limit_past(group->count++ >= (uint64_t)LIMIT_REPLAY_SHOWN, LIMIT_ID_REPLAY_SHOWN)) {
        return;
    }
    struct replay_row *row = &group->rows[group->count - 1];
    struct builder place;
    row->seq = change->seq;
    put(row->run, sizeof row->run, change->run[0] != '\0' ? run_short_id(change->run) : "");
    put(row->operation, sizeof row->operation, change->operation);
    put(row->path, sizeof row->path, change->path != nullptr ? change->path : "");
    put(row->was_rule, sizeof row->was_rule, change->was_rule);
    put(row->rule, sizeof row->rule, change->decision->rule);
    builder_init(&place, (size_t)4 * LIMIT_PATH_BYTES + 64);
    policy_show_place(&change->decision->deciders[0], &place);
    (void)snprintf(row->place, sizeof row->place, "%s", builder_c_string(&place));
    builder_deinit(&place);
}

struct widths {
    int operation, path, was, rule;
};

static void widen(int *width, const char *text) {
    int length = (int)strlen(text);
    *width = length > *width ? length : *width;
}

static void print_rows(const struct replay_view *view, const struct replay_group *group) {
    struct widths widths = {sizeof "OPERATION" - 1, sizeof "PATH" - 1, sizeof "WAS BY" - 1,
                            sizeof "NOW BY" - 1};
    uint64_t shown =
        group->count < (uint64_t)LIMIT_REPLAY_SHOWN ? group->count : (uint64_t)LIMIT_REPLAY_SHOWN;
    for (uint64_t i = 0; i < shown; i++) {
        widen(&widths.operation, group->rows[i].operation);
        widen(&widths.path, group->rows[i].path);
        widen(&widths.was, group->rows[i].was_rule);
        widen(&widths.rule, group->rows[i].rule);
    }
    (void)fprintf(view->out, "  %s%6s  %-8s  %-*s  %-*s  %-*s  %-*s  %s%s\n",
                  cli_color(view->color, CLI_DIM), "SEQ", "RUN", widths.operation, "OPERATION",
                  widths.path, "PATH", widths.was, "WAS BY", widths.rule, "NOW BY", "WHERE",
                  cli_color(view->color, CLI_PLAIN));
    for (uint64_t i = 0; i < shown; i++) {
        const struct replay_row *row = &group->rows[i];
        (void)fprintf(view->out, "  %6" PRIu64 "  %-8s  %-*s  %-*s  %-*s  %-*s  %s\n", row->seq,
                      row->run, widths.operation, row->operation, widths.path, row->path,
                      widths.was, row->was_rule, widths.rule, row->rule, row->place);
    }
    if (group->count > shown) {
        (void)fprintf(view->out, "  and %" PRIu64 " more; --json lists all\n",
                      group->count - shown);
    }
}

static void print_group(const struct replay_view *view, enum policy_outcome was,
                        enum policy_outcome now) {
    const struct replay_group *group = &view->groups[was][now];
    if (group->count == 0) {
        return;
    }
    bool is_breaking = was == POLICY_ALLOW && now == POLICY_DENY;
    const char *plain = cli_color(view->color, CLI_PLAIN);
    (void)fprintf(view->out, "%s%s > %s%s%s  %" PRIu64 "\n",
                  cli_color(view->color, policy_outcome_color(now)), policy_outcome_text(was),
                  policy_outcome_text(now), is_breaking ? "  BREAKING" : "", plain, group->count);
    print_rows(view, group);
    (void)fprintf(view->out, "\n");
}

static void print_note(const struct replay_view *view, uint64_t count, const char *text) {
    if (count > 0) {
        (void)fprintf(view->out, "%snote:%s %" PRIu64 " %s\n", cli_color(view->color, CLI_YELLOW),
                      cli_color(view->color, CLI_PLAIN), count, text);
    }
}

static void print_result(const struct replay_view *view,
                         const struct policy_replay_result *result) {
    print_note(view, result->without_facts, "decisions were left out: their entries hold no facts");
    print_note(view, result->expired_lists,
               "applies were judged as a whole only: the list of their paths has expired");
    print_note(view, result->expired_entries,
               "oldest entries were left out: retention took their bytes, and the facts have "
               "expired with them");
    print_note(view, result->unreadable,
               "decisions were left out: the policy file of their workspace is not valid now");
    if (result->is_cut_short) {
        (void)fprintf(
            view->out,
            "%snote:%s the time for it ended (the limit REPLAY_MS): entries before %" PRIu64
            " were not looked at\n",
            cli_color(view->color, CLI_YELLOW), cli_color(view->color, CLI_PLAIN),
            result->first_seq);
    }
    (void)fprintf(view->out,
                  "%" PRIu64 " entries, %" PRIu64 " decisions judged again: %" PRIu64
                  " changed, %s%" PRIu64 " BREAKING%s\n",
                  result->entries, result->decisions, result->changed_count,
                  result->breaking_count > 0 ? cli_color(view->color, CLI_RED) : "",
                  result->breaking_count,
                  result->breaking_count > 0 ? cli_color(view->color, CLI_PLAIN) : "");
}

void replay_view_print(const struct replay_view *view, const struct policy_replay_result *result) {
    static const struct {
        enum policy_outcome was, now;
    } ORDER[] = {
        {POLICY_ALLOW, POLICY_DENY},   {POLICY_ALLOW, POLICY_REVIEW}, {POLICY_REVIEW, POLICY_DENY},
        {POLICY_REVIEW, POLICY_ALLOW}, {POLICY_DENY, POLICY_REVIEW},  {POLICY_DENY, POLICY_ALLOW},
    };
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++) {
        print_group(view, ORDER[i].was, ORDER[i].now);
    }
    print_result(view, result);
}

struct json *replay_change_json(const struct policy_replay_change *change) {
    const struct policy_decision *decision = change->decision;
    struct json *object = json_object_new();
    json_set_integer(object, "seq", (int64_t)change->seq);
    json_set_integer(object, "time_ms", (int64_t)change->time_ms);
    policy_json_text(object, "run", change->run);
    policy_json_text(object, "workspace", change->workspace);
    policy_json_text(object, "operation", change->operation);
    if (change->path != nullptr) {
        policy_json_text(object, "path", change->path);
    }
    json_set_text(object, "was", policy_outcome_text(change->was));
    policy_json_text(object, "was_rule", change->was_rule);
    json_set_text(object, "now", policy_outcome_text(change->now));
    policy_json_rule(object, &decision->deciders[0]);
    policy_json_text(object, "reason", decision->reasons[0]);
    json_set_bool(object, "breaking", change->is_breaking);
    return object;
}

struct json *replay_result_json(const struct policy_replay_result *result) {
    struct json *object = json_object_new();
    json_set(object, "changed", policy_replay_changed(result));
    json_set_integer(object, "entries", (int64_t)result->entries);
    json_set_integer(object, "decisions", (int64_t)result->decisions);
    json_set_integer(object, "changed_count", (int64_t)result->changed_count);
    json_set_integer(object, "breaking", (int64_t)result->breaking_count);
    json_set_integer(object, "without_facts", (int64_t)result->without_facts);
    json_set_integer(object, "expired_lists", (int64_t)result->expired_lists);
    json_set_integer(object, "expired_entries", (int64_t)result->expired_entries);
    json_set_integer(object, "unreadable", (int64_t)result->unreadable);
    json_set_bool(object, "cut_short", result->is_cut_short);
    json_set_integer(object, "first_seq", (int64_t)result->first_seq);
    return object;
}
