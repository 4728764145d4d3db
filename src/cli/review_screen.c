/* SPDX-License-Identifier: Apache-2.0
 *
 * The screen: a title, the stages (at most a third of it), a rule, the text of the chosen stage,
 * the keys. What is asked and done happens on the lines of the ordinary terminal: the screen is
 * left for it and entered again, so that questions look as those of every other command.
 */
#include "cli/review_screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/apply_hunks.h"
#include "cli/review_text.h"
#include "cli/screen.h"
#include "cli/stage_names.h"
#include "kernel/policy_files.h"

enum { FRAME_BYTES_MAX = 1 << 24, LINE_BYTES_MAX = 8192 };

struct view {
    struct cli *cli;
    struct kernel *kernel;
    const char *workspace; /* nullptr: all */
    struct screen screen;
    struct run *runs; /* owned */
    size_t run_count, chosen;
    char *text;         /* owned; of the chosen stage, with escape sequences of ours only */
    const char **lines; /* owned; into the text */
    char more[160];     /* the last line, when not all are shown */
    size_t line_count, top;
};

static void view_drop_text(struct view *view) {
    free(view->text);
    free(view->lines);
    view->text = nullptr;
    view->lines = nullptr;
    view->line_count = view->top = 0;
}

static status_t view_cut_lines(struct view *view, struct error *err) {
    size_t count = 1;
    for (const char *c = view->text; *c != '\0'; c++) {
        count += *c == '\n';
    }
    bool is_cut = limit_past(count > (size_t)LIMIT_REVIEW_LINES, LIMIT_ID_REVIEW_LINES);
    size_t more = is_cut ? count - (size_t)LIMIT_REVIEW_LINES : 0;
    count -= more;
    view->lines = calloc(count + 1, sizeof *view->lines);
    if (view->lines == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot show a stage");
    }
    for (char *at = view->text; *at != '\0' && view->line_count < count;) {
        char *end = strchr(at, '\n');
        view->lines[view->line_count++] = at;
        if (end == nullptr) {
            break;
        }
        *end = '\0';
        at = end + 1;
    }
    if (is_cut) {
        (void)snprintf(view->more, sizeof view->more,
                       "%zu more lines are not shown here (limit REVIEW_LINES): airlock diff %s",
                       more, run_short_id(view->runs[view->chosen].id));
        view->lines[view->line_count++] = view->more;
    }
    return STATUS_OK;
}

/* What cannot be shown says why, in its place. */
static status_t view_load_text(struct view *view, struct error *err) {
    view_drop_text(view);
    size_t size = 0;
    FILE *out = open_memstream(&view->text, &size);
    if (out == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot show a stage");
    }
    if (view->run_count > 0) {
        review_text_stage(view->cli, view->kernel, &view->runs[view->chosen], out);
    }
    return fclose(out) == 0 ? view_cut_lines(view, err)
                            : error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot show a stage");
}

static status_t view_load(struct view *view, struct error *err) {
    free(view->runs);
    view->runs = nullptr;
    view->run_count = 0;
    TRY(kernel_open_stages(view->kernel, view->workspace, &view->runs, &view->run_count, err));
    view->chosen = view->chosen < view->run_count ? view->chosen : 0;
    return view_load_text(view, err);
}

/* Drawing. */

static unsigned list_rows(const struct view *view) {
    unsigned most = view->screen.rows / 3;
    return view->run_count < most ? (unsigned)view->run_count : most;
}

static unsigned text_rows(const struct view *view) {
    return view->screen.rows - list_rows(view) - 3;
}

static void draw_list(const struct view *view, struct builder *frame) {
    unsigned rows = list_rows(view);
    size_t first = view->chosen >= rows ? view->chosen - rows + 1 : 0;
    for (size_t i = first; i < first + rows; i++) {
        CLEANUP(builder_deinit) struct builder row;
        builder_init(&row, 65536);
        review_text_row(&view->runs[i], &row);
        builder_text(frame, i == view->chosen ? "\033[7m> " : "  ");
        builder_bytes(frame, builder_slice(&row));
        builder_text(frame, SCREEN_LINE_END);
    }
}

