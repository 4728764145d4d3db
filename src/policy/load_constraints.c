/* SPDX-License-Identifier: Apache-2.0
 *
 * `constraints` of a rule.
 */
#include <string.h>

#include "codec/units.h"
#include "policy/load_internal.h"

enum { REVIEWERS_MAX = 255, DAY_COUNT = 7 };

static struct slice slice_of_node(const struct yaml_node *node) {
    return slice_of(node->text, node->size);
}

/* Says what is wrong with a number; true when nothing is. */
static bool number_is_ok(struct policy_loader *loader, const struct yaml_node *node,
                         enum units_result result, const char *hint) {
    if (result != UNITS_OK) {
        load_error(loader, node, hint, "%s \"%s\" %s", node->key->text, load_show(node).text,
                   units_result_text(result));
    }
    return result == UNITS_OK;
}

static void read_bytes(struct policy_loader *loader, const struct yaml_node *value,
                       uint64_t *ret_bytes) {
    if (load_is_text(loader, value, value->key->text)) {
        (void)number_is_ok(loader, value, units_parse_bytes(slice_of_node(value), ret_bytes),
                           "Sizes are bytes, or have one of KiB MiB GiB KB MB GB.");
    }
}

static void read_sandbox(struct policy_loader *loader, const struct yaml_node *value,
                         void *target) {
    struct policy_constraints *constraints = target;
    constraints->template_name = load_name(loader, value, "sandbox");
}

static void read_token(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    static const char *const words[] = {"required"};
    struct policy_constraints *constraints = target;
    constraints->token_required = load_word(loader, value, "token", words, 1) == 0;
}

static void read_max_file_size(struct policy_loader *loader, const struct yaml_node *value,
                               void *target) {
    struct policy_constraints *constraints = target;
    read_bytes(loader, value, &constraints->file_bytes_max);
}

static void read_max_total_size(struct policy_loader *loader, const struct yaml_node *value,
                                void *target) {
    struct policy_constraints *constraints = target;
    read_bytes(loader, value, &constraints->total_bytes_max);
}

static void read_max_files(struct policy_loader *loader, const struct yaml_node *value,
                           void *target) {
    struct policy_constraints *constraints = target;
    if (load_is_text(loader, value, value->key->text)) {
        (void)number_is_ok(loader, value,
                           units_parse_count(slice_of_node(value), &constraints->files_max),
                           "Write a whole number of files.");
    }
}

static void read_rate(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct policy_constraints *constraints = target;
    if (load_is_text(loader, value, value->key->text)) {
        (void)number_is_ok(loader, value,
                           units_parse_rate(slice_of_node(value), &constraints->rate_count,
                                            &constraints->rate_window_ms),
                           "Write how many in which time, as in 10/1m; times are ms s m h.");
    }
}

static void read_window(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    struct policy_constraints *constraints = target;
    if (load_is_text(loader, value, value->key->text)) {
        (void)number_is_ok(loader, value,
                           units_parse_window(slice_of_node(value),
                                              &constraints->window_from_minute,
                                              &constraints->window_to_minute),
                           "Write it as \"09:00-17:30\", in UTC.");
    }
}

static void read_days(struct policy_loader *loader, const struct yaml_node *value, void *target) {
    static const char *const days[DAY_COUNT] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
    struct policy_constraints *constraints = target;
    const struct yaml_node *item = load_first_item(value);
    if (item == nullptr) {
        load_error(loader, value, "Name some: [mon, tue, wed, thu, fri].", "days has no value");
    }
    for (size_t i = load_item_count(value); i > 0; i--, item = item->next) {
        int day = load_word(loader, item, "day", days, DAY_COUNT);
        if (day >= 0) {
            constraints->window_days |= (uint8_t)(1U << day);
        }
    }
}

static void read_reviewers(struct policy_loader *loader, const struct yaml_node *value,
                           void *target) {
    struct policy_constraints *constraints = target;
    uint32_t count = 0;
    if (!load_is_text(loader, value, value->key->text)) {
        return;
    }
    enum units_result result = units_parse_count(slice_of_node(value), &count);
    if (result == UNITS_OK && (count == 0 || count > REVIEWERS_MAX)) {
        result = count == 0 ? UNITS_ZERO : UNITS_OVERFLOW;
    }
    if (number_is_ok(loader, value, result, "Write how many people have to agree, 1 to 255.")) {
        constraints->reviewers_min = (uint8_t)count;
    }
}

static void read_reviewer(struct policy_loader *loader, const struct yaml_node *value,
                          void *target) {
    static const char *const words[] = {"terminal", "ui", "client"};
    struct policy_constraints *constraints = target;
    int word = load_word(loader, value, "reviewer", words, sizeof words / sizeof words[0]);
    if (word >= 0) {
        constraints->reviewer = (enum policy_reviewer)word;
    }
}

/* While it is read: what was there. */
struct auto_reading {
    struct policy_auto_apply *permitted;
    bool has_lines, has_files;
};

static void read_count(struct policy_loader *loader, const struct yaml_node *value,
                       uint32_t *ret_count, const char *hint) {
    if (load_is_text(loader, value, value->key->text)) {
        (void)number_is_ok(loader, value, units_parse_count(slice_of_node(value), ret_count), hint);
    }
}

static void read_changed_lines_max(struct policy_loader *loader, const struct yaml_node *value,
                                   void *target) {
    struct auto_reading *reading = target;
    reading->has_lines = true;
    read_count(loader, value, &reading->permitted->lines_max, "Write a whole number of lines.");
}

static void read_files_max(struct policy_loader *loader, const struct yaml_node *value,
                           void *target) {
    struct auto_reading *reading = target;
    reading->has_files = true;
    read_count(loader, value, &reading->permitted->files_max, "Write a whole number of files.");
}

/* Neither limit may be left out: what nobody thought of would be without one. */
static void read_auto_apply(struct policy_loader *loader, const struct yaml_node *value,
                            void *target) {
    static const struct load_key keys[] = {
        {"changed_lines_max", read_changed_lines_max},
        {"files_max", read_files_max},
        {},
    };
    struct policy_constraints *constraints = target;
    struct auto_reading reading = {.permitted = &constraints->auto_apply};
    if (!load_mapping(loader, value, "auto_apply", keys, &reading)) {
        return;
    }
    if (!reading.has_lines || !reading.has_files) {
        load_error(loader, value->key,
                   "Write both: auto_apply: { changed_lines_max: 500, files_max: 50 }",
                   "auto_apply has no %s", reading.has_lines ? "files_max" : "changed_lines_max");
    }
    constraints->auto_apply.is_permitted = true;
}

void load_constraints(struct policy_loader *loader, const struct yaml_node *node,
                      struct policy_constraints *ret_constraints) {
    static const struct load_key keys[] = {
        {"sandbox", read_sandbox},
        {"token", read_token},
        {"max_file_size", read_max_file_size},
        {"max_total_size", read_max_total_size},
        {"max_files", read_max_files},
        {"rate", read_rate},
        {"window", read_window},
        {"days", read_days},
        {"reviewers", read_reviewers},
        {"reviewer", read_reviewer},
        {"auto_apply", read_auto_apply},
        {},
    };
    if (load_mapping(loader, node, "constraints", keys, ret_constraints) && node->count == 0) {
        load_error(loader, node, "Take the key out, or name some.", "constraints names none");
    }
    ret_constraints->present = true;
}
