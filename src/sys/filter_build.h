/* SPDX-License-Identifier: Apache-2.0
 *
 * For the generators that compile seccomp filters while Airlock is built; no program of the product
 * links it. Each generator brings its table and what its actions mean.
 *
 * Form of a filter: check the architecture, load the number, then a binary tree over ranges of
 * numbers that share one action. The kernel emulates a filter once for every system call when it
 * is installed, so that a linear list of a few hundred comparisons costs more than the rest of a
 * sandbox; the tree needs about eight. Numbers at and above 0x40000000 (x32) have one action.
 *
 * Arguments are compared in their low 32 bits, because that is what the kernel reads of those
 * tested here: a filter that compared all 64 would be passed by setting a high bit.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>

enum { FILTER_NUMBER_COUNT = 1024, FILTER_LINE_COUNT_MAX = 4096 };

struct filter_code {
    struct sock_filter line[FILTER_LINE_COUNT_MAX];
    unsigned count;
};

/* Appends one line; a filter that does not fit ends the generator. */
void filter_emit(struct filter_code *code, unsigned operation, unsigned jump_true,
                 unsigned jump_false, unsigned k);
void filter_emit_return(struct filter_code *code, unsigned value);
/* Loads the low half of an argument. */
void filter_emit_load(struct filter_code *code, unsigned argument);

/* Appends what one action means; ends in a return on every way. */
typedef void filter_emit_action(struct filter_code *code, unsigned action);
/* The whole filter: actions[n] for system call n, `rest` for all numbers past the table. */
void filter_build(struct filter_code *code, const unsigned actions[static FILTER_NUMBER_COUNT],
                  unsigned rest, filter_emit_action *emit);
/* As the C array filter_<name>. */
void filter_print(FILE *out, const char *name, const struct filter_code *code);
