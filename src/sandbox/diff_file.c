/* SPDX-License-Identifier: Apache-2.0
 *
 * One change in the format of `git diff`, so that `git apply` reads it. Beyond what git can say (a
 * folder without files, a mode other than 644 and 755) stand comment lines starting with '#', which
 * git apply passes over.
 */
#include "sandbox/diff_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/diff_lines.h"
#include "sandbox/diff_names.h"
#include "sandbox/parts.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { TEXT_BYTES_MAX = 64 << 20, BINARY_SNIFF_BYTES = 8000 };

/* One side of the comparison. */
struct diff_side {
    const struct entry_state *state;
    struct builder bytes;
    bool known;  /* its content could be had */
    bool binary; /* or too large to be compared by lines */
};

/* The mode git shows: only the owner's execute bit counts. */
static unsigned git_mode(const struct entry_state *state) {
    return state->kind == ENTRY_LINK ? 0120000 : (state->mode & 0100) != 0 ? 0100755 : 0100644;
}

static bool kind_is_shown(enum entry_kind kind) {
    return kind == ENTRY_FILE || kind == ENTRY_LINK;
}

/* Content. */

static status_t side_read_fd(int fd, const char *what, struct diff_side *side, struct error *err) {
    struct stat there;
    if (fd < 0 || fstat(fd, &there) != 0) {
        return STATUS_OK; /* not known */
    }
    side->known = true;
    if (there.st_size > TEXT_BYTES_MAX) {
        side->binary = true;
        return STATUS_OK;
    }
    TRY(fd_read_to_end(fd, what, &side->bytes, err));
    size_t sniff = side->bytes.size < BINARY_SNIFF_BYTES ? side->bytes.size : BINARY_SNIFF_BYTES;
    side->binary = sniff > 0 && memchr(side->bytes.data, 0, sniff) != nullptr;
    return STATUS_OK;
}

static status_t side_read_link(int folder_fd, const char *path, struct diff_side *side,
                               struct error *err) {
    char target[LIMIT_PATH_BYTES];
    if (!entry_read_link(folder_fd, path, target, sizeof target)) {
        return error_set(err, ERROR_IO, errno, "cannot read a link of the stage");
    }
    builder_text(&side->bytes, target);
    side->known = true;
    return STATUS_OK;
}

static status_t side_read_after(const struct merge *merge, const struct change *change,
                                struct diff_side *side, struct error *err) {
    int upper = merge->upper_fds[change->after_layer];
    if (change->after.kind == ENTRY_LINK) {
        return side_read_link(upper, change->path, side, err);
    }
    CLEANUP(fd_closep) int fd = entry_open_file(upper, change->path, true);
    return side_read_fd(fd, change->path, side, err);
}

/* The kept copy, else the workspace's file as long as it is the same. */
static status_t side_read_before(const struct merge *merge, const struct change *change,
                                 struct diff_side *side, struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    if (change->before_part > 0) {
        fd = parts_open(&merge->stack->runs[change->before_part - 1], &change->before.digest);
    } else if (change->has_copy) {
        char name[32];
        (void)snprintf(name, sizeof name, "base/%u", change->number);
        fd =
            file_open_beneath(merge->stack->runs[change->before_layer].fd, name, O_RDONLY, 0, true);
    } else if (merge->workspace_fd >= 0 && change->before.kind == ENTRY_FILE) {
        struct entry_state current;
        TRY(entry_look(merge->workspace_fd, change->path, ENTRY_STAT, &current, err));
        if (entry_is_same_inode(&current, &change->before)) {
            fd = entry_open_file(merge->workspace_fd, change->path, false);
        }
    }
    return side_read_fd(fd, change->path, side, err);
}

/* Header. */

static void header_start(const char *path, bool color, struct builder *out) {
    builder_text(out, color ? "\033[1m" : "");
    builder_text(out, "diff --git ");
    diff_name("a/", path, out);
    builder_u8(out, ' ');
    diff_name("b/", path, out);
    builder_text(out, color ? "\033[m\n" : "\n");
}