static void draw(const struct view *view) {
    CLEANUP(builder_deinit) struct builder frame;
    bool color = view->cli->color_out;
    builder_init(&frame, FRAME_BYTES_MAX);
    builder_format(&frame, "%sairlock review%s  %zu open", cli_color(color, CLI_BOLD),
                   cli_color(color, CLI_PLAIN), view->run_count);
    builder_text(&frame, SCREEN_LINE_END);
    draw_list(view, &frame);
    for (unsigned i = 0; i < view->screen.columns; i++) {
        builder_u8(&frame, '-');
    }
    builder_text(&frame, SCREEN_LINE_END);
    for (unsigned i = 0; i < text_rows(view); i++) {
        size_t at = view->top + i;
        const char *line = at < view->line_count ? view->lines[at] : "";
        /* A frame that is too long would not be drawn, and another stage's text would stay. */
        builder_bytes(&frame, slice_of(line, strnlen(line, LINE_BYTES_MAX)));
        builder_text(&frame, SCREEN_LINE_END);
    }
    builder_text(&frame, "a apply  p hunks  d discard  s skip  j/k scroll  "
                         "space page  tab next file  q quit");
    builder_text(&frame, SCREEN_REST);
    if (builder_is_ok(&frame)) {
        screen_draw(&frame);
    }
}

/* Doing. */

static status_t do_apply(struct view *view, struct run *run, bool by_hunks, struct error *err) {
    CLEANUP(apply_choices_deinit) struct apply_choices choices = {0};
    struct kernel_apply_options options = {0};
    struct apply_result result = {0};
    uint64_t seq = 0;
    if (by_hunks) {
        TRY(apply_hunks_ask(view->cli, &view->kernel->state, run, nullptr, &choices, err));
        if (choices.count == 0) {
            return error_set(err, ERROR_STAGE_EMPTY, 0, "nothing was chosen");
        }
        options.choices = &choices;
    }
    view->kernel->ask_review = cli_ask_review;
    TRY(kernel_apply(view->kernel, run, &options, &result, &seq, err));
    (void)printf("applied %u change%s of run %s (entry %llu)\n", result.applied,
                 result.applied == 1 ? "" : "s", run_short_id(run->id), (unsigned long long)seq);
    return STATUS_OK;
}

static status_t do_discard(struct view *view, struct run *run, struct error *err) {
    (void)printf("discard the changes of run %s? [y/N] ", run_short_id(run->id));
    (void)fflush(stdout);
    if (!cli_answer_is_yes()) {
        return error_set(err, ERROR_STAGE_EMPTY, 0, "nothing was discarded");
    }
    view->kernel->ask_review = cli_ask_discard;
    TRY(kernel_discard(view->kernel, run, err));
    (void)printf("discarded the changes of run %s\n", run_short_id(run->id));
    return STATUS_OK;
}

/* Leaves the screen for the question and what comes of it. */
static status_t act(struct view *view, char what, struct error *err) {
    CLEANUP(run_close) struct run run = {.fd = -1, .lock_fd = -1};
    struct error failure;
    if (view->run_count == 0) {
        return STATUS_OK;
    }
    screen_close(&view->screen);
    kernel_policy_drop(view->kernel); /* what is decided now is judged by the files as they are */
    status_t status = run_open(&view->kernel->state, view->runs[view->chosen].id, &run, &failure);
    if (status_is_ok(status)) {
        status = what == 'd' ? do_discard(view, &run, &failure)
                             : do_apply(view, &run, what == 'p', &failure);
    }
    if (!status_is_ok(status)) {
        (void)cli_error(view->cli, &failure);
    }
    (void)printf("press Enter to go on ");
    (void)fflush(stdout);
    char c = '\0';
    while (read(STDIN_FILENO, &c, 1) == 1 && c != '\n') {
    }
    TRY(screen_open(&view->screen, err));
    return view_load(view, err);
}

