/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cli/explain_view.h"
#include "codec/text.h"
#include "policy/load.h"

const char *explain_action_text(enum policy_action action) {
    switch (action) {
    case POLICY_ACTION_ALLOW:
        return "allow";
    case POLICY_ACTION_DENY:
        return "deny";
    case POLICY_ACTION_REVIEW:
        return "require_review";
    case POLICY_ACTION_PASS:
        return "pass";
    }
    return "";
}

/* The value of a field of the request, escaped. */
static void add_value(const struct policy_request *request, enum policy_field field,
                      struct builder *out) {
    struct policy_request copy = *request;
    const char **text = policy_request_text(&copy, field);
    bool is_network = field == POLICY_FIELD_NETWORK;
    const char *const *tags = is_network ? request->networks : request->caller_tags;
    size_t tag_count = is_network ? request->network_count : request->caller_tag_count;
    if ((is_network || field == POLICY_FIELD_CALLER_TAG) && tag_count > 0) {
        for (size_t i = 0; i < tag_count; i++) {
            builder_text(out, i == 0 ? "" : " ");
            text_escape_short(slice_of_string(tags[i]), 200, out);
        }
    } else if (field == POLICY_FIELD_PORT && request->has_port) {
        builder_format(out, "%u", request->port);
    } else if (field == POLICY_FIELD_SIZE && request->has_size) {
        builder_format(out, "%" PRIu64, request->size);
    } else if (text != nullptr && *text != nullptr) {
        text_escape_short(slice_of_string(*text), 200, out);
    } else {
        builder_text(out, "is not given");
    }
}

/* Why a rule is silent or what it says, in words. */
static void add_verdict(const struct explanation *explanation, const struct policy_trace *trace,
                        struct builder *out) {
    const char *before = "no: ";
    for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++) {
        if ((trace->failed_fields >> field & 1) != 0) {
            builder_format(out, "%s%s ", before, policy_field_text((enum policy_field)field));
            add_value(&explanation->request, (enum policy_field)field, out);
            before = ", ";
        }
    }
    if (trace->except_hit > 0) {
        builder_format(out, "no: its except %zu matches", trace->except_hit);
    } else if (trace->unmet != nullptr) {
        builder_format(out, "matches, but %s", trace->unmet);
    } else if (policy_trace_applies(trace)) {
        builder_text(out, "yes");
    }
}

static void print_rule(void *context, const struct policy_trace *trace) {
    struct explanation *explanation = context;
    bool color = explanation->cli->color_out;
    bool speaks = policy_trace_applies(trace) && trace->unmet == nullptr;
    const char *tone = cli_color(color, speaks ? CLI_PLAIN : CLI_DIM);
    builder_reset(&explanation->text);
    policy_show_place(&trace->rule, &explanation->text);
    (void)printf("  %s%-*s  %-14s  %-*s", tone, (int)explanation->name_width, trace->rule.name,
                 explain_action_text(trace->action), (int)explanation->place_width,
                 builder_c_string(&explanation->text));
    builder_reset(&explanation->text);
    add_verdict(explanation, trace, &explanation->text);
    (void)printf("  %s%s\n", builder_c_string(&explanation->text), cli_color(color, CLI_PLAIN));
}

static const char *resolution_text(const struct policy_target *target) {
    switch (target->kind) {
    case POLICY_TARGET_THERE:
        return target->link[0] != '\0' ? "a symbolic link, which is not followed" : "it is there";
    case POLICY_TARGET_PARENT:
        return "its folder is there, it is not";
    case POLICY_TARGET_TEXT:
        return "not there: cleaned by text";
    }
    return "";
}

static void print_path(struct explanation *explanation, const char *given) {
    builder_reset(&explanation->text);
    text_escape(slice_of_string(explanation->target.path), &explanation->text);
    (void)printf("  path    %s", builder_c_string(&explanation->text));
    if (strcmp(given, explanation->target.path) != 0) {
        builder_reset(&explanation->text);
        text_escape(slice_of_string(given), &explanation->text);
        (void)printf(" (from %s)", builder_c_string(&explanation->text));
    }
    builder_reset(&explanation->text);
    text_escape(slice_of_string(explanation->session.workspace), &explanation->text);
    (void)printf(" in %s; %s\n", builder_c_string(&explanation->text),
                 resolution_text(&explanation->target));
}

