/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "cli/cli_internal.h"
#include "codec/json.h"
#include "codec/text.h"

static void print_json(struct json *consumed) {
    CLEANUP(json_freep) struct json *value = consumed;
    struct builder text;
    builder_init(&text, (size_t)256 * 1024);
    json_write_pretty(value, &text);
    (void)fputs(builder_c_string(&text), stdout);
    builder_deinit(&text);
}

static int wider(int a, int b) {
    return a > b ? a : b;
}

static void explain_limits(const struct cli *cli) {
    if (cli->json) {
        struct json *all = json_array_new();
        for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
            const struct limit_row *row = limit_row((enum limit_id)id);
            struct json *object = json_object_new();
            json_set_text(object, "name", row->name);
            json_set_integer(object, "value", row->value);
            json_set_text(object, "unit", row->unit);
            json_set_text(object, "reason", row->reason);
            json_append(all, object);
        }
        print_json(all);
        return;
    }
    int names = 0, values = 0, units = 0;
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        const struct limit_row *row = limit_row((enum limit_id)id);
        names = wider(names, (int)strlen(row->name));
        values = wider(values, snprintf(nullptr, 0, "%" PRId64, row->value));
        units = wider(units, (int)strlen(row->unit));
    }
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        const struct limit_row *row = limit_row((enum limit_id)id);
        (void)printf("%-*s  %*" PRId64 " %-*s  %s\n", names, row->name, values, row->value, units,
                     row->unit, row->reason);
    }
}

static void explain_error(const struct cli *cli, enum error_code code) {
    if (cli->json) {
        struct json *object = json_object_new();
        json_set_text(object, "slug", error_slug(code));
        json_set_text(object, "meaning", error_meaning(code));
        json_set_text(object, "hint", error_default_hint(code));
        json_set_integer(object, "exit_status", error_exit_status(code));
        print_json(object);
        return;
    }
    const char *hint = error_default_hint(code);
    (void)printf("%s%s%s: %s\n", cli_color(cli->color_out, CLI_BOLD), error_slug(code),
                 cli_color(cli->color_out, CLI_PLAIN), error_meaning(code));
    (void)printf("  fix:  %s\n",
                 hint[0] != '\0' ? hint : "It depends on the place; the message itself says it.");
    (void)printf("  exit: %d (airlock run: 125)\n", error_exit_status(code));
}

static void list_errors(void) {
    for (unsigned code = ERROR_NONE + 1; code < ERROR_CODE_COUNT; code++) {
        (void)printf("%-22s %3d  %s\n", error_slug((enum error_code)code),
                     error_exit_status((enum error_code)code),
                     error_meaning((enum error_code)code));
    }
}

int cli_explain(struct cli *cli, int argc, char **argv) {
    static const char examples[] = "  airlock explain sandbox.userns-denied\n"
                                   "  airlock explain limit\n"
                                   "  airlock explain              (lists every error)\n";
    struct error err;
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &(struct cli_form){.examples = examples}, &exit_status)) {
        return exit_status;
    }
    if (argc == 0) {
        list_errors();
        return 0;
    }
    if (argc > 1) {
        (void)error_set(&err, ERROR_USAGE, 0, "explain takes one slug");
        return cli_error(cli, &err);
    }
    /* "limit" is an error's slug too; the table answers both. */
    enum error_code code = error_find_slug(argv[1]);
    if (strcmp(argv[1], "limit") == 0 || strcmp(argv[1], "limits") == 0) {
        explain_limits(cli);
        return 0;
    }
    if (code == ERROR_NONE) {
        (void)error_set(&err, ERROR_USAGE, 0, "no error has this slug");
        error_hint(&err, "List them with: airlock explain");
        return cli_error(cli, &err);
    }
    explain_error(cli, code);
    return 0;
}
