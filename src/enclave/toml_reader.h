/* SPDX-License-Identifier: Apache-2.0
 *
 * The letters of TOML: blanks, keys, texts, numbers. toml.c builds the tree of them. Inside enclave
 * only. Everything answers false after the first fault, which keeps its place.
 */
#pragma once

#include "base/arena.h"
#include "enclave/toml.h"

struct toml_reader {
    const char *text;
    size_t size, at;
    size_t line_start;
    uint32_t line;
    struct arena *arena;
    struct toml_fault *fault;
    bool failed;
};

/* Notes the fault at the place reached, once; always false. */
[[gnu::format(printf, 2, 3)]]
bool toml_fail(struct toml_reader *reader, const char *format, ...);
uint32_t toml_column(const struct toml_reader *reader);
/* The byte at the place reached, 0 at the end. */
char toml_peek(const struct toml_reader *reader);
/* Takes the byte if it is this one. */
bool toml_take(struct toml_reader *reader, char byte);
void toml_skip_blanks(struct toml_reader *reader);
/* Blanks, comments and line ends. */
bool toml_skip_lines(struct toml_reader *reader);
/* Blanks and a comment, then a line end or the end. */
bool toml_end_line(struct toml_reader *reader);
/* One part of a key: bare or in quotes. */
bool toml_read_key(struct toml_reader *reader, const char **ret_key);
/* "..." or '...' on one line. */
bool toml_read_text(struct toml_reader *reader, const char **ret_text);
/* A whole number, true or false. */
bool toml_read_word(struct toml_reader *reader, struct toml_value *ret_value);
