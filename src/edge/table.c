/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/table.h"

#include <stdio.h>

enum { COLUMNS_MAX = 8 };

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

void table_print(struct slice rows) {
    size_t widths[COLUMNS_MAX] = {}, column = 0;
    bool is_last = false;
    for (size_t offset = 0; offset < rows.size; column = is_last ? 0 : column + 1) {
        size_t width = width_of(next_cell(rows, &offset, &is_last));
        if (!is_last && column < COLUMNS_MAX && width > widths[column]) {
            widths[column] = width;
        }
    }
    column = 0;
    for (size_t offset = 0; offset < rows.size; column = is_last ? 0 : column + 1) {
        struct slice cell = next_cell(rows, &offset, &is_last);
        size_t width = column < COLUMNS_MAX ? widths[column] : 0;
        size_t padding = is_last || width < width_of(cell) ? 0 : width - width_of(cell) + 2;
        (void)printf("%s%.*s%*s%s", column == 0 ? "  " : "", (int)cell.size,
                     (const char *)cell.data, (int)padding, "", is_last ? "\n" : "");
    }
}
