/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock policy update and edit: another file in force, after a person has seen what of history it
 * would have decided otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/policy_commands.h"
#include "cli/replay_view.h"
#include "codec/bar.h"
#include "codec/text.h"
#include "policy/default.h"
#include "sys/fd.h"

extern char **environ;

enum { BREAKING_BY_YES_MAX = 5 }; /* more of them need a typed phrase */

struct update {
    const struct cli *cli;
    struct kernel kernel;
    struct slice text;
    const char *name; /* in positions */
    struct digest old_digest, new_digest;
    struct replay_view view;
    struct bar bar;
    struct policy_replay_result replay;
};

static void keep_change(void *context, const struct policy_replay_change *change) {
    struct update *update = context;
    replay_view_add(&update->view, change);
}

static void show_progress(void *context, uint64_t done, uint64_t total) {
    struct update *update = context;
    bar_draw(&update->bar, done, total);
}

/* Everything goes to standard error: it is what the question is about. */
static status_t show_replay(struct update *update, struct error *err) {
    const struct policy_replay_options options = {
        .state = &update->kernel.state,
        .log = update->kernel.log,
        .clock = &update->kernel.clock,
        .text = &update->text,
        .name = update->name,
        .changed = keep_change,
        .progress = show_progress,
        .context = update,
    };
    update->view =
        (struct replay_view){.cli = update->cli, .out = stderr, .color = update->cli->color_err};
    update->bar = bar_start(&update->kernel.clock, "judging again");
    status_t status = policy_replay(&options, &update->replay, err);
    bar_end(&update->bar);
    if (status_is_ok(status)) {
        replay_view_print(&update->view, &update->replay);
    }
    replay_view_deinit(&update->view);
    return status;
}

static bool person_agrees(const struct update *update) {
    uint64_t breaking = update->replay.breaking_count;
    if (breaking <= BREAKING_BY_YES_MAX) {
        (void)fprintf(stderr, "put %s in force? [y/N] ", update->name);
        (void)fflush(stderr);
        return cli_answer_is_yes();
    }
    char phrase[64];
    (void)snprintf(phrase, sizeof phrase, "break %" PRIu64 " decisions", breaking);
    (void)fprintf(stderr,
                  "What was allowed %" PRIu64 " times would be denied. To put %s in force, type "
                  "%s%s%s: ",
                  breaking, update->name, cli_color(update->cli->color_err, CLI_BOLD), phrase,
                  cli_color(update->cli->color_err, CLI_PLAIN));
    return policy_person_types(phrase);
}

static void print_done(const struct update *update, bool is_changed) {
    struct builder hex;
    builder_init(&hex, (size_t)2 * DIGEST_BYTES + 1);
    text_hex(slice_of(update->new_digest.bytes, DIGEST_BYTES), &hex);
    if (update->cli->json) {
        struct json *object = json_object_new();
        json_set_bool(object, "updated", is_changed);
        json_set_text(object, "digest", builder_c_string(&hex));
        if (is_changed) {
            json_set(object, "replay", replay_result_json(&update->replay));
        }
        policy_print_json(object);
    } else {
        (void)printf("%s: %s\n", is_changed ? "in force now" : "in force already, unchanged",
                     builder_c_string(&hex));
    }
    builder_deinit(&hex);
}

static status_t decide(struct update *update, struct error *err) {
    TRY(policy_files_user_digest(&update->old_digest, err));
    if (digest_equal(&update->old_digest, &update->new_digest)) {
        print_done(update, false);
        return STATUS_OK;
    }
    TRY(show_replay(update, err));
    if (!person_agrees(update)) {
        return policy_person_declined("the policy was not changed", err);
    }
    const struct policy_update change = {
        .text = update->text, .old_digest = update->old_digest, .replay = &update->replay};
    TRY(policy_files_update(&update->kernel, &change, err));
    print_done(update, true);
    return STATUS_OK;
}

