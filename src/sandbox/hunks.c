/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/hunks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/patch.h"

enum { CONTEXT_LINES = 3 };

void hunk_set_deinit(struct hunk_set *set) {
    diff_lines_deinit(&set->before);
    diff_lines_deinit(&set->after);
    free(set->blocks);
    *set = (struct hunk_set){0};
}

/* The next block at or behind line `a` of the old side and `b` of the new one; false: none. */
static bool next_block(const struct hunk_set *set, size_t *a, size_t *b, struct hunk_block *ret) {
    const struct diff_lines *before = &set->before;
    const struct diff_lines *after = &set->after;
    while (*a < before->count && *b < after->count && !before->changed[*a] && !after->changed[*b]) {
        (*a)++;
        (*b)++;
    }
    struct hunk_block block = {.old_start = *a, .new_start = *b};
    while (*a < before->count && before->changed[*a]) {
        (*a)++;
    }
    while (*b < after->count && after->changed[*b]) {
        (*b)++;
    }
    block.old_end = *a;
    block.new_end = *b;
    *ret = block;
    return block.old_end > block.old_start || block.new_end > block.new_start;
}

static status_t find_blocks(struct hunk_set *set, struct error *err) {
    size_t capacity = 0;
    size_t a = 0;
    size_t b = 0;
    struct hunk_block block;
    while (next_block(set, &a, &b, &block)) {
        if (set->count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            struct hunk_block *blocks = reallocarray(set->blocks, capacity, sizeof *blocks);
            if (blocks == nullptr) {
                return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot compare two files");
            }
            set->blocks = blocks;
        }
        set->blocks[set->count++] = block;
    }
    return STATUS_OK;
}

static status_t compare(struct slice before, struct slice after, struct hunk_set *set,
                        bool *ret_fits, struct error *err) {
    bool old_fits = true;
    bool new_fits = true;
    TRY(diff_lines_split(before, &set->before, &old_fits, err));
    TRY(diff_lines_split(after, &set->after, &new_fits, err));
    *ret_fits = old_fits && new_fits;
    if (!*ret_fits) {
        return STATUS_OK;
    }
    TRY(diff_lines_compare(&set->before, &set->after, err));
    return find_blocks(set, err);
}

status_t hunk_set_make(struct slice before, struct slice after, struct hunk_set *ret,
                       bool *ret_fits, struct error *err) {
    struct hunk_set set = {0};
    status_t status = compare(before, after, &set, ret_fits, err);
    if (!status_is_ok(status) || !*ret_fits) {
        hunk_set_deinit(&set);
        return status;
    }
    *ret = set;
    return STATUS_OK;
}

size_t hunk_set_group(const struct hunk_set *set, size_t first) {
    size_t count = 1;
    while (first + count < set->count &&
           set->blocks[first + count].old_start - set->blocks[first + count - 1].old_end <=
               (size_t)2 * CONTEXT_LINES) {
        count++;
    }
    return count;
}

void hunk_set_print(const struct hunk_set *set, size_t first, size_t count, bool color,
                    struct builder *out) {
    const struct hunk_block *start = &set->blocks[first];
    const struct hunk_block *end = &set->blocks[first + count - 1];
    /* Context may reach into a neighbour that is not shown: those lines are not context. */
    size_t room = first > 0 ? start->old_start - set->blocks[first - 1].old_end : start->old_start;
    size_t head = room < CONTEXT_LINES ? room : CONTEXT_LINES;
    room = first + count < set->count ? set->blocks[first + count].old_start - end->old_end
                                      : set->before.count - end->old_end;
    size_t tail = room < CONTEXT_LINES ? room : CONTEXT_LINES;
    struct diff_hunk hunk = {
        .a_start = start->old_start - head,
        .a_end = end->old_end + tail,
        .b_start = start->new_start - head,
        .b_end = end->new_end + tail,
    };
    diff_lines_hunk(&set->before, &set->after, &hunk, color, out);
}

