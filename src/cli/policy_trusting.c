/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock policy trust: a workspace's own file, looked at by a person before its allows count.
 */
#include <string.h>

#include "base/cleanup.h"
#include "cli/policy_commands.h"
#include "codec/text.h"
#include "kernel/workspace.h"
#include "policy/load.h"

/* "operation: net.connect | host: a.org, b.org", cut when it is long. */
static void add_match(const struct policy_match *match, struct builder *out) {
    for (unsigned field = 0; field < POLICY_FIELD_COUNT; field++) {
        if ((match->present >> field & 1) == 0) {
            continue;
        }
        const struct policy_values *values = &match->fields[field];
        builder_format(out, "%s%s: ", out->size > 0 ? " | " : "",
                       policy_field_text((enum policy_field)field));
        for (size_t i = 0; i < values->count && out->size < 400; i++) {
            builder_text(out, i > 0 ? ", " : "");
            text_escape_short(slice_of_string(values->values[i].text), 200, out);
        }
    }
}

/* What would begin to count: what allows, and the reviews that would begin to grant. */
static size_t show_grants(const struct cli *cli, const struct policy_document *document) {
    size_t count = 0;
    struct builder text;
    builder_init(&text, 4096);
    for (size_t i = 0; i < document->rule_count; i++) {
        const struct policy_rule_source *rule = &document->rules[i];
        bool is_allow = rule->action == POLICY_ACTION_ALLOW;
        if (!is_allow && rule->action != POLICY_ACTION_REVIEW) {
            continue;
        }
        builder_reset(&text);
        add_match(&rule->match, &text);
        (void)fprintf(stderr, "  line %-5u %s%-14s%s  %-24s  %s%s\n", rule->at.line,
                      cli_color(cli->color_err, is_allow ? CLI_GREEN : CLI_YELLOW),
                      is_allow ? "allow" : "require_review", cli_color(cli->color_err, CLI_PLAIN),
                      rule->name, builder_c_string(&text),
                      rule->except_count > 0 ? " | with exceptions" : "");
        count++;
    }
    builder_deinit(&text);
    return count;
}

/* And the programs that would be started. */
static size_t show_extensions(const struct cli *cli, const struct policy_document *document) {
    struct builder text;
    builder_init(&text, 4096);
    for (size_t i = 0; i < document->extension_count; i++) {
        const struct policy_extension_source *extension = &document->extensions[i];
        builder_reset(&text);
        for (size_t j = 0; extension->command[j] != nullptr; j++) {
            builder_text(&text, j > 0 ? " " : "");
            text_escape_short(slice_of_string(extension->command[j]), 48, &text);
        }
        (void)fprintf(stderr, "  line %-5u %s%-14s%s  %-24s  %s\n", extension->at.line,
                      cli_color(cli->color_err, CLI_YELLOW), "extension",
                      cli_color(cli->color_err, CLI_PLAIN), extension->name,
                      builder_c_string(&text));
    }
    builder_deinit(&text);
    return document->extension_count;
}

static void print_done(const struct cli *cli, const char *workspace, const struct digest *digest) {
    struct builder text;
    builder_init(&text, (size_t)4 * LIMIT_PATH_BYTES + 1);
    if (cli->json) {
        struct json *object = json_object_new();
        json_set_bool(object, "trusted", digest != nullptr);
        policy_json_text(object, "workspace", workspace);
        if (digest != nullptr) {
            text_hex(slice_of(digest->bytes, DIGEST_BYTES), &text);
            json_set_text(object, "digest", builder_c_string(&text));
        }
        policy_print_json(object);
    } else {
        text_escape(slice_of_string(workspace), &text);
        (void)printf("the policy file of %s is %s\n", builder_c_string(&text),
                     digest != nullptr ? "trusted until it changes" : "trusted no longer");
    }
    builder_deinit(&text);
}

static status_t no_file(const char *workspace, struct error *err) {
    (void)error_set(err, ERROR_POLICY_MISSING, 0, "the workspace %.300s has no policy file",
                    workspace);
    error_hint(err, "It would be .airlock/policy.yaml there; another workspace is meant with: "
                    "airlock policy trust WORKSPACE");
    return (status_t){ERROR_POLICY_MISSING};
}

static status_t ask(const struct cli *cli, const struct policy_in_force *policy,
                    struct error *err) {
    struct builder text;
    builder_init(&text, (size_t)4 * LIMIT_PATH_BYTES + 128);
    text_escape(slice_of_string(policy->workspace.path), &text);
    (void)fprintf(stderr, "%s: these rules would begin to count:\n", builder_c_string(&text));
    size_t count = show_grants(cli, policy->workspace.document);
    if (count + show_extensions(cli, policy->workspace.document) == 0) {
        (void)fprintf(stderr, "  none; what it denies counts already\n");
    }
    builder_reset(&text);
    text_hex(slice_of(policy->workspace.digest.bytes, DIGEST_BYTES), &text);
    (void)fprintf(stderr, "trust the file with SHA-256 %s? [y/N] ", builder_c_string(&text));
    (void)fflush(stderr);
    builder_deinit(&text);
    return cli_answer_is_yes() ? STATUS_OK : policy_person_declined("the file is not trusted", err);
}

static status_t trust_loaded(const struct cli *cli, struct kernel *kernel, const char *workspace,
                             const struct policy_in_force *policy, struct error *err) {
    if (policy->workspace.document == nullptr) {
        return no_file(workspace, err);
    }
    struct digest digest = policy->workspace.digest;
    if (policy->trust != POLICY_TRUST_TRUSTED) {
        TRY(policy_person_check("trusting a policy file", err));
        TRY(ask(cli, policy, err));
        TRY(policy_files_trust(kernel, workspace, &digest, err));
    }
    print_done(cli, workspace, &digest);
    return STATUS_OK;
}

/* Reads the file without kernel_policy(), which starts the extensions that nobody trusts yet. */
static status_t trust(const struct cli *cli, struct kernel *kernel, const char *workspace,
                      struct error *err) {
    struct policy_in_force policy;
    TRY(policy_files_load(&kernel->state, workspace, &policy, err));
    status_t status = trust_loaded(cli, kernel, workspace, &policy, err);
    policy_in_force_deinit(&policy);
    return status;
}

/* Taking trust away only restricts, so nobody is asked. */
static status_t drop(const struct cli *cli, struct kernel *kernel, const char *workspace,
                     struct error *err) {
    TRY(policy_files_trust(kernel, workspace, nullptr, err));
    print_done(cli, workspace, nullptr);
    return STATUS_OK;
}

status_t policy_command_trust(const struct cli *cli, const struct policy_options *options,
                              char **operands, [[maybe_unused]] int *ret_exit, struct error *err) {
    char workspace[LIMIT_PATH_BYTES];
    struct kernel kernel;
    TRY(workspace_find(operands[0] != nullptr ? operands[0] : options->workspace, workspace, err));
    TRY(kernel_open(&kernel, err));
    status_t status =
        options->drop ? drop(cli, &kernel, workspace, err) : trust(cli, &kernel, workspace, err);
    kernel_close(&kernel);
    return status;
}