/* The text is checked, shown against history, agreed to and put in force. */
static status_t update_to(const struct cli *cli, struct slice text, const char *name,
                          struct error *err) {
    bool is_valid = false;
    TRY(policy_check_text(cli, text, name, &is_valid, err));
    if (!is_valid) {
        (void)error_set(err, ERROR_POLICY_INVALID, 0, "%.300s is not a policy; nothing was changed",
                        name);
        error_hint(err, "Correct what is named above.");
        return (status_t){ERROR_POLICY_INVALID};
    }
    CLEANUP(memory_freep) struct update *update = calloc(1, sizeof *update);
    if (update == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot change the policy");
    }
    update->cli = cli;
    update->text = text;
    update->name = name;
    sha256_of(text, &update->new_digest);
    TRY(kernel_open(&update->kernel, err));
    status_t status = decide(update, err);
    kernel_close(&update->kernel);
    return status;
}

status_t policy_command_update(const struct cli *cli,
                               [[maybe_unused]] const struct policy_options *options,
                               char **operands, [[maybe_unused]] int *ret_exit, struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {};
    TRY(policy_person_check("changing the policy", err));
    TRY(policy_read_file(operands[0], &text, err));
    return update_to(cli, builder_slice(&text), operands[0], err);
}

/* Editing. */

/* The user's file, else the default to begin with. */
static status_t read_current(struct builder *ret_text, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    builder_init(ret_text, (size_t)LIMIT_YAML_BYTES);
    TRY(policy_files_user_path(path, err));
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        builder_bytes(ret_text, policy_default_text());
        return STATUS_OK;
    }
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %.300s", path);
    }
    return fd_read_to_end(fd, path, ret_text, err);
}

static status_t make_copy(struct slice text, char ret_path[static LIMIT_PATH_BYTES],
                          struct error *err) {
    const char *folder = getenv("TMPDIR");
    int size = snprintf(ret_path, LIMIT_PATH_BYTES, "%s/airlock-policy-XXXXXX.yaml",
                        folder != nullptr && folder[0] == '/' ? folder : "/tmp");
    if (size < 0 || size >= LIMIT_PATH_BYTES) {
        return error_set(err, ERROR_IO, ENAMETOOLONG, "cannot use TMPDIR");
    }
    CLEANUP(fd_closep) int fd = mkostemps(ret_path, (int)strlen(".yaml"), O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot create a copy to edit, %.300s", ret_path);
    }
    return fd_write_all(fd, text, ret_path, err);
}

/* The variable may hold arguments ("code --wait"), so a shell reads it, as git and crontab do. */
static status_t run_editor(char *path, struct error *err) {
    const char *editor = getenv("VISUAL");
    char script[1024];
    pid_t child;
    int status = 0;
    editor = editor != nullptr && editor[0] != '\0' ? editor : getenv("EDITOR");
    editor = editor != nullptr && editor[0] != '\0' ? editor : "vi";
    int size = snprintf(script, sizeof script, "%s \"$1\"", editor);
    if (size < 0 || (size_t)size >= sizeof script) {
        return error_set(err, ERROR_USAGE, 0, "VISUAL or EDITOR is too long");
    }
    char shell[] = "/bin/sh";
    char option[] = "-c";
    char *const argv[] = {shell, option, script, shell, path, nullptr};
    int failure = posix_spawn(&child, shell, nullptr, nullptr, argv, environ);
    if (failure != 0) {
        return error_set(err, ERROR_IO, failure, "cannot start the editor %.200s", editor);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        (void)error_set(err, ERROR_IO, 0, "the editor %.200s failed; nothing was changed", editor);
        error_hint(err, "Set VISUAL or EDITOR to an editor that works, or: airlock policy update "
                        "FILE");
        return (status_t){ERROR_IO};
    }
    return STATUS_OK;
}

static status_t edit_copy(const struct cli *cli, char *path, struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {};
    TRY(run_editor(path, err));
    TRY(policy_read_file(path, &text, err));
    return update_to(cli, builder_slice(&text), path, err);
}

status_t policy_command_edit(const struct cli *cli,
                             [[maybe_unused]] const struct policy_options *options,
                             [[maybe_unused]] char **operands, [[maybe_unused]] int *ret_exit,
                             struct error *err) {
    CLEANUP(builder_deinit) struct builder text = {};
    char path[LIMIT_PATH_BYTES];
    TRY(policy_person_check("changing the policy", err));
    TRY(read_current(&text, err));
    TRY(make_copy(builder_slice(&text), path, err));
    status_t status = edit_copy(cli, path, err);
    if (status_is_ok(status)) {
        (void)unlink(path);
        return status;
    }
    (void)error_context(err, "what you wrote is kept in %.150s", path);
    return status;
}