static void print_facts(struct explanation *explanation, size_t decider) {
    const struct policy_decision *decision = &explanation->decision;
    for (size_t i = 0; i < decision->fact_count; i++) {
        const struct policy_fact *fact = &decision->facts[i];
        if (fact->decider != decider) {
            continue;
        }
        builder_reset(&explanation->text);
        if (fact->value == nullptr) {
            builder_format(&explanation->text, "%" PRIu64, fact->number);
        } else {
            text_escape(slice_of_string(fact->value), &explanation->text);
        }
        if (fact->pattern != nullptr) {
            builder_text(&explanation->text, " matches ");
            text_escape(slice_of_string(fact->pattern), &explanation->text);
        }
        (void)printf("          %s %s\n", policy_field_text(fact->field),
                     builder_c_string(&explanation->text));
    }
}

static void print_obligations(const struct policy_obligations *asks, enum policy_outcome outcome) {
    if (outcome == POLICY_DENY) {
        return;
    }
    if (asks->template_name != nullptr) {
        (void)printf("  asks    template %s\n", asks->template_name);
    }
    if (asks->file_bytes_max != UINT64_MAX) {
        (void)printf("  asks    files of at most %" PRIu64 " bytes\n", asks->file_bytes_max);
    }
    if (asks->total_bytes_max != UINT64_MAX) {
        (void)printf("  asks    at most %" PRIu64 " bytes together\n", asks->total_bytes_max);
    }
    if (asks->files_max != UINT32_MAX) {
        (void)printf("  asks    at most %" PRIu32 " files\n", asks->files_max);
    }
    if (asks->auto_apply.is_permitted && outcome == POLICY_ALLOW) {
        (void)printf("  alone   up to %" PRIu32 " changed lines in %" PRIu32
                     " files, by %s; see run --apply auto\n",
                     asks->auto_apply.lines_max, asks->auto_apply.files_max, asks->auto_apply.rule);
    }
    for (size_t i = 0; i < asks->rate_count; i++) {
        (void)printf("  asks    at most %" PRIu32 " in %" PRIu64 " ms, by %s\n",
                     asks->rates[i].count, asks->rates[i].window_ms, asks->rates[i].rule);
    }
    if (outcome == POLICY_REVIEW) {
        static const char *const WHO[] = {"at a terminal", "at a terminal or in the interface",
                                          "by any reviewer"};
        (void)printf("  asks    %u agreement%s %s\n", asks->reviewers_min,
                     asks->reviewers_min == 1 ? "" : "s", WHO[asks->reviewer]);
    }
}

static void print_decision(struct explanation *explanation) {
    const struct policy_decision *decision = &explanation->decision;
    bool color = explanation->cli->color_out;
    for (size_t i = 0; i < decision->reason_count; i++) {
        builder_reset(&explanation->text);
        policy_show_place(&decision->deciders[i], &explanation->text);
        (void)printf("  %s  %s%s%s  %s\n", i == 0 ? "rule  " : "and   ", cli_color(color, CLI_BOLD),
                     decision->deciders[i].name, cli_color(color, CLI_PLAIN),
                     builder_c_string(&explanation->text));
        builder_reset(&explanation->text);
        text_escape(slice_of_string(decision->reasons[i]), &explanation->text);
        (void)printf("          %s\n", builder_c_string(&explanation->text));
        print_facts(explanation, i);
    }
    if (decision->reasons_dropped > 0) {
        (void)printf("          and %zu more\n", decision->reasons_dropped);
    }
    print_obligations(&decision->obligations, decision->outcome);
}

void explain_print_text(struct explanation *explanation, char **operands) {
    const struct policy_engine *engine = &explanation->session.policy.engine;
    const struct policy_decision *decision = &explanation->decision;
    bool color = explanation->cli->color_out;
    builder_reset(&explanation->text);
    text_escape(slice_of_string(operands[0]), &explanation->text);
    if (explanation->has_path) {
        builder_text(&explanation->text, " ");
        text_escape(slice_of_string(explanation->target.path), &explanation->text);
    }
    (void)printf("%s%s%s  %s\n", cli_color(color, policy_outcome_color(decision->outcome)),
                 policy_outcome_text(decision->outcome), cli_color(color, CLI_PLAIN),
                 builder_c_string(&explanation->text));
    if (explanation->has_path) {
        print_path(explanation, operands[1]);
    }
    print_decision(explanation);
    if (explanation->rule_count == 0) {
        (void)printf("\nno rule is about this operation\n");
        return;
    }
    (void)printf("\nrules about this operation:\n");
    struct policy_decision again;
    policy_explain(engine, &explanation->request, print_rule, explanation, &again);
}
