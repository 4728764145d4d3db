/* SPDX-License-Identifier: Apache-2.0 */
#include <stdckdint.h>
#include <string.h>

#include "sandbox/patch_parser.h"

static bool read_number(struct slice text, size_t *at, size_t *ret) {
    size_t start = *at;
    size_t value = 0;
    while (*at < text.size && text.data[*at] >= '0' && text.data[*at] <= '9') {
        if (ckd_mul(&value, value, 10) || ckd_add(&value, value, text.data[*at] - '0')) {
            return false;
        }
        (*at)++;
    }
    *ret = value;
    return *at > start && value <= UINT32_MAX;
}

static bool read_range(struct slice text, size_t *at, char mark, size_t *ret_start,
                       size_t *ret_count) {
    *ret_count = 1;
    if (*at >= text.size || text.data[*at] != (uint8_t)mark) {
        return false;
    }
    (*at)++;
    if (!read_number(text, at, ret_start)) {
        return false;
    }
    if (*at < text.size && text.data[*at] == ',') {
        (*at)++;
        if (!read_number(text, at, ret_count)) {
            return false;
        }
    }
    /* An empty range names the line before it, a full one its first line. */
    if (*ret_count > 0 && *ret_start == 0) {
        return false;
    }
    *ret_start -= *ret_count > 0 ? 1 : 0;
    return true;
}

static bool read_hunk_header(struct slice line, struct patch_hunk *hunk) {
    size_t at = 3;
    bool ok = read_range(line, &at, '-', &hunk->old_start, &hunk->old_count) && at < line.size &&
              line.data[at] == ' ';
    at++;
    return ok && read_range(line, &at, '+', &hunk->new_start, &hunk->new_count) &&
           at + 3 <= line.size && memcmp(line.data + at, " @@", 3) == 0 &&
           (at + 3 == line.size || line.data[at + 3] == ' ');
}

/* "\ No newline at end of file" takes the newline off the line before. */
static status_t take_newline_off(struct patch_parser *parser, struct patch_line *line,
                                 struct error *err) {
    struct slice rest;
    if (!patch_line_has(parser, "\\ ", &rest)) {
        return STATUS_OK;
    }
    if (line->text.size == 0 || line->text.data[line->text.size - 1] != '\n') {
        return patch_malformed(parser, err, "takes a newline off that is not there");
    }
    line->text.size--;
    patch_advance(parser);
    return STATUS_OK;
}

static status_t read_hunk_line(struct patch_parser *parser, size_t *old_left, size_t *new_left,
                               struct error *err) {
    struct patch *patch = parser->patch;
    struct slice line = patch_whole_line(parser);
    char mark = (char)(line.size > 0 ? line.data[0] : '\0');
    if (mark == '\n' || (mark == '\r' && line.size == 2)) {
        return patch_malformed(
            parser, err, "is empty inside a hunk: an empty line of context has a blank in front");
    }
    if (mark != ' ' && mark != '-' && mark != '+') {
        return patch_malformed(parser, err, "ends a hunk before the lines it counts");
    }
    if (line.data[line.size - 1] != '\n') {
        return patch_malformed(parser, err, "has no newline: the patch was cut off");
    }
    if ((mark != '+' && *old_left == 0) || (mark != '-' && *new_left == 0)) {
        return patch_malformed(parser, err, "is one more than its hunk counts");
    }
    TRY(patch_grow((void **)&patch->lines, sizeof *patch->lines, patch->line_count,
                   &patch->line_capacity, err));
    *old_left -= mark != '+';
    *new_left -= mark != '-';
    struct patch_line *added = &patch->lines[patch->line_count++];
    *added = (struct patch_line){mark, slice_of(line.data + 1, line.size - 1)};
    patch_advance(parser);
    return patch_at_end(parser) ? STATUS_OK : take_newline_off(parser, added, err);
}

/* Whether `hunk` begins where the lines before it end up. */
static bool hunk_adds_up(const struct patch_parser *parser, const struct patch_file *file,
                         const struct patch_hunk *hunk) {
    const struct patch *patch = parser->patch;
    size_t old_end = 0;
    size_t new_end = 0;
    if (file->hunk_count > 0) {
        const struct patch_hunk *last = &patch->hunks[file->first_hunk + file->hunk_count - 1];
        old_end = last->old_start + last->old_count;
        new_end = last->new_start + last->new_count;
    }
    if (parser->form == PATCH_PART) {
        return hunk->old_start >= old_end;
    }
    return hunk->old_start >= old_end && hunk->new_start >= new_end &&
           hunk->old_start - old_end == hunk->new_start - new_end;
}

status_t patch_read_hunk(struct patch_parser *parser, struct patch_file *file, struct error *err) {
    struct patch *patch = parser->patch;
    struct patch_hunk hunk = {.first_line = patch->line_count};
    if (!read_hunk_header(patch_line_now(parser), &hunk)) {
        return patch_malformed(parser, err, "begins a hunk and has not the form @@ -l,n +l,n @@");
    }
    if (!hunk_adds_up(parser, file, &hunk)) {
        return patch_malformed(parser, err,
                               "has line numbers that do not add up with the hunks before");
    }
    if (patch->hunk_count == (size_t)LIMIT_PATCH_HUNKS) {
        limit_hit(LIMIT_ID_PATCH_HUNKS);
        return error_set(err, ERROR_LIMIT, 0, "the patch has more than %lld hunks",
                         (long long)LIMIT_PATCH_HUNKS);
    }
    patch_advance(parser);
    size_t old_left = hunk.old_count;
    size_t new_left = hunk.new_count;
    bool changes = false;
    while (old_left > 0 || new_left > 0) {
        if (patch_at_end(parser)) {
            return patch_malformed(parser, err, "is missing: the patch was cut off inside a hunk");
        }
        TRY(read_hunk_line(parser, &old_left, &new_left, err));
        changes = changes || patch->lines[patch->line_count - 1].mark != ' ';
    }
    if (!changes) {
        return patch_malformed(parser, err, "follows a hunk that changes nothing");
    }
    TRY(patch_grow((void **)&patch->hunks, sizeof *patch->hunks, patch->hunk_count,
                   &patch->hunk_capacity, err));
    hunk.line_count = patch->line_count - hunk.first_line;
    patch->hunks[patch->hunk_count++] = hunk;
    file->hunk_count++;
    return STATUS_OK;
}
