/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines become numbers first (equal lines, equal number), so that the search compares integers. The
 * search halves the problem at the middle of an optimal path; the recursion is as deep as the
 * logarithm of the number of lines, and a budget bounds its work: a part that exhausts it is shown
 * as replaced whole, which is correct, only longer than it had to be.
 */
#include "sandbox/diff_lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"

enum {
    COST_MAX = 2000, /* edits on one level before a part counts as replaced */
    DEPTH_MAX = 64,
    CONTEXT_LINES = 3,
};

void diff_lines_deinit(struct diff_lines *lines) {
    free(lines->lines);
    free(lines->changed);
    *lines = (struct diff_lines){0};
}

static size_t text_line_count(struct slice text) {
    size_t count = 0;
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + text.size;
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        at = newline == nullptr ? end : newline + 1;
        count++;
    }
    return count;
}

status_t diff_lines_split(struct slice text, struct diff_lines *ret, bool *ret_fits,
                          struct error *err) {
    size_t count = text_line_count(text);
    *ret_fits = count <= LIMIT_DIFF_LINES;
    if (!*ret_fits) {
        limit_hit(LIMIT_ID_DIFF_LINES);
        return STATUS_OK;
    }
    struct diff_lines lines = {
        .lines = calloc(count + 1, sizeof *lines.lines),
        .changed = calloc(count + 1, 1),
        .count = count,
    };
    if (lines.lines == nullptr || lines.changed == nullptr) {
        diff_lines_deinit(&lines);
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot compare two files");
    }
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + text.size;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *next = newline == nullptr ? end : newline + 1;
        lines.lines[i] = slice_of(at, (size_t)(next - at));
        at = next;
    }
    *ret = lines;
    return STATUS_OK;
}

/* Numbering. */

struct numbering {
    uint32_t *slots; /* open addressing: line number + 1 of the first line with this content */
    size_t mask;
    const struct slice *lines; /* of both sides, one after the other */
};

static uint64_t line_hash(struct slice line) {
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < line.size; i++) {
        hash = (hash ^ line.data[i]) * 1099511628211u;
    }
    return hash ^ (hash >> 29);
}

static uint32_t line_number(struct numbering *numbering, uint32_t index) {
    size_t slot = line_hash(numbering->lines[index]) & numbering->mask;
    while (numbering->slots[slot] != 0) {
        uint32_t first = numbering->slots[slot] - 1;
        if (slice_equal(numbering->lines[first], numbering->lines[index])) {
            return first;
        }
        slot = (slot + 1) & numbering->mask;
    }
    numbering->slots[slot] = index + 1;
    return index;
}

/* The search. */

struct search {
    const uint32_t *a, *b;
    uint8_t *a_changed, *b_changed;
    ptrdiff_t *forward, *backward; /* furthest x per diagonal; indexed by diagonal + offset */
    ptrdiff_t offset;
};

struct box {
    ptrdiff_t a_low, a_high, b_low, b_high;
};

struct middle {
    ptrdiff_t x, y;
    bool found;
};

struct diagonals {
    ptrdiff_t low, high;
};

/* The diagonals that cost d can reach and that lie in the box. */
static struct diagonals box_diagonals(const struct box *box, ptrdiff_t d) {
    ptrdiff_t width = box->a_high - box->a_low;
    ptrdiff_t height = box->b_high - box->b_low;
    return (struct diagonals){
        .low = d <= height ? -d : -height + ((d - height) & 1),
        .high = d <= width ? d : width - ((d - width) & 1),
    };
}

/* Diagonals just outside of the box are never the better neighbour. */
static void box_fence(struct search *s, ptrdiff_t diagonal) {
    if (diagonal >= -s->offset && diagonal <= s->offset) {
        s->forward[s->offset + diagonal] = -1;
        s->backward[s->offset + diagonal] = -1;
    }
}