/* Keys. */

static void scroll(struct view *view, long lines) {
    size_t page = text_rows(view);
    size_t last = view->line_count > page ? view->line_count - page : 0;
    if (lines < 0) {
        size_t up = (size_t)-lines;
        view->top = view->top > up ? view->top - up : 0;
    } else {
        view->top = view->top + (size_t)lines < last ? view->top + (size_t)lines : last;
    }
}

static void next_file(struct view *view) {
    for (size_t i = view->top + 1; i < view->line_count; i++) {
        if (strstr(view->lines[i], "diff --git ") != nullptr) {
            view->top = i;
            return;
        }
    }
    view->top = 0;
}

static status_t choose(struct view *view, long step, struct error *err) {
    if (view->run_count == 0) {
        return STATUS_OK;
    }
    size_t count = view->run_count;
    view->chosen = (view->chosen + (size_t)((long)count + step)) % count;
    return view_load_text(view, err);
}

static status_t take_character(struct view *view, char c, bool *ret_quit, struct error *err) {
    long page = (long)text_rows(view);
    switch (c) {
    case 'q':
    case 3: /* Ctrl-C: a byte in raw mode */
        *ret_quit = true;
        return STATUS_OK;
    case 'a':
    case 'd':
    case 'p':
        return act(view, c, err);
    case 's':
        return choose(view, 1, err);
    case 'j':
    case '\r':
        scroll(view, 1);
        return STATUS_OK;
    case 'k':
        scroll(view, -1);
        return STATUS_OK;
    case ' ':
        scroll(view, page);
        return STATUS_OK;
    case 'b':
        scroll(view, -page);
        return STATUS_OK;
    case '\t':
        next_file(view);
        return STATUS_OK;
    default:
        return STATUS_OK;
    }
}

static status_t take(struct view *view, const struct screen_event *event, bool *ret_quit,
                     struct error *err) {
    switch (event->key) {
    case SCREEN_KEY_CHARACTER:
        return take_character(view, event->character, ret_quit, err);
    case SCREEN_KEY_UP:
        return choose(view, -1, err);
    case SCREEN_KEY_DOWN:
        return choose(view, 1, err);
    case SCREEN_KEY_PAGE_UP:
        scroll(view, -(long)text_rows(view));
        return STATUS_OK;
    case SCREEN_KEY_PAGE_DOWN:
        scroll(view, (long)text_rows(view));
        return STATUS_OK;
    case SCREEN_KEY_HOME:
        view->top = 0;
        return STATUS_OK;
    case SCREEN_KEY_END:
        scroll(view, (long)view->line_count);
        return STATUS_OK;
    case SCREEN_KEY_RESIZE:
    case SCREEN_KEY_OTHER:
        return STATUS_OK;
    case SCREEN_KEY_SIGNAL:
    case SCREEN_KEY_GONE:
        *ret_quit = true;
        return STATUS_OK;
    }
    return STATUS_OK;
}

static status_t loop(struct view *view, int *ret_signal, struct error *err) {
    bool quit = false;
    TRY(view_load(view, err));
    while (!quit) {
        draw(view);
        struct screen_event event = screen_wait(&view->screen);
        *ret_signal = event.key == SCREEN_KEY_SIGNAL ? event.signal : 0;
        TRY(take(view, &event, &quit, err));
    }
    return STATUS_OK;
}

status_t review_screen_run(struct cli *cli, struct kernel *kernel, const char *workspace_or_null,
                           int *ret_signal, struct error *err) {
    struct view view = {
        .cli = cli, .kernel = kernel, .workspace = workspace_or_null, .screen = {.signal_fd = -1}};
    TRY(screen_open(&view.screen, err));
    status_t status = loop(&view, ret_signal, err);
    screen_close(&view.screen);
    view_drop_text(&view);
    free(view.runs);
    return status;
}