static void header_modes(const struct entry_state *before, const struct entry_state *after,
                         struct builder *out) {
    if (before == nullptr) {
        builder_format(out, "new file mode %o\n", git_mode(after));
    } else if (after == nullptr) {
        builder_format(out, "deleted file mode %o\n", git_mode(before));
    } else if (git_mode(before) != git_mode(after)) {
        builder_format(out, "old mode %o\nnew mode %o\n", git_mode(before), git_mode(after));
    } else if (before->mode != after->mode && before->kind == ENTRY_FILE) {
        builder_format(out, "old mode %o\nnew mode %o\n", 0100000 | before->mode,
                       0100000 | after->mode);
    }
}

static void header_names(const char *path, bool has_before, bool has_after, struct builder *out) {
    builder_text(out, "--- ");
    if (has_before) {
        diff_name_line("a/", path, out);
    } else {
        builder_text(out, "/dev/null");
    }
    builder_text(out, "\n+++ ");
    if (has_after) {
        diff_name_line("b/", path, out);
    } else {
        builder_text(out, "/dev/null");
    }
    builder_u8(out, '\n');
}

static void header_binary(const char *path, bool has_before, bool has_after, struct builder *out) {
    builder_text(out, "Binary files ");
    if (has_before) {
        diff_name("a/", path, out);
    } else {
        builder_text(out, "/dev/null");
    }
    builder_text(out, " and ");
    if (has_after) {
        diff_name("b/", path, out);
    } else {
        builder_text(out, "/dev/null");
    }
    builder_text(out, " differ\n");
}

/* Body. */

static void count_lines(const struct diff_lines *lines, uint32_t *ret) {
    for (size_t i = 0; i < lines->count; i++) {
        *ret += lines->changed[i];
    }
}

static status_t body_text(const struct diff_side *before, const struct diff_side *after, bool color,
                          struct builder *out, struct diff_counts *counts, struct error *err) {
    CLEANUP(diff_lines_deinit) struct diff_lines old = {0};
    CLEANUP(diff_lines_deinit) struct diff_lines new = {0};
    bool old_fits = true;
    bool new_fits = true;
    TRY(diff_lines_split(builder_slice(&before->bytes), &old, &old_fits, err));
    TRY(diff_lines_split(builder_slice(&after->bytes), &new, &new_fits, err));
    if (!old_fits || !new_fits) {
        diff_lines_replace(builder_slice(&before->bytes), builder_slice(&after->bytes), color, out);
        return STATUS_OK;
    }
    TRY(diff_lines_compare(&old, &new, err));
    count_lines(&old, &counts->deleted);
    count_lines(&new, &counts->added);
    diff_lines_hunks(&old, &new, color, out);
    return STATUS_OK;
}

static status_t diff_sides(const struct change *change, const struct diff_side *before,
                           const struct diff_side *after, bool color, struct builder *out,
                           struct diff_counts *counts, struct error *err) {
    bool has_before = before->state != nullptr;
    bool has_after = after->state != nullptr;
    header_start(change->path, color, out);
    header_modes(before->state, after->state, out);
    bool same =
        has_before && has_after && digest_equal(&before->state->digest, &after->state->digest);
    if (same) {
        return STATUS_OK;
    }
    bool unknown = (has_before && !before->known) || (has_after && !after->known);
    counts->binary = unknown || before->binary || after->binary;
    CLEANUP(builder_deinit) struct builder body;
    builder_init(&body, (size_t)TEXT_BYTES_MAX * 4);
    if (!counts->binary) {
        TRY(body_text(before, after, color, &body, counts, err));
    }
    if (counts->binary) {
        header_binary(change->path, has_before, has_after, out);
    } else if (body.size > 0) {
        header_names(change->path, has_before, has_after, out);
        builder_bytes(out, builder_slice(&body));
    }
    if (unknown) {
        builder_text(out, "# the content it was made from is not there any more\n");
    }
    return builder_is_ok(&body) && builder_is_ok(out)
               ? STATUS_OK
               : error_set(err, ERROR_LIMIT, 0, "the diff of one file is too large to show");
}

static void comment_folder(const struct change *change, struct builder *out) {
    bool was = change->before.kind == ENTRY_FOLDER;
    bool is = change->after.kind == ENTRY_FOLDER;
    if ((!was && !is) || (was && is && change->before.mode == change->after.mode)) {
        return;
    }
    builder_text(out, was && is ? "# folder mode " : is ? "# new folder " : "# deleted folder ");
    diff_name("", change->path, out);
    if (was && is) {
        builder_format(out, " %04o -> %04o", change->before.mode, change->after.mode);
    }
    builder_u8(out, '\n');
}