/* One forward step of all diagonals at cost d; true when it met the backward path. */
static bool search_forward(struct search *s, const struct box *box, ptrdiff_t d, bool odd,
                           struct middle *ret) {
    ptrdiff_t delta = (box->a_high - box->a_low) - (box->b_high - box->b_low);
    struct diagonals range = box_diagonals(box, d);
    for (ptrdiff_t k = range.low; k <= range.high; k += 2) {
        ptrdiff_t *f = s->forward + s->offset;
        bool down = k == -d || (k != d && f[k - 1] < f[k + 1]);
        ptrdiff_t x = down ? f[k + 1] : f[k - 1] + 1;
        ptrdiff_t y = x - k;
        while (x < box->a_high - box->a_low && y < box->b_high - box->b_low && y >= 0 &&
               s->a[box->a_low + x] == s->b[box->b_low + y]) {
            x++;
            y++;
        }
        f[k] = x;
        ptrdiff_t mirror = delta - k;
        if (odd && mirror >= -(d - 1) && mirror <= d - 1 &&
            x + s->backward[s->offset + mirror] >= box->a_high - box->a_low) {
            *ret = (struct middle){box->a_low + x, box->b_low + y, true};
            return true;
        }
    }
    return false;
}

static bool search_backward(struct search *s, const struct box *box, ptrdiff_t d, bool odd,
                            struct middle *ret) {
    ptrdiff_t width = box->a_high - box->a_low;
    ptrdiff_t height = box->b_high - box->b_low;
    struct diagonals range = box_diagonals(box, d);
    for (ptrdiff_t k = range.low; k <= range.high; k += 2) {
        ptrdiff_t *r = s->backward + s->offset;
        bool down = k == -d || (k != d && r[k - 1] < r[k + 1]);
        ptrdiff_t x = down ? r[k + 1] : r[k - 1] + 1;
        ptrdiff_t y = x - k;
        while (x < width && y < height && y >= 0 &&
               s->a[box->a_high - 1 - x] == s->b[box->b_high - 1 - y]) {
            x++;
            y++;
        }
        r[k] = x;
        ptrdiff_t mirror = (width - height) - k;
        if (!odd && mirror >= -d && mirror <= d && x + s->forward[s->offset + mirror] >= width) {
            *ret = (struct middle){box->a_high - x, box->b_high - y, true};
            return true;
        }
    }
    return false;
}

/* A point on an optimal path through the box; not found when the budget ends first. */
static struct middle search_middle(struct search *s, const struct box *box) {
    struct middle middle = {0};
    ptrdiff_t width = box->a_high - box->a_low;
    ptrdiff_t height = box->b_high - box->b_low;
    bool odd = ((width - height) & 1) != 0;
    ptrdiff_t most = (width + height + 1) / 2;
    most = most < COST_MAX ? most : COST_MAX;
    box_fence(s, -height - 1);
    box_fence(s, width + 1);
    s->forward[s->offset + 1] = 0;
    s->backward[s->offset + 1] = 0;
    for (ptrdiff_t d = 0; d <= most; d++) {
        if (search_forward(s, box, d, odd, &middle) || search_backward(s, box, d, odd, &middle)) {
            break;
        }
    }
    return middle;
}

static void search_mark(struct search *s, const struct box *box) {
    memset(s->a_changed + box->a_low, 1, (size_t)(box->a_high - box->a_low));
    memset(s->b_changed + box->b_low, 1, (size_t)(box->b_high - box->b_low));
}

static void search_box(struct search *s, struct box box, unsigned depth) {
    while (box.a_low < box.a_high && box.b_low < box.b_high && s->a[box.a_low] == s->b[box.b_low]) {
        box.a_low++;
        box.b_low++;
    }
    while (box.a_low < box.a_high && box.b_low < box.b_high &&
           s->a[box.a_high - 1] == s->b[box.b_high - 1]) {
        box.a_high--;
        box.b_high--;
    }
    if (box.a_low == box.a_high || box.b_low == box.b_high || depth == DEPTH_MAX) {
        search_mark(s, &box);
        return;
    }
    struct middle middle = search_middle(s, &box);
    bool inside = middle.found && middle.x >= box.a_low && middle.x <= box.a_high &&
                  middle.y >= box.b_low && middle.y <= box.b_high;
    bool smaller = inside && !(middle.x == box.a_low && middle.y == box.b_low) &&
                   !(middle.x == box.a_high && middle.y == box.b_high);
    if (!smaller) {
        search_mark(s, &box);
        return;
    }
    search_box(s, (struct box){box.a_low, middle.x, box.b_low, middle.y}, depth + 1);
    search_box(s, (struct box){middle.x, box.a_high, middle.y, box.b_high}, depth + 1);
}

