/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "cli/cli_internal.h"
#include "codec/text.h"

struct parser {
    struct cli *cli;
    const struct cli_option *options;
    size_t option_count;
    int argc;
    char **argv;
    int next;     /* index of the argument to look at */
    int operands; /* found so far; they are moved to argv[1..operands] */
    bool help;
    struct error *err;
};

static status_t usage_error(struct parser *parser, const char *what, const char *argument) {
    struct builder text;
    builder_init(&text, ERROR_MESSAGE_BYTES_MAX);
    text_escape(slice_of_string(argument), &text);
    (void)error_set(parser->err, ERROR_USAGE, 0, "%s: %s", what, builder_c_string(&text));
    builder_deinit(&text);
    error_hint(parser->err, "See the options with: airlock %s --help", parser->argv[0]);
    return (status_t){ERROR_USAGE};
}

static void print_option(const struct cli_option *option) {
    char left[64];
    char letter[8] = "    ";
    if (option->letter != 0) {
        (void)snprintf(letter, sizeof letter, "-%c, ", option->letter);
    }
    (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name,
                   option->argument != nullptr ? " " : "",
                   option->argument != nullptr ? option->argument : "");
    (void)printf("  %-26s %s\n", left, option->help);
}

static void print_help(const struct parser *parser, const char *examples) {
    const struct cli_command_row *row = cli_command_find(parser->argv[0]);
    ASSERT(row != nullptr);
    (void)printf("airlock %s: %s\n\nusage: airlock %s %s\n\noptions:\n", row->name, row->summary,
                 row->name, row->arguments);
    for (size_t i = 0; i < parser->option_count; i++) {
        print_option(&parser->options[i]);
    }
    (void)printf("      --json                 answer as JSON\n"
                 "      --help                 show this text\n");
    if (examples != nullptr && examples[0] != '\0') {
        (void)printf("\nexamples:\n%s", examples);
    }
}

static void list_append(const char ***list, const char *value) {
    size_t count = 0;
    while (*list != nullptr && (*list)[count] != nullptr) {
        count++;
    }
    const char **grown = reallocarray(*list, count + 2, sizeof *grown);
    if (grown == nullptr) {
        abort();
    }
    grown[count] = value;
    grown[count + 1] = nullptr;
    *list = grown;
}

static void option_set(const struct cli_option *option, const char *value) {
    if (option->flag != nullptr) {
        *option->flag = true;
    } else if (option->list != nullptr) {
        list_append(option->list, value);
    } else {
        *option->value = value;
    }
}

static status_t parse_long(struct parser *parser, const char *argument) {
    const char *name = argument + 2;
    size_t length = strcspn(name, "=");
    const char *inline_value = name[length] == '=' ? name + length + 1 : nullptr;
    if (inline_value == nullptr && strcmp(name, "json") == 0) {
        parser->cli->json = true;
        return STATUS_OK;
    }
    if (inline_value == nullptr && strcmp(name, "help") == 0) {
        parser->help = true;
        return STATUS_OK;
    }
    for (size_t i = 0; i < parser->option_count; i++) {
        const struct cli_option *option = &parser->options[i];
        if (strlen(option->name) != length || memcmp(option->name, name, length) != 0) {
            continue;
        }
        if (option->flag != nullptr && inline_value != nullptr) {
            return usage_error(parser, "this option takes no value", argument);
        }
        if (option->flag == nullptr && inline_value == nullptr) {
            if (parser->next == parser->argc) {
                return usage_error(parser, "this option needs a value", argument);
            }
            inline_value = parser->argv[parser->next++];
        }
        option_set(option, inline_value);
        return STATUS_OK;
    }
    return usage_error(parser, "there is no such option", argument);
}

static status_t parse_short(struct parser *parser, const char *argument) {
    for (const char *letter = argument + 1; *letter != '\0'; letter++) {
        if (*letter == 'h') {
            parser->help = true;
            continue;
        }
        const struct cli_option *found = nullptr;
        for (size_t i = 0; i < parser->option_count; i++) {
            found = parser->options[i].letter == *letter ? &parser->options[i] : found;
        }
        if (found == nullptr) {
            return usage_error(parser, "there is no such option", argument);
        }
        if (found->flag != nullptr) {
            *found->flag = true;
            continue;
        }
        const char *value = letter[1] != '\0' ? letter + 1 : nullptr;
        if (value == nullptr && parser->next == parser->argc) {
            return usage_error(parser, "this option needs a value", argument);
        }
        option_set(found, value != nullptr ? value : parser->argv[parser->next++]);
        return STATUS_OK;
    }
    return STATUS_OK;
}

static status_t parse_all(struct parser *parser, bool stop_at_operand) {
    bool options_end = false;
    while (parser->next < parser->argc) {
        char *argument = parser->argv[parser->next++];
        if (!options_end && strcmp(argument, "--") == 0) {
            options_end = true;
            continue;
        }
        if (options_end || argument[0] != '-' || argument[1] == '\0') {
            parser->argv[++parser->operands] = argument;
            options_end = options_end || stop_at_operand;
            continue;
        }
        TRY(argument[1] == '-' ? parse_long(parser, argument) : parse_short(parser, argument));
    }
    return STATUS_OK;
}

status_t cli_parse(struct cli *cli, int *argc, char **argv, const struct cli_form *form,
                   struct error *err) {
    ASSERT(*argc >= 1 && argv[0] != nullptr);
    struct parser parser = {
        .cli = cli,
        .options = form->options,
        .option_count = form->option_count,
        .argc = *argc,
        .argv = argv,
        .next = 1,
        .err = err,
    };
    TRY(parse_all(&parser, form->stop_at_operand));
    if (parser.help) {
        print_help(&parser, form->examples);
        cli->is_answered = true;
    }
    argv[parser.operands + 1] = nullptr; /* at most the nullptr that ends argv anyway */
    *argc = parser.operands;
    return STATUS_OK;
}