/* git has no word for them. */
static void comment_attributes(const struct change *change, struct builder *out) {
    bool both = change->before.kind == change->after.kind &&
                (change->after.kind == ENTRY_FILE || change->after.kind == ENTRY_FOLDER);
    if (both && !digest_equal(&change->before.xattrs, &change->after.xattrs)) {
        builder_text(out, "# other attributes (user.*) ");
        diff_name("", change->path, out);
        builder_u8(out, '\n');
    }
    if (change->is_relisted) {
        builder_text(out, "# access list, not carried over: ");
        diff_name("", change->path, out);
        builder_u8(out, '\n');
    }
}

static status_t diff_one_side(const struct merge *merge, const struct change *change, bool old,
                              bool color, struct builder *out, struct diff_counts *counts,
                              struct error *err) {
    struct diff_side before = {.state = old ? &change->before : nullptr};
    struct diff_side after = {.state = old ? nullptr : &change->after};
    CLEANUP(builder_deinit) struct builder bytes;
    builder_init(&bytes, TEXT_BYTES_MAX + 1);
    struct diff_side *side = old ? &before : &after;
    side->bytes = bytes;
    status_t status = old ? side_read_before(merge, change, side, err)
                          : side_read_after(merge, change, side, err);
    bytes = side->bytes; /* it may have grown */
    TRY(status);
    return diff_sides(change, &before, &after, color, out, counts, err);
}

static status_t diff_both_sides(const struct merge *merge, const struct change *change, bool color,
                                struct builder *out, struct diff_counts *counts,
                                struct error *err) {
    struct diff_side before = {.state = &change->before};
    struct diff_side after = {.state = &change->after};
    builder_init(&before.bytes, TEXT_BYTES_MAX + 1);
    builder_init(&after.bytes, TEXT_BYTES_MAX + 1);
    status_t status = side_read_before(merge, change, &before, err);
    if (status_is_ok(status)) {
        status = side_read_after(merge, change, &after, err);
    }
    if (status_is_ok(status)) {
        status = diff_sides(change, &before, &after, color, out, counts, err);
    }
    builder_deinit(&before.bytes);
    builder_deinit(&after.bytes);
    return status;
}

status_t diff_read_texts(const struct merge *merge, const struct change *change,
                         struct builder *before, struct builder *after, bool *ret_is_text,
                         struct error *err) {
    bool was = change->before.kind == ENTRY_FILE;
    bool is = change->after.kind == ENTRY_FILE;
    struct diff_side old = {.state = &change->before, .bytes = *before, .known = !was};
    struct diff_side new = {.state = &change->after, .bytes = *after, .known = !is};
    status_t status = was ? side_read_before(merge, change, &old, err) : STATUS_OK;
    if (is && status_is_ok(status)) {
        status = side_read_after(merge, change, &new, err);
    }
    *before = old.bytes;
    *after = new.bytes;
    TRY(status);
    *ret_is_text = old.known && new.known && !old.binary && !new.binary;
    return STATUS_OK;
}

status_t diff_file(const struct merge *merge, const struct change *change, bool color,
                   struct builder *out, struct diff_counts *ret_counts, struct error *err) {
    struct diff_counts counts = {0};
    bool was = kind_is_shown(change->before.kind);
    bool is = kind_is_shown(change->after.kind);
    comment_folder(change, out);
    comment_attributes(change, out);
    if (change->refusal != REFUSAL_NONE) {
        builder_text(out, "# never applied: ");
        diff_name("", change->path, out);
        builder_format(out, " is %s\n", refusal_text(change->refusal));
        was = false;
        is = false;
    }
    if (was && is && change->before.kind == change->after.kind) {
        TRY(diff_both_sides(merge, change, color, out, &counts, err));
    } else {
        if (was) {
            TRY(diff_one_side(merge, change, true, color, out, &counts, err));
        }
        if (is) {
            TRY(diff_one_side(merge, change, false, color, out, &counts, err));
        }
    }
    if (!builder_is_ok(out)) {
        return error_set(err, ERROR_LIMIT, 0, "the diff of one file is too large to show");
    }
    if (ret_counts != nullptr) {
        *ret_counts = counts;
    }
    return STATUS_OK;
}
