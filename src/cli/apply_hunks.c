/* SPDX-License-Identifier: Apache-2.0
 *
 * Each file is a list of items: its change of mode, then its hunks; or one item, the whole change,
 * where there is nothing to choose inside. An item is asked about once; `s` makes several of it.
 */
#include "cli/apply_hunks.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/diff_file.h"
#include "sandbox/diff_names.h"
#include "sandbox/patch.h"
#include "sys/fd.h"

enum { SHOWN_BYTES_MAX = 512 << 20 };

struct asker {
    const struct cli *cli;
    const struct merge *merge;
    struct apply_choices *choices;
    bool quit;
};

enum answer : uint8_t { ANSWER_YES, ANSWER_NO, ANSWER_ALL, ANSWER_NONE, ANSWER_QUIT, ANSWER_SPLIT };

/* One line; false: the terminal is gone. Byte by byte, because the next line is for somebody else.
 */
static bool read_line(char *ret, size_t capacity) {
    size_t used = 0;
    for (;;) {
        char c;
        ssize_t size = read(STDIN_FILENO, &c, 1);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return false;
        }
        if (c == '\n') {
            ret[used] = '\0';
            return true;
        }
        if (used + 1 < capacity) {
            ret[used++] = c;
        }
    }
}

static void print_keys(bool can_split) {
    (void)fputs("y - apply this\n"
                "n - leave it in the stage\n"
                "q - leave this and all that follows; what was chosen so far is applied\n"
                "a - apply this and the rest of the file\n"
                "d - leave this and the rest of the file\n",
                stdout);
    (void)fputs(can_split ? "s - split it into smaller hunks\n" : "", stdout);
    (void)fputs("? - print this\n", stdout);
}

static status_t ask(const struct asker *asker, const char *what, bool can_split,
                    enum answer *ret_answer, struct error *err) {
    static const char keys[] = "ynadqs";
    bool color = asker->cli->color_out;
    for (;;) {
        char line[16] = "";
        (void)printf("%sapply this %s [y,n,q,a,d,%s?]?%s ", cli_color(color, CLI_BLUE), what,
                     can_split ? "s," : "", cli_color(color, CLI_PLAIN));
        (void)fflush(stdout);
        if (!read_line(line, sizeof line)) {
            return error_set(err, ERROR_IO, 0, "the terminal went away, and nothing was applied");
        }
        const char *found = line[0] != '\0' && line[1] == '\0' ? strchr(keys, line[0]) : nullptr;
        if (found != nullptr && (*found != 's' || can_split)) {
            *ret_answer = (enum answer)(found - keys);
            return STATUS_OK;
        }
        print_keys(can_split);
    }
}

static void show(const struct asker *asker, struct builder *text) {
    CLEANUP(builder_deinit) struct builder shown;
    builder_init(&shown, (size_t)8 * SHOWN_BYTES_MAX);
    if (!asker->cli->color_out) { /* with colours it was escaped line by line */
        diff_escape(builder_slice(text), &shown);
        text = &shown;
    }
    (void)fwrite(text->data, 1, text->size, stdout);
}

static void show_header(const struct asker *asker, const struct change *change) {
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, (size_t)16 * LIMIT_PATH_BYTES);
    builder_text(&text, cli_color(asker->cli->color_out, CLI_BOLD));
    builder_text(&text, "diff --git ");
    diff_name("a/", change->path, &text);
    builder_u8(&text, ' ');
    diff_name("b/", change->path, &text);
    (void)printf("%s%s\n", builder_c_string(&text), cli_color(asker->cli->color_out, CLI_PLAIN));
}

/* What an answer means for the items that follow in the same file: -1, ask. */
static int rest_of(enum answer answer) {
    switch (answer) {
    case ANSWER_ALL:
        return 1;
    case ANSWER_NONE:
    case ANSWER_QUIT:
        return 0;
    case ANSWER_YES:
    case ANSWER_NO:
    case ANSWER_SPLIT:
        break;
    }
    return -1;
}

static status_t ask_whole(struct asker *asker, const struct change *change, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    enum answer answer = ANSWER_NO;
    builder_init(&text, SHOWN_BYTES_MAX);
    TRY(diff_file(asker->merge, change, asker->cli->color_out, &text, nullptr, err));
    show(asker, &text);
    bool deletes = change->after.kind == ENTRY_NONE;
    bool adds = change->before.kind == ENTRY_NONE;
    TRY(ask(asker, deletes ? "deletion" : adds ? "addition" : "change", false, &answer, err));
    asker->quit = answer == ANSWER_QUIT;
    bool taken = answer == ANSWER_YES || answer == ANSWER_ALL;
    return taken ? apply_choices_add_whole(asker->choices, change->path, err) : STATUS_OK;
}

static status_t ask_mode(struct asker *asker, const struct change *change, int *rest,
                         bool *ret_taken, struct error *err) {
    enum answer answer = ANSWER_NO;
    (void)printf("old mode %04o\nnew mode %04o\n", change->before.mode, change->after.mode);
    TRY(ask(asker, "change of mode", false, &answer, err));
    *ret_taken = answer == ANSWER_YES || answer == ANSWER_ALL;
    *rest = rest_of(answer);
    asker->quit = answer == ANSWER_QUIT;
    return STATUS_OK;
}