status_t diff_lines_compare(struct diff_lines *before, struct diff_lines *after,
                            struct error *err) {
    size_t total = before->count + after->count;
    size_t slot_count = 64;
    while (slot_count < total * 2) {
        slot_count *= 2;
    }
    size_t diagonals = 2 * (total < COST_MAX ? total + 3 : COST_MAX + 3) + 3;
    CLEANUP(memory_freep) struct slice *lines = calloc(total + 1, sizeof *lines);
    CLEANUP(memory_freep) uint32_t *numbers = calloc(total + 1, sizeof *numbers);
    CLEANUP(memory_freep) uint32_t *slots = calloc(slot_count, sizeof *slots);
    CLEANUP(memory_freep) ptrdiff_t *forward = calloc(diagonals, sizeof *forward);
    CLEANUP(memory_freep) ptrdiff_t *backward = calloc(diagonals, sizeof *backward);
    if (lines == nullptr || numbers == nullptr || slots == nullptr || forward == nullptr ||
        backward == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot compare two files");
    }
    memcpy(lines, before->lines, before->count * sizeof *lines);
    memcpy(lines + before->count, after->lines, after->count * sizeof *lines);
    struct numbering numbering = {slots, slot_count - 1, lines};
    for (size_t i = 0; i < total; i++) {
        numbers[i] = line_number(&numbering, (uint32_t)i);
    }
    struct search search = {
        .a = numbers,
        .b = numbers + before->count,
        .a_changed = before->changed,
        .b_changed = after->changed,
        .forward = forward,
        .backward = backward,
        .offset = (ptrdiff_t)(diagonals / 2),
    };
    search_box(&search, (struct box){0, (ptrdiff_t)before->count, 0, (ptrdiff_t)after->count}, 0);
    return STATUS_OK;
}

/* Hunks. */

#define COLOR_HUNK "\033[36m"
#define COLOR_OLD "\033[31m"
#define COLOR_NEW "\033[32m"
#define COLOR_END "\033[m"

/* The C1 control characters, which many terminals obey in UTF-8 too, and the marks that show a line
 * in another order than it has. 0: none of them stands at the start of `text`. */
static uint32_t hidden_character(struct slice text, size_t *ret_size) {
    const uint8_t *c = text.data;
    *ret_size = 2;
    if (text.size >= 2 && c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f) {
        return c[1];
    }
    *ret_size = 3;
    bool embeds = text.size >= 3 && c[0] == 0xe2 && c[1] == 0x80 && c[2] >= 0xaa && c[2] <= 0xae;
    bool isolates = text.size >= 3 && c[0] == 0xe2 && c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9;
    return embeds || isolates ? 0x2000u | (uint32_t)(c[1] & 0x3f) << 6 | (c[2] & 0x3fu) : 0;
}

void diff_escape(struct slice text, struct builder *out) {
    for (size_t i = 0; i < text.size;) {
        uint8_t c = text.data[i];
        size_t size;
        uint32_t hidden = hidden_character(slice_of(text.data + i, text.size - i), &size);
        if (hidden != 0) {
            builder_format(out, "<U+%04X>", (unsigned)hidden);
            i += size;
            continue;
        }
        if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f) {
            builder_format(out, "^%c", c ^ 0x40);
        } else {
            builder_u8(out, c);
        }
        i++;
    }
}

/* A bare escape sequence in a file must not reach the terminal when a person reads the diff there.
 */
static void line_content(struct slice line, bool color, struct builder *out) {
    if (color) {
        diff_escape(line, out);
    } else {
        builder_bytes(out, line);
    }
}