void hunk_set_content(const struct hunk_set *set, const uint8_t *chosen, struct builder *out) {
    size_t line = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct hunk_block *block = &set->blocks[i];
        for (; line < block->old_start; line++) {
            builder_bytes(out, set->before.lines[line]);
        }
        for (size_t b = block->new_start; chosen[i] && b < block->new_end; b++) {
            builder_bytes(out, set->after.lines[b]);
        }
        line = chosen[i] ? block->old_end : line;
    }
    for (; line < set->before.count; line++) {
        builder_bytes(out, set->before.lines[line]);
    }
}

/* Choosing by a patch. */

struct chooser {
    const struct hunk_set *set;
    const struct patch_file *file;
    uint8_t *chosen;
    size_t line;  /* of the old side */
    size_t block; /* the next one that may come */
    struct error *err;
};

static status_t no_subset(const struct chooser *chooser, const char *what) {
    CLEANUP(builder_deinit) struct builder name;
    builder_init(&name, (size_t)LIMIT_PATH_BYTES * 4);
    text_escape(slice_of_string(patch_file_path(chooser->file)), &name);
    return error_set(chooser->err, ERROR_PATCH_NO_SUBSET, 0, "%.200s: line %zu %s",
                     builder_c_string(&name), chooser->line + 1, what);
}

/* One line of context: it must stand there, and not be inside of a block that is taken. */
static status_t choose_context(struct chooser *chooser, struct slice text) {
    const struct diff_lines *before = &chooser->set->before;
    if (chooser->line >= before->count || !slice_equal(before->lines[chooser->line], text)) {
        return no_subset(chooser, "is not what the patch says");
    }
    chooser->line++;
    return STATUS_OK;
}

/* A run of changed lines of the patch, [from, to): it must be one block of ours, whole. */
static status_t choose_run(struct chooser *chooser, const struct patch_line *lines, size_t count) {
    const struct hunk_set *set = chooser->set;
    while (chooser->block < set->count && (set->blocks[chooser->block].old_start < chooser->line)) {
        chooser->block++;
    }
    if (chooser->block == set->count || set->blocks[chooser->block].old_start != chooser->line) {
        return no_subset(chooser, "begins a change that the stage does not make there");
    }
    const struct hunk_block *block = &set->blocks[chooser->block];
    size_t a = block->old_start;
    size_t b = block->new_start;
    for (size_t i = 0; i < count; i++) {
        bool old = lines[i].mark == '-';
        bool ok = old ? a < block->old_end && slice_equal(set->before.lines[a], lines[i].text)
                      : b < block->new_end && slice_equal(set->after.lines[b], lines[i].text);
        if (!ok) {
            return no_subset(chooser, "is changed in another way than the stage changes it");
        }
        a += old;
        b += !old;
    }
    if (a != block->old_end || b != block->new_end) {
        return no_subset(chooser, "begins a change that the stage makes larger");
    }
    chooser->chosen[chooser->block++] = 1;
    chooser->line = block->old_end;
    return STATUS_OK;
}

static status_t choose_hunk(struct chooser *chooser, const struct patch *patch,
                            const struct patch_hunk *hunk) {
    const struct patch_line *lines = &patch->lines[hunk->first_line];
    chooser->line = hunk->old_start;
    for (size_t i = 0; i < hunk->line_count;) {
        size_t run = 0;
        while (i + run < hunk->line_count && lines[i + run].mark != ' ') {
            run++;
        }
        TRY(run > 0 ? choose_run(chooser, lines + i, run) : choose_context(chooser, lines[i].text));
        i += run > 0 ? run : 1;
    }
    return STATUS_OK;
}

status_t hunk_set_choose(const struct hunk_set *set, const struct patch *patch,
                         const struct patch_file *file, uint8_t *chosen, struct error *err) {
    struct chooser chooser = {.set = set, .file = file, .chosen = chosen, .err = err};
    for (size_t i = 0; i < file->hunk_count; i++) {
        TRY(choose_hunk(&chooser, patch, &patch->hunks[file->first_hunk + i]));
    }
    return STATUS_OK;
}
