/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock policy explain: what would be decided about a request, by which rule of which file and
 * line, and what every rule about that operation made of it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/explain_view.h"
#include "codec/units.h"

static void measure_rule(void *context, const struct policy_trace *trace) {
    struct explanation *explanation = context;
    size_t width = strlen(trace->rule.name);
    explanation->rule_count++;
    explanation->name_width = width > explanation->name_width ? width : explanation->name_width;
    if (explanation->cli->json) {
        explain_add_json_rule(explanation, trace);
    }
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
        .networks = options->networks,
        .network_count = count_texts(options->networks),
        .engine = options->engine,
        .image = options->image,
        .host = options->host,
        .method = options->method,
        .now_ms = clock_wall_ms(&clock),
    };
    if (options->template_name == nullptr && strcmp(operands[0], "run.exec") == 0) {
        request->template_name = "code-executor"; /* as airlock run without --template */
    }
    if (options->engine == nullptr && strcmp(operands[0], "run.exec") == 0) {
        request->engine = "native";
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
        explain_print_json(explanation, operands);
    } else {
        explain_print_text(explanation, operands);
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