static void line_print(char mark, struct slice line, bool color, struct builder *out) {
    const char *paint = mark == '-' ? COLOR_OLD : mark == '+' ? COLOR_NEW : "";
    bool has_newline = line.size > 0 && line.data[line.size - 1] == '\n';
    struct slice text = slice_of(line.data, line.size - (has_newline ? 1 : 0));
    bool painted = color && paint[0] != '\0';
    builder_text(out, painted ? paint : "");
    builder_u8(out, (uint8_t)mark);
    line_content(text, color, out);
    builder_text(out, painted ? COLOR_END : "");
    builder_u8(out, '\n');
    if (!has_newline) {
        builder_text(out, "\\ No newline at end of file\n");
    }
}

static void hunk_range(char mark, size_t start, size_t count, struct builder *out) {
    builder_format(out, "%c%zu", mark, count == 0 ? start : start + 1);
    if (count != 1) {
        builder_format(out, ",%zu", count);
    }
}

void diff_lines_hunk(const struct diff_lines *before, const struct diff_lines *after,
                     const struct diff_hunk *hunk, bool color, struct builder *out) {
    builder_text(out, color ? COLOR_HUNK : "");
    builder_text(out, "@@ ");
    hunk_range('-', hunk->a_start, hunk->a_end - hunk->a_start, out);
    builder_u8(out, ' ');
    hunk_range('+', hunk->b_start, hunk->b_end - hunk->b_start, out);
    builder_text(out, " @@");
    builder_text(out, color ? COLOR_END "\n" : "\n");
    size_t a = hunk->a_start;
    size_t b = hunk->b_start;
    while (a < hunk->a_end || b < hunk->b_end) {
        if (a < hunk->a_end && before->changed[a]) {
            line_print('-', before->lines[a++], color, out);
        } else if (b < hunk->b_end && after->changed[b]) {
            line_print('+', after->lines[b++], color, out);
        } else {
            ASSERT(a < hunk->a_end && b < hunk->b_end);
            line_print(' ', before->lines[a++], color, out);
            b++;
        }
    }
}

void diff_lines_hunks(const struct diff_lines *before, const struct diff_lines *after, bool color,
                      struct builder *out) {
    size_t a = 0;
    size_t b = 0;
    struct diff_hunk hunk = {0};
    bool open = false;
    size_t quiet = 0; /* unchanged lines since the last change */
    while (a < before->count || b < after->count) {
        bool a_changed = a < before->count && before->changed[a];
        bool b_changed = b < after->count && after->changed[b];
        if (!a_changed && !b_changed) {
            quiet++;
            a++;
            b++;
            if (open && quiet > 2 * CONTEXT_LINES) {
                hunk.a_end = a - quiet + CONTEXT_LINES;
                hunk.b_end = b - quiet + CONTEXT_LINES;
                diff_lines_hunk(before, after, &hunk, color, out);
                open = false;
            }
            continue;
        }
        if (!open) {
            size_t context = quiet < CONTEXT_LINES ? quiet : CONTEXT_LINES;
            context = a < context ? a : context;
            hunk = (struct diff_hunk){.a_start = a - context, .b_start = b - context};
            open = true;
        }
        quiet = 0;
        a += a_changed;
        b += b_changed;
    }
    if (open) {
        size_t tail = quiet < CONTEXT_LINES ? quiet : CONTEXT_LINES;
        hunk.a_end = a - quiet + tail;
        hunk.b_end = b - quiet + tail;
        diff_lines_hunk(before, after, &hunk, color, out);
    }
}

static void replace_side(char mark, struct slice text, bool color, struct builder *out) {
    const uint8_t *at = text.data;
    const uint8_t *end = text.data + text.size;
    while (at < end) {
        const uint8_t *newline = memchr(at, '\n', (size_t)(end - at));
        const uint8_t *next = newline == nullptr ? end : newline + 1;
        line_print(mark, slice_of(at, (size_t)(next - at)), color, out);
        at = next;
    }
}

void diff_lines_replace(struct slice before, struct slice after, bool color, struct builder *out) {
    builder_text(out, color ? COLOR_HUNK "@@ " : "@@ ");
    hunk_range('-', 0, text_line_count(before), out);
    builder_u8(out, ' ');
    hunk_range('+', 0, text_line_count(after), out);
    builder_text(out, color ? " @@" COLOR_END "\n" : " @@\n");
    replace_side('-', before, color, out);
    replace_side('+', after, color, out);
}
