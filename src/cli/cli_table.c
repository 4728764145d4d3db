/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/assert.h"
#include "cli/cli_internal.h"

static const struct cli_command_row rows[] = {
#define COMMAND(name, function, arguments, summary) {name, function, arguments, summary},
#include "commands.def"
#undef COMMAND
};

enum { NAME_LENGTH_MAX = 32 };

size_t cli_command_count(void) {
    return sizeof rows / sizeof rows[0];
}

const struct cli_command_row *cli_command_at(size_t index) {
    ASSERT(index < cli_command_count());
    return &rows[index];
}

const struct cli_command_row *cli_command_find(const char *name) {
    for (size_t i = 0; i < cli_command_count(); i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return nullptr;
}

static unsigned smallest(unsigned a, unsigned b, unsigned c) {
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein distance with one row of memory; both names are at most NAME_LENGTH_MAX long. */
static unsigned name_distance(const char *a, const char *b) {
    size_t length = strlen(b);
    unsigned row[NAME_LENGTH_MAX + 1];
    for (size_t j = 0; j <= length; j++) {
        row[j] = (unsigned)j;
    }
    for (size_t i = 0; a[i] != '\0'; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i + 1;
        for (size_t j = 0; j < length; j++) {
            unsigned above = row[j + 1];
            row[j + 1] = smallest(above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[length];
}

const struct cli_command_row *cli_command_nearest(const char *name) {
    if (strlen(name) > NAME_LENGTH_MAX) {
        return nullptr;
    }
    const struct cli_command_row *best = nullptr;
    unsigned best_distance = 3; /* further away is another word, not a slip */
    for (size_t i = 0; i < cli_command_count(); i++) {
        unsigned distance = name_distance(name, rows[i].name);
        if (distance < best_distance) {
            best_distance = distance;
            best = &rows[i];
        }
    }
    return best;
}
