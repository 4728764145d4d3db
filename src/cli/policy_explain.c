/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock policy explain: what would be decided about a request, by which rule of which file and
 * line, and what every rule about that operation made of it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/policy_commands.h"
#include "cli/policy_target.h"
#include "codec/text.h"
#include "policy/explain.h"
#include "policy/load.h"
#include "policy/units.h"

struct explanation {
    const struct cli *cli;
    const struct policy_options *options;
    struct policy_session session;
    struct policy_request request;
    struct policy_target target;
    bool has_path;
    char caller[32];
    struct policy_decision decision;
    struct json *rules;  /* with --json; owned */
    struct builder text; /* of the table of rules, or of one line */
    size_t rule_count, name_width, place_width;
};

static const char *action_text(enum policy_action action) {
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
    const char *texts[POLICY_FIELD_COUNT] = {
        [POLICY_FIELD_OPERATION] = request->operation,
        [POLICY_FIELD_PATH] = request->path,
        [POLICY_FIELD_CALLER] = request->caller,
        [POLICY_FIELD_SESSION_MODE] = request->session_mode,
        [POLICY_FIELD_WORKFLOW_STATE] = request->workflow_state,
        [POLICY_FIELD_HOST] = request->host,
        [POLICY_FIELD_METHOD] = request->method,
        [POLICY_FIELD_TEMPLATE] = request->template_name,
        [POLICY_FIELD_ARGUMENT_DIGEST] = request->argument_digest,
        [POLICY_FIELD_TRANSPORT] = request->transport,
    };
    if (field == POLICY_FIELD_CALLER_TAG && request->caller_tag_count > 0) {
        for (size_t i = 0; i < request->caller_tag_count; i++) {
            builder_text(out, i == 0 ? "" : " ");
            text_escape_short(slice_of_string(request->caller_tags[i]), 200, out);
        }
    } else if (field == POLICY_FIELD_PORT && request->has_port) {
        builder_format(out, "%u", request->port);
    } else if (field == POLICY_FIELD_SIZE && request->has_size) {
        builder_format(out, "%" PRIu64, request->size);
    } else if (texts[field] != nullptr) {
        text_escape_short(slice_of_string(texts[field]), 200, out);
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

static void add_json_rule(struct explanation *explanation, const struct policy_trace *trace) {
    struct json *rule = json_object_new();
    struct json *failed = json_array_new();
    policy_json_rule(rule, &trace->rule);
    json_set_text(rule, "action", action_text(trace->action));
    json_set_bool(rule, "applies", policy_trace_applies(trace));
    for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++) {
        if ((trace->failed_fields >> field & 1) != 0) {
            json_append_text(failed, policy_field_text((enum policy_field)field));
        }
    }
    json_set(rule, "failed_fields", failed);
    if (trace->except_hit > 0) {
        json_set_integer(rule, "except", (int64_t)trace->except_hit);
    }
    if (trace->unmet != nullptr) {
        json_set_text(rule, "unmet", trace->unmet);
    }
    if (trace->reason != nullptr) {
        policy_json_text(rule, "reason", trace->reason);
    }
    json_append(explanation->rules, rule);
}

static void measure_rule(void *context, const struct policy_trace *trace) {
    struct explanation *explanation = context;
    size_t width = strlen(trace->rule.name);
    explanation->rule_count++;
    explanation->name_width = width > explanation->name_width ? width : explanation->name_width;
    if (explanation->cli->json) {
        add_json_rule(explanation, trace);
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
                 action_text(trace->action), (int)explanation->place_width,
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

static void print_text(struct explanation *explanation, char **operands) {
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

static struct json *json_reasons(const struct policy_decision *decision) {
    struct json *reasons = json_array_new();
    for (size_t i = 0; i < decision->reason_count; i++) {
        struct json *reason = json_object_new();
        policy_json_rule(reason, &decision->deciders[i]);
        policy_json_text(reason, "reason", decision->reasons[i]);
        json_append(reasons, reason);
    }
    return reasons;
}

static struct json *json_facts(const struct policy_decision *decision) {
    struct json *facts = json_array_new();
    for (size_t i = 0; i < decision->fact_count; i++) {
        const struct policy_fact *fact = &decision->facts[i];
        struct json *object = json_object_new();
        json_set_text(object, "field", policy_field_text(fact->field));
        policy_json_text(object, "rule", decision->deciders[fact->decider].name);
        if (fact->value != nullptr) {
            policy_json_text(object, "value", fact->value);
        } else {
            json_set_integer(object, "value", (int64_t)fact->number);
        }
        if (fact->pattern != nullptr) {
            policy_json_text(object, "pattern", fact->pattern);
        }
        json_append(facts, object);
    }
    return facts;
}

static struct json *json_obligations(const struct policy_decision *decision) {
    static const char *const WHO[] = {"terminal", "ui", "client"};
    const struct policy_obligations *asks = &decision->obligations;
    struct json *object = json_object_new();
    if (asks->template_name != nullptr) {
        json_set_text(object, "sandbox", asks->template_name);
    }
    if (asks->file_bytes_max != UINT64_MAX) {
        json_set_integer(object, "max_file_size", (int64_t)asks->file_bytes_max);
    }
    if (asks->total_bytes_max != UINT64_MAX) {
        json_set_integer(object, "max_total_size", (int64_t)asks->total_bytes_max);
    }
    if (asks->files_max != UINT32_MAX) {
        json_set_integer(object, "max_files", asks->files_max);
    }
    if (decision->outcome == POLICY_REVIEW) {
        json_set_integer(object, "reviewers", asks->reviewers_min);
        json_set_text(object, "reviewer", WHO[asks->reviewer]);
    }
    return object;
}

static void print_json(struct explanation *explanation, char **operands) {
    static const char *const KINDS[] = {"exists", "parent exists", "text"};
    const struct policy_decision *decision = &explanation->decision;
    struct json *object = json_object_new();
    policy_json_text(object, "operation", operands[0]);
    policy_json_text(object, "workspace", explanation->session.workspace);
    if (explanation->has_path) {
        policy_json_text(object, "given", operands[1]);
        policy_json_text(object, "path", explanation->target.path);
        json_set_text(object, "resolved_by", KINDS[explanation->target.kind]);
    }
    json_set_text(object, "outcome", policy_outcome_text(decision->outcome));
    policy_json_rule(object, &decision->deciders[0]);
    json_set(object, "reasons", json_reasons(decision));
    json_set(object, "facts", json_facts(decision));
    if (decision->outcome != POLICY_DENY) {
        json_set(object, "asks", json_obligations(decision));
    }
    json_set(object, "rules", TAKE(explanation->rules));
    policy_print_json(object);
}

static status_t read_numbers(const struct policy_options *options, struct policy_request *request,
                             struct error *err) {
    uint64_t low;
    uint64_t high;
    if (options->port != nullptr) {
        if (units_parse_range(slice_of_string(options->port), &low, &high) != UNITS_OK ||
            low != high || low > UINT16_MAX) {
            return error_set(err, ERROR_USAGE, 0, "--port takes a number up to 65535");
        }
        request->port = (uint16_t)low;
        request->has_port = true;
    }
    if (options->size != nullptr) {
        enum units_result result =
            units_parse_bytes(slice_of_string(options->size), &request->size);
        if (result != UNITS_OK) {
            return error_set(err, ERROR_USAGE, 0, "--size %s", units_result_text(result));
        }
        request->has_size = true;
    }
    return STATUS_OK;
}

static size_t count_texts(const char *const *texts) {
    size_t count = 0;
    while (texts != nullptr && texts[count] != nullptr) {
        count++;
    }
    return count;
}

static status_t make_request(struct explanation *explanation, char **operands, struct error *err) {
    const struct policy_options *options = explanation->options;
    struct policy_request *request = &explanation->request;
    struct clock clock = clock_system();
    bool is_cli = options->transport == nullptr || strcmp(options->transport, "cli") == 0;
    (void)snprintf(explanation->caller, sizeof explanation->caller, "uid:%u", (unsigned)geteuid());
    *request = (struct policy_request){
        .operation = operands[0],
        .caller = options->caller != nullptr ? options->caller : explanation->caller,
        .workspace = explanation->session.workspace,
        .template_name = options->template_name,
        .template_open = options->template_name == nullptr,
        .at_command_line = is_cli,
        .transport = options->transport != nullptr ? options->transport : "cli",
        .caller_tags = options->tags,
        .caller_tag_count = count_texts(options->tags),
        .host = options->host,
        .method = options->method,
        .now_ms = clock_wall_ms(&clock),
    };
    if (options->template_name == nullptr && strcmp(operands[0], "run.exec") == 0) {
        request->template_name = "code-executor"; /* as airlock run without --template */
    }
    TRY(read_numbers(options, request, err));
    if (operands[1] == nullptr) {
        return STATUS_OK;
    }
    bool follow = strcmp(operands[0], "stage.apply") != 0;
    TRY(policy_target_resolve(explanation->session.workspace, operands[1], follow,
                              &explanation->target, err));
    explanation->has_path = true;
    request->path = explanation->target.path;
    request->mode = explanation->target.mode;
    request->link_target = explanation->target.link[0] != '\0' ? explanation->target.link : nullptr;
    return STATUS_OK;
}

static status_t explain(struct explanation *explanation, char **operands, struct error *err) {
    TRY(make_request(explanation, operands, err));
    policy_explain(&explanation->session.policy.engine, &explanation->request, measure_rule,
                   explanation, &explanation->decision);
    if (explanation->cli->json) {
        print_json(explanation, operands);
    } else {
        print_text(explanation, operands);
    }
    return STATUS_OK;
}

status_t policy_command_explain(const struct cli *cli, const struct policy_options *options,
                                char **operands, [[maybe_unused]] int *ret_exit,
                                struct error *err) {
    CLEANUP(memory_freep) struct explanation *explanation = calloc(1, sizeof *explanation);
    if (explanation == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot explain");
    }
    explanation->cli = cli;
    explanation->options = options;
    TRY(policy_session_open(options, options->policy, &explanation->session, err));
    explanation->rules = json_array_new();
    builder_init(&explanation->text, (size_t)8 * LIMIT_PATH_BYTES);
    status_t status = explain(explanation, operands, err);
    builder_deinit(&explanation->text);
    json_free(explanation->rules);
    policy_session_close(&explanation->session);
    return status;
}
