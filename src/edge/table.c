/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/table.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COLUMNS_MAX = 8, GAP = 2 };

struct table {
    struct slice rows;
    size_t widths[COLUMNS_MAX]; /* of the last column too */
    struct slice heads[COLUMNS_MAX];
};

/* Characters, not bytes. */
static size_t width_of(struct slice cell) {
    size_t width = 0;
    for (size_t i = 0; i < cell.size; i++) {
        width += (cell.data[i] & 0xc0) != 0x80;
    }
    return width;
}

/* The next cell; *ret_is_last says whether its row ends with it. */
static struct slice next_cell(struct slice rows, size_t *offset, bool *ret_is_last) {
    size_t start = *offset, end = start;
    while (end < rows.size && rows.data[end] != '\t' && rows.data[end] != '\n') {
        end++;
    }
    *ret_is_last = end == rows.size || rows.data[end] == '\n';
    *offset = end + 1;
    return slice_of(rows.data + start, end - start);
}

static struct table measure(struct slice rows) {
    struct table table = {.rows = rows};
    size_t column = 0;
    bool is_last = false, is_head = true;
    for (size_t offset = 0; offset < rows.size; column = is_last ? 0 : column + 1) {
        struct slice cell = next_cell(rows, &offset, &is_last);
        if (column < COLUMNS_MAX) {
            size_t width = width_of(cell);
            table.widths[column] = width > table.widths[column] ? width : table.widths[column];
            table.heads[column] = is_head ? cell : table.heads[column];
        }
        is_head = is_head && !is_last;
    }
    return table;
}

/* Without a terminal it is as wide as it is: whoever reads it may be a program. */
static bool is_too_wide(const struct table *table) {
    struct winsize size = {};
    size_t width = 0;
    for (size_t i = 0; i < COLUMNS_MAX && table->heads[i].data != nullptr; i++) {
        width += GAP + table->widths[i];
    }
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && width > size.ws_col;
}

static void print_columns(const struct table *table) {
    size_t column = 0;
    bool is_last = false;
    for (size_t offset = 0; offset < table->rows.size; column = is_last ? 0 : column + 1) {
        struct slice cell = next_cell(table->rows, &offset, &is_last);
        size_t width = column < COLUMNS_MAX ? table->widths[column] : 0;
        size_t padding = is_last || width < width_of(cell) ? 0 : width - width_of(cell) + GAP;
        (void)printf("%s%.*s%*s%s", column == 0 ? "  " : "", (int)cell.size,
                     (const char *)cell.data, (int)padding, "", is_last ? "\n" : "");
    }
}

/* A line for each cell, its column's head before it. Cells of a row that goes on are empty. */
static void print_lines(const struct table *table) {
    size_t column = 0, head = 0, row = 0;
    bool is_last = false;
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        head = width_of(table->heads[i]) > head ? width_of(table->heads[i]) : head;
    }
    for (size_t offset = 0; offset < table->rows.size; column = is_last ? 0 : column + 1) {
        struct slice cell = next_cell(table->rows, &offset, &is_last);
        if (row > 0 && cell.size > 0 && column < COLUMNS_MAX) {
            struct slice name = table->heads[column];
            (void)printf("%s  %.*s%*s  %.*s\n", column == 0 && row > 1 ? "\n" : "", (int)name.size,
                         (const char *)name.data, (int)(head - width_of(name)), "", (int)cell.size,
                         (const char *)cell.data);
        }
        row += is_last;
    }
}

void table_print(struct slice rows) {
    const struct table table = measure(rows);
    if (is_too_wide(&table)) {
        print_lines(&table);
    } else {
        print_columns(&table);
    }
}