static status_t ask_hunks(struct asker *asker, const struct hunk_set *set, int rest,
                          uint8_t *blocks, struct error *err) {
    size_t single_until = 0; /* blocks before it were split from each other */
    for (size_t at = 0; at < set->count;) {
        size_t count = at < single_until ? 1 : hunk_set_group(set, at);
        enum answer answer = rest == 1 ? ANSWER_YES : ANSWER_NO;
        if (rest < 0) {
            CLEANUP(builder_deinit) struct builder text;
            builder_init(&text, SHOWN_BYTES_MAX);
            hunk_set_print(set, at, count, asker->cli->color_out, &text);
            show(asker, &text);
            TRY(ask(asker, "hunk", count > 1, &answer, err));
        }
        if (answer == ANSWER_SPLIT) {
            single_until = at + count;
            continue;
        }
        memset(blocks + at, answer == ANSWER_YES || answer == ANSWER_ALL, count);
        rest = rest < 0 ? rest_of(answer) : rest;
        asker->quit = asker->quit || answer == ANSWER_QUIT;
        at += count;
    }
    return STATUS_OK;
}

static status_t ask_change(struct asker *asker, const struct change *change, struct error *err) {
    CLEANUP(choosable_deinit) struct choosable choosable = {0};
    TRY(choosable_read(asker->merge, change, &choosable, err));
    if (!choosable.has_hunks) {
        return ask_whole(asker, change, err);
    }
    CLEANUP(memory_freep) uint8_t *blocks = calloc(choosable.set.count, 1);
    int rest = -1;
    bool takes_mode = false;
    if (blocks == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot keep what was chosen");
    }
    show_header(asker, change);
    if (choosable.has_mode) {
        TRY(ask_mode(asker, change, &rest, &takes_mode, err));
    }
    TRY(ask_hunks(asker, &choosable.set, rest, blocks, err));
    return apply_choices_add(asker->choices, &choosable, blocks, takes_mode, err);
}

static status_t ask_all(struct asker *asker, const char *const *paths, struct error *err) {
    const struct merge *merge = asker->merge;
    for (size_t i = 0; i < merge->list.count && !asker->quit; i++) {
        const struct change *change = &merge->list.items[i];
        enum merge_relation relation = MERGE_CLEAN;
        struct entry_state current;
        if (!merge_is_selected(change->path, paths)) {
            continue;
        }
        TRY(merge_relate(merge, change, &current, &relation, err));
        if (change->refusal == REFUSAL_NONE && relation == MERGE_CLEAN) {
            TRY(ask_change(asker, change, err));
        } else if (relation != MERGE_DONE) {
            CLEANUP(builder_deinit) struct builder name;
            builder_init(&name, (size_t)8 * LIMIT_PATH_BYTES);
            diff_name("", change->path, &name);
            (void)printf("%s stays in the stage: %s\n", builder_c_string(&name),
                         change->refusal != REFUSAL_NONE ? refusal_text(change->refusal)
                                                         : "the workspace changed there");
        }
    }
    return STATUS_OK;
}

status_t apply_hunks_ask(const struct cli *cli, const struct state *state, const struct run *run,
                         const char *const *paths, struct apply_choices *choices,
                         struct error *err) {
    if (cli->json || isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1) {
        status_t status = error_set(err, ERROR_USAGE, 0, "-p asks a person at a terminal");
        error_hint(err, "Without one, name the hunks in a file: airlock apply --patch FILE");
        return status;
    }
    CLEANUP(merge_close) struct merge merge = {0};
    TRY(merge_open(state, run, &merge, err));
    if (merge.workspace_fd < 0) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, 0, "the workspace %s is gone",
                         run->workspace);
    }
    struct asker asker = {.cli = cli, .merge = &merge, .choices = choices};
    return ask_all(&asker, paths, err);
}

status_t patch_file_read(const char *file, struct builder *out, struct error *err) {
    bool is_stdin = strcmp(file, "-") == 0;
    CLEANUP(fd_closep)
    int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0) : open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, ERROR_USAGE, errno, "cannot open the patch %.200s", file);
    }
    TRY(fd_read_to_end(fd, is_stdin ? "the patch on standard input" : file, out, err));
    return STATUS_OK;
}

status_t apply_hunks_read(const struct state *state, const struct run *run, const char *file,
                          struct apply_choices *choices, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    CLEANUP(patch_deinit) struct patch patch = {0};
    CLEANUP(merge_close) struct merge merge = {0};
    builder_init(&text, (size_t)LIMIT_PATCH_BYTES + 1);
    TRY(patch_file_read(file, &text, err));
    TRY(patch_parse(builder_slice(&text), PATCH_PART, &patch, err));
    TRY(merge_open(state, run, &merge, err));
    if (merge.workspace_fd < 0) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, 0, "the workspace %s is gone",
                         run->workspace);
    }
    return apply_choices_add_patch(choices, &merge, &patch, err);
}
