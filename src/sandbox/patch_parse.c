/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammar (lines end in \n; a line's \r belongs to its content):
 *
 *   patch  = *( blank / "#" ... / file )
 *   file   = git / plain
 *   git    = "diff --git " old " " new, *header, [ names, 1*hunk ]
 *   header = "old mode" / "new mode" / "deleted file mode" / "new file mode" / "similarity index" /
 *            "dissimilarity index" / "rename from" / "rename to" / "copy from" / "copy to" /
 * "index" plain  = names, 1*hunk names  = "--- " name, "+++ " name hunk   = "@@ -l[,n] +l[,n] @@"
 * ..., the lines it counts, each maybe followed by "\ No newline"
 *
 * "diff --git a/X b/Y" cannot be cut when a name has blanks, so the names come from the other
 * headers; where there is none (a mode alone, an empty file), X and Y must be one name, which can.
 */
#include "sandbox/patch_parser.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "codec/text.h"

/* What the headers of one file say. */
struct header {
    struct slice git; /* behind "diff --git "; empty for the plain form */
    bool is_git, is_new, is_deleted, is_rename, is_copy;
    bool has_names;            /* --- and +++ */
    char *old_name, *new_name; /* owned; of --- and +++, "" for /dev/null */
    char *from, *to;           /* owned; of rename and copy */
    uint32_t old_mode, new_mode;
};

static void header_deinit(struct header *header) {
    free(header->old_name);
    free(header->new_name);
    free(header->from);
    free(header->to);
}

static status_t refused(const struct patch_parser *parser, const char *name, const char *why,
                        struct error *err) {
    CLEANUP(builder_deinit) struct builder shown;
    builder_init(&shown, (size_t)LIMIT_PATH_BYTES * 8);
    text_escape(slice_of_string(name), &shown);
    return error_set(err, ERROR_PATCH_REFUSED, 0, "line %u of the patch: the path \"%.200s\" %s",
                     parser->line, builder_c_string(&shown), why);
}

/* Headers. */

static status_t read_git_header(struct patch_parser *parser, struct header *header, bool *ret_known,
                                struct error *err) {
    struct slice rest;
    *ret_known = true;
    if (patch_line_has(parser, "old mode ", &rest)) {
        return patch_read_mode(parser, rest, &header->old_mode, err);
    }
    if (patch_line_has(parser, "new mode ", &rest)) {
        return patch_read_mode(parser, rest, &header->new_mode, err);
    }
    if (patch_line_has(parser, "new file mode ", &rest)) {
        header->is_new = true;
        return patch_read_mode(parser, rest, &header->new_mode, err);
    }
    if (patch_line_has(parser, "deleted file mode ", &rest)) {
        header->is_deleted = true;
        return patch_read_mode(parser, rest, &header->old_mode, err);
    }
    if (patch_line_has(parser, "rename from ", &rest) ||
        patch_line_has(parser, "copy from ", &rest)) {
        return patch_read_name(parser, rest, false, &header->from, err);
    }
    if (patch_line_has(parser, "rename to ", &rest)) {
        header->is_rename = true;
        return patch_read_name(parser, rest, false, &header->to, err);
    }
    if (patch_line_has(parser, "copy to ", &rest)) {
        header->is_copy = true;
        return patch_read_name(parser, rest, false, &header->to, err);
    }
    *ret_known = patch_line_has(parser, "similarity index ", &rest) ||
                 patch_line_has(parser, "dissimilarity index ", &rest) ||
                 patch_line_has(parser, "index ", &rest);
    return STATUS_OK;
}

/* The names of --- and +++; "" stands for /dev/null. */
static status_t read_names(struct patch_parser *parser, struct header *header, struct error *err) {
    struct slice rest;
    if (!patch_line_has(parser, "--- ", &rest)) {
        return STATUS_OK;
    }
    TRY(patch_read_name(parser, rest, true, &header->old_name, err));
    patch_advance(parser);
    if (!patch_line_has(parser, "+++ ", &rest)) {
        return patch_malformed(parser, err, "should begin with +++, as the one before with ---");
    }
    TRY(patch_read_name(parser, rest, true, &header->new_name, err));
    patch_advance(parser);
    char *names[] = {header->old_name, header->new_name};
    for (size_t i = 0; i < 2; i++) {
        if (strcmp(names[i], "/dev/null") == 0) {
            names[i][0] = '\0';
        }
    }
    header->has_names = true;
    return STATUS_OK;
}

static bool line_is_binary(const struct patch_parser *parser) {
    struct slice rest;
    return patch_line_has(parser, "GIT binary patch", &rest) ||
           patch_line_has(parser, "Binary files ", &rest) ||
           patch_line_has(parser, "Files ", &rest);
}

static bool has_prefix(const char *name, const char *prefix) {
    return name[0] == '\0' || strncmp(name, prefix, 2) == 0;
}

/* Takes "a/" and "b/" off; in git's form they must be there. */
static status_t strip_names(const struct patch_parser *parser, struct header *header,
                            struct error *err) {
    char *const names[] = {header->old_name, header->new_name};
    bool both = has_prefix(names[0], "a/") && has_prefix(names[1], "b/");
    if (!both && header->is_git) {
        return patch_malformed(parser, err, "follows names that do not begin with a/ and b/");
    }
    for (size_t i = 0; i < 2 && both; i++) {
        if (names[i][0] != '\0') {
            memmove(names[i], names[i] + 2, strlen(names[i] + 2) + 1);
        }
    }
    return STATUS_OK;
}

/* What only the line "diff --git" names. */
static status_t name_by_git_line(const struct patch_parser *parser, struct header *header,
                                 struct error *err) {
    CLEANUP(builder_deinit) struct builder name;
    builder_init(&name, (size_t)LIMIT_PATH_BYTES * 2);
    bool ok = patch_same_names(header->git, &name) && builder_is_ok(&name) &&
              memchr(name.data, 0, name.size) == nullptr;
    if (!ok) {
        return patch_malformed(parser, err, "follows a header that does not name its file clearly");
    }
    const char *path = builder_c_string(&name) + 2;
    header->old_name = strdup(header->is_new ? "" : path);
    header->new_name = strdup(header->is_deleted ? "" : path);
    return header->old_name != nullptr && header->new_name != nullptr
               ? STATUS_OK
               : error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the patch");
}

static status_t settle_names(const struct patch_parser *parser, struct header *header,
                             struct error *err) {
    if (header->has_names) {
        TRY(strip_names(parser, header, err));
    }
    if (header->is_rename || header->is_copy) {
        bool same = header->from != nullptr && header->to != nullptr &&
                    (!header->has_names || (strcmp(header->from, header->old_name) == 0 &&
                                            strcmp(header->to, header->new_name) == 0));
        if (!same || header->is_new || header->is_deleted ||
            strcmp(header->from, header->to) == 0 || (header->is_rename && header->is_copy)) {
            return patch_malformed(parser, err, "follows a rename or copy whose names contradict");
        }
        free(header->old_name);
        free(header->new_name);
        header->old_name = TAKE(header->from);
        header->new_name = TAKE(header->to);
        return STATUS_OK;
    }
    return header->has_names ? STATUS_OK : name_by_git_line(parser, header, err);
}

static status_t check_kind(const struct patch_parser *parser, const struct header *header,
                           struct error *err) {
    bool old_is = header->old_name[0] != '\0';
    bool new_is = header->new_name[0] != '\0';
    bool fits = (old_is || new_is) &&
                (!header->is_git || (header->is_new == !old_is && header->is_deleted == !new_is));
    bool moves = header->is_rename || header->is_copy;
    if (!fits || (old_is && new_is && !moves && strcmp(header->old_name, header->new_name) != 0)) {
        return patch_malformed(parser, err, "follows headers that contradict each other");
    }
    if (header->old_mode != 0 && header->new_mode != 0 &&
        S_ISLNK(header->old_mode) != S_ISLNK(header->new_mode)) {
        return patch_malformed(parser, err,
                               "follows a change between file and link, which takes two");
    }
    const char *const names[] = {header->old_name, header->new_name};
    for (size_t i = 0; i < 2; i++) {
        const char *refusal = names[i][0] == '\0' ? nullptr : patch_path_refusal(names[i]);
        if (refusal != nullptr) {
            return refused(parser, names[i], refusal, err);
        }
    }
    return STATUS_OK;
}

static enum patch_kind kind_of(const struct header *header) {
    if (header->is_rename || header->is_copy) {
        return header->is_rename ? PATCH_RENAME : PATCH_COPY;
    }
    if (header->old_name[0] == '\0') {
        return PATCH_ADD;
    }
    return header->new_name[0] == '\0' ? PATCH_DELETE : PATCH_MODIFY;
}

static status_t add_file(struct patch_parser *parser, struct header *header, unsigned line,
                         struct patch_file **ret_file, struct error *err) {
    struct patch *patch = parser->patch;
    if (patch->file_count == (size_t)LIMIT_PATCH_FILES) {
        limit_hit(LIMIT_ID_PATCH_FILES);
        return error_set(err, ERROR_LIMIT, 0, "the patch changes more than %lld files",
                         (long long)LIMIT_PATCH_FILES);
    }
    TRY(patch_grow((void **)&patch->files, sizeof *patch->files, patch->file_count,
                   &patch->file_capacity, err));
    struct patch_file *file = &patch->files[patch->file_count++];
    *file = (struct patch_file){
        .kind = kind_of(header),
        .old_mode = header->old_mode,
        .new_mode = header->new_mode,
        .first_hunk = patch->hunk_count,
        .line = line,
    };
    file->old_path = header->old_name[0] != '\0' ? TAKE(header->old_name) : nullptr;
    file->new_path = header->new_name[0] != '\0' ? TAKE(header->new_name) : nullptr;
    *ret_file = file;
    return STATUS_OK;
}

/* An added file has no old lines, a deleted one no new lines; and something must change. */
static status_t check_hunks(const struct patch_parser *parser, const struct patch_file *file,
                            bool is_git, struct error *err) {
    for (size_t i = 0; i < file->hunk_count; i++) {
        const struct patch_hunk *hunk = &parser->patch->hunks[file->first_hunk + i];
        bool one_sided = (file->kind == PATCH_ADD && hunk->old_count > 0) ||
                         (file->kind == PATCH_DELETE && hunk->new_count > 0);
        if (one_sided) {
            return patch_malformed(parser, err, "follows lines of a file that is not there");
        }
    }
    bool changes = file->hunk_count > 0 ||
                   (is_git && (file->kind != PATCH_MODIFY || file->old_mode != file->new_mode));
    return changes ? STATUS_OK : patch_malformed(parser, err, "follows a file without a change");
}

static status_t read_file(struct patch_parser *parser, struct header *header, struct error *err) {
    unsigned line = parser->line;
    header->is_git = patch_line_has(parser, "diff --git ", &header->git);
    if (header->is_git) {
        patch_advance(parser);
    }
    for (bool known = header->is_git; known && !patch_at_end(parser);) {
        TRY(read_git_header(parser, header, &known, err));
        if (known) {
            patch_advance(parser);
        }
    }
    if (header->is_git && line_is_binary(parser)) {
        return error_set(err, ERROR_PATCH_REFUSED, 0,
                         "line %u of the patch: \"%.*s\" is binary, and a patch takes text only",
                         parser->line, (int)(header->git.size < 200 ? header->git.size : 200),
                         (const char *)header->git.data);
    }
    TRY(read_names(parser, header, err));
    TRY(settle_names(parser, header, err));
    TRY(check_kind(parser, header, err));
    struct patch_file *file = nullptr;
    TRY(add_file(parser, header, line, &file, err));
    struct slice rest;
    while (header->has_names && patch_line_has(parser, "@@ ", &rest)) {
        TRY(patch_read_hunk(parser, file, err));
    }
    return check_hunks(parser, file, header->is_git, err);
}

static status_t read_all(struct patch_parser *parser, struct error *err) {
    while (!patch_at_end(parser)) {
        struct slice line = patch_line_now(parser);
        struct slice rest;
        if (line.size == 0 || line.data[0] == '#') {
            patch_advance(parser);
            continue;
        }
        if (line_is_binary(parser)) {
            return error_set(err, ERROR_PATCH_REFUSED, 0,
                             "line %u of the patch is about a binary file, and a patch takes text "
                             "only",
                             parser->line);
        }
        if (!patch_line_has(parser, "diff --git ", &rest) &&
            !patch_line_has(parser, "--- ", &rest)) {
            return patch_malformed(parser, err, "is neither a header nor part of a hunk");
        }
        CLEANUP(header_deinit) struct header header = {0};
        TRY(read_file(parser, &header, err));
    }
    return parser->patch->file_count > 0
               ? STATUS_OK
               : patch_malformed(parser, err, "is its end, and it has no file");
}

/* Each path is what one file of the patch makes of it. */
static int path_compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static status_t check_unique(const struct patch *patch, struct error *err) {
    CLEANUP(memory_freep) const char **paths = calloc(2 * patch->file_count + 1, sizeof *paths);
    size_t count = 0;
    if (paths == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot read the patch");
    }
    for (size_t i = 0; i < patch->file_count; i++) {
        const struct patch_file *file = &patch->files[i];
        paths[count++] = patch_file_path(file);
        if (file->kind == PATCH_RENAME) {
            paths[count++] = file->old_path;
        }
    }
    qsort(paths, count, sizeof *paths, path_compare);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(paths[i - 1], paths[i]) == 0) {
            CLEANUP(builder_deinit) struct builder shown;
            builder_init(&shown, (size_t)LIMIT_PATH_BYTES * 8);
            text_escape(slice_of_string(paths[i]), &shown);
            return error_set(err, ERROR_PATCH_MALFORMED, 0, "the patch changes \"%.200s\" twice",
                             builder_c_string(&shown));
        }
    }
    return STATUS_OK;
}

status_t patch_parse(struct slice text, enum patch_form form, struct patch *ret_patch,
                     struct error *err) {
    struct patch patch = {0};
    struct patch_parser parser = {.text = text, .line = 1, .patch = &patch, .form = form};
    if (text.size > (size_t)LIMIT_PATCH_BYTES) {
        limit_hit(LIMIT_ID_PATCH_BYTES);
        return error_set(err, ERROR_LIMIT, 0, "the patch has more than %lld bytes",
                         (long long)LIMIT_PATCH_BYTES);
    }
    status_t status = read_all(&parser, err);
    if (status_is_ok(status)) {
        status = check_unique(&patch, err);
    }
    if (!status_is_ok(status)) {
        patch_deinit(&patch);
        return status;
    }
    *ret_patch = patch;
    return STATUS_OK;
}
