/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/options.h"

#include <stdio.h>
#include <string.h>

#include "codec/nearest.h"

enum { ROWS_MAX = 16 };

static void print_help(const struct verb *verb) {
    (void)printf("airlock enclave %s: %s\n\nusage: airlock enclave %s [OPTION...]%s%s\n",
                 verb->name, verb->summary, verb->name, verb->operands[0] == '\0' ? "" : " ",
                 verb->operands);
    for (size_t i = 0; i < verb->row_count; i++) {
        const struct option_row *row = &verb->rows[i];
        char left[48];
        char letter[8] = "    ";
        if (row->letter != '\0') {
            (void)snprintf(letter, sizeof letter, "-%c, ", row->letter);
        }
        (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, row->name,
                       row->value_name == nullptr ? "" : " ",
                       row->value_name == nullptr ? "" : row->value_name);
        (void)printf("%s  %-26s %s\n", i == 0 ? "\noptions:\n" : "", left, row->help);
    }
}

static const struct option_row *find(const struct verb *verb, const char *word, size_t size) {
    for (size_t i = 0; i < verb->row_count; i++) {
        const struct option_row *row = &verb->rows[i];
        bool is_letter = size == 2 && word[1] == row->letter && row->letter != '\0';
        bool is_name = size > 2 && strlen(row->name) == size - 2 && word[1] == '-' &&
                       memcmp(row->name, word + 2, size - 2) == 0;
        if (is_letter || is_name) {
            return row;
        }
    }
    return nullptr;
}

static status_t store(const struct option_row *row, const char *value, struct error *err) {
    if (row->ret_list != nullptr) {
        if (row->ret_list->count == OPTION_LIST_MAX) {
            return error_set(err, ERROR_USAGE, 0, "more than %d times --%s", OPTION_LIST_MAX,
                             row->name);
        }
        row->ret_list->values[row->ret_list->count++] = value;
    } else if (*row->ret_text != nullptr) {
        return error_set(err, ERROR_USAGE, 0, "--%s stands twice", row->name);
    } else {
        *row->ret_text = value;
    }
    return STATUS_OK;
}

static status_t refuse(const struct verb *verb, const char *word, size_t size, struct error *err) {
    const char *names[ROWS_MAX];
    char name[64] = "";
    size_t count = verb->row_count < ROWS_MAX ? verb->row_count : ROWS_MAX;
    for (size_t i = 0; i < count; i++) {
        names[i] = verb->rows[i].name;
    }
    if (size > 2 && size < sizeof name) {
        (void)snprintf(name, sizeof name, "%.*s", (int)size - 2, word + 2);
    }
    const char *nearest = name[0] != '\0' ? text_nearest(name, names, count) : nullptr;
    (void)error_set(err, ERROR_USAGE, 0, "there is no option %.*s", (int)size, word);
    if (nearest != nullptr) {
        error_hint(err, "Did you mean: --%s", nearest);
    } else {
        error_hint(err, "See: airlock enclave %s --help", verb->name);
    }
    return (status_t){ERROR_USAGE};
}

/* One option and its value; *at moves past what was taken. */
static status_t take(const struct verb *verb, int argc, char **argv, int *at, struct error *err) {
    const char *word = argv[*at];
    const char *equals = word[1] == '-' ? strchr(word, '=') : nullptr;
    size_t size = equals == nullptr ? strlen(word) : (size_t)(equals - word);
    const struct option_row *row = find(verb, word, size);
    if (row == nullptr) {
        return refuse(verb, word, size, err);
    }
    if (row->ret_flag != nullptr) {
        *row->ret_flag = true;
        return equals == nullptr ? STATUS_OK
                                 : error_set(err, ERROR_USAGE, 0, "--%s takes no value", row->name);
    }
    if (equals == nullptr && *at + 1 >= argc) {
        return error_set(err, ERROR_USAGE, 0, "--%s takes a value", row->name);
    }
    return store(row, equals != nullptr ? equals + 1 : argv[++*at], err);
}

status_t options_parse(const struct verb *verb, int argc, char **argv,
                       struct operands *ret_operands, bool *ret_help, struct error *err) {
    *ret_operands = (struct operands){};
    *ret_help = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help(verb);
            *ret_help = true;
            return STATUS_OK;
        }
        if (argv[i][0] == '-' && argv[i][1] != '\0') {
            TRY(take(verb, argc, argv, &i, err));
        } else if (ret_operands->count == verb->operand_count_max) {
            return error_set(err, ERROR_USAGE, 0, "there is one operand too many: '%s'", argv[i]);
        } else {
            ret_operands->values[ret_operands->count++] = argv[i];
        }
    }
    return STATUS_OK;
}
