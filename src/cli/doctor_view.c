/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/doctor_view.h"

#include <string.h>

#include "base/cleanup.h"
#include "cli/log_view.h"

enum { NAME_COLUMNS = 18, MARK_COLUMNS = 6, TEXT_COLUMNS = 76, JSON_BYTES_MAX = 1048576 };

void doctor_print_heading(const struct cli *cli, const char *text) {
    (void)printf("%s%s%s\n", cli_color(cli->color_out, CLI_BOLD), text,
                 cli_color(cli->color_out, CLI_PLAIN));
}

/* Words up to the width, the rest below them. */
static void print_wrapped(const char *text) {
    size_t column = 0;
    while (*text != '\0') {
        size_t size = strcspn(text, " ");
        if (column > 0 && column + 1 + size > TEXT_COLUMNS) {
            (void)printf("\n");
            column = 0;
        }
        if (column == 0) {
            (void)printf("  %*s", NAME_COLUMNS + MARK_COLUMNS, "");
        }
        column += (size_t)printf("%s%.*s", column > 0 ? " " : "", (int)size, text);
        text += size + strspn(text + size, " ");
    }
    (void)printf("\n");
}

void doctor_print_row(const struct cli *cli, const struct doctor_row *row) {
    (void)printf("  %-*s%s%-*s%s%s\n", NAME_COLUMNS, row->name,
                 cli_color(cli->color_out, row->color), MARK_COLUMNS, row->mark,
                 cli_color(cli->color_out, CLI_PLAIN), row->text);
    if (row->how != nullptr && row->how[0] != '\0') {
        (void)printf("%s", cli_color(cli->color_out, CLI_DIM));
        print_wrapped(row->how);
        (void)printf("%s", cli_color(cli->color_out, CLI_PLAIN));
    }
}

void doctor_print_detail(struct slice text) {
    (void)printf("  %*s%.*s\n", NAME_COLUMNS + MARK_COLUMNS, "", (int)text.size,
                 (const char *)text.data);
}

void doctor_print_json(const struct json *value) {
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, JSON_BYTES_MAX);
    json_write_pretty(value, &text);
    log_print(&text);
}
