/* SPDX-License-Identifier: Apache-2.0
 *
 * A run's folder and its meta file.
 *
 *   runs/<id>/        0700
 *     lock            flock held by the command as long as the run is live
 *     meta            the fields of struct run, one per line, replaced whole
 *     upper work tmp home caches
 *   runs/.live/<id>   an empty file from creation until the run is finished and cleaned up
 *
 * The marks in .live exist so that the collector, which every command calls, looks at the few runs
 * that may need it and not at all that ever were.
 *
 * meta is text: "airlock-run 1", then "key value" lines in a fixed order. Bytes of a value that are
 * not printable ASCII, and backslashes, stand as \xHH: a workspace may have any name.
 */
#include "sandbox/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { META_BYTES_MAX = 32768 };

static const char *const run_state_texts[] = {
    [RUN_LIVE] = "live",       [RUN_OPEN] = "open",           [RUN_EMPTY] = "empty",
    [RUN_APPLIED] = "applied", [RUN_DISCARDED] = "discarded", [RUN_LOST] = "lost",
};
static const unsigned run_state_count = sizeof run_state_texts / sizeof run_state_texts[0];

const char *run_state_text(enum run_state state) {
    ASSERT((unsigned)state < run_state_count);
    return run_state_texts[state];
}

bool run_stage_is_open(const struct run *run) {
    return run->state == RUN_OPEN || (run->state == RUN_LOST && run->change_count > 0);
}

/* Writing meta. */

static void meta_value(struct builder *out, const char *key, const char *value) {
    builder_format(out, "%s ", key);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c >= ' ' && *c <= '~' && *c != '\\') {
            builder_u8(out, (uint8_t)*c);
        } else {
            builder_format(out, "\\x%02x", (unsigned)(unsigned char)*c);
        }
    }
    builder_u8(out, '\n');
}

static void meta_number(struct builder *out, const char *key, uint64_t value) {
    builder_format(out, "%s %" PRIu64 "\n", key, value);
}

static void meta_encode(const struct run *run, struct builder *out) {
    builder_text(out, "airlock-run 1\n");
    meta_value(out, "id", run->id);
    meta_value(out, "state", run_state_text(run->state));
    meta_value(out, "workspace", run->workspace);
    meta_value(out, "command", run->command);
    meta_value(out, "parent", run->parent);
    meta_number(out, "started_ms", run->started_ms);
    meta_number(out, "finished_ms", run->finished_ms);
    builder_format(out, "exit_status %d\n", run->exit_status);
    meta_number(out, "intent_seq", run->intent_seq);
    meta_number(out, "outcome_seq", run->outcome_seq);
    meta_number(out, "change_count", run->change_count);
    builder_text(out, "stage_digest ");
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        builder_format(out, "%02x", run->stage_digest.bytes[i]);
    }
    builder_u8(out, '\n');
}

/* Reading meta. */

static int hex_digit(uint8_t c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The value of the next line, which must be of `key`; empty and failed otherwise. */
static struct slice meta_line(struct cursor *cursor, const char *key) {
    struct slice line = cursor_until(cursor, '\n');
    size_t size = strlen(key);
    if (!cursor_is_ok(cursor) || line.size < size + 1 || memcmp(line.data, key, size) != 0 ||
        line.data[size] != ' ') {
        cursor_fail(cursor);
        return (struct slice){nullptr, 0};
    }
    return slice_of(line.data + size + 1, line.size - size - 1);
}

static void meta_text(struct cursor *cursor, const char *key, char *ret, size_t capacity) {
    struct slice value = meta_line(cursor, key);
    size_t used = 0;
    for (size_t i = 0; i < value.size; i++) {
        uint8_t byte = value.data[i];
        if (byte == '\\') {
            bool whole = value.size - i >= 4 && value.data[i + 1] == 'x' &&
                         hex_digit(value.data[i + 2]) >= 0 && hex_digit(value.data[i + 3]) >= 0;
            if (!whole) {
                cursor_fail(cursor);
                return;
            }
            byte = (uint8_t)(hex_digit(value.data[i + 2]) * 16 + hex_digit(value.data[i + 3]));
            i += 3;
        }
        if (byte == 0 || used + 1 >= capacity) {
            cursor_fail(cursor);
            return;
        }
        ret[used++] = (char)byte;
    }
    ret[used] = '\0';
}

static uint64_t meta_read_number(struct cursor *cursor, const char *key) {
    struct slice value = meta_line(cursor, key);
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++) {
        uint8_t digit = value.data[i];
        if (digit < '0' || digit > '9' || value.size > 20) {
            cursor_fail(cursor);
            return 0;
        }
        number = number * 10 + (digit - '0');
    }
    return number;
}

static int meta_read_status(struct cursor *cursor, const char *key) {
    struct slice value = meta_line(cursor, key);
    int number = 0;
    bool negative = value.size > 0 && value.data[0] == '-';
    for (size_t i = negative ? 1 : 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9' || value.size > 6) {
            cursor_fail(cursor);
            return 0;
        }
        number = number * 10 + (value.data[i] - '0');
    }
    return negative ? -number : number;
}

static void meta_read_digest(struct cursor *cursor, const char *key, struct digest *ret) {
    struct slice value = meta_line(cursor, key);
    if (value.size != 2 * DIGEST_BYTES) {
        cursor_fail(cursor);
        return;
    }
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        int high = hex_digit(value.data[2 * i]);
        int low = hex_digit(value.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            cursor_fail(cursor);
            return;
        }
        ret->bytes[i] = (uint8_t)(high * 16 + low);
    }
}

static bool meta_decode(struct slice bytes, struct run *ret) {
    struct cursor cursor = cursor_of(bytes);
    struct slice version = cursor_until(&cursor, '\n');
    if (!slice_equal(version, SLICE_LITERAL("airlock-run 1"))) {
        return false;
    }
    char state[16] = "";
    meta_text(&cursor, "id", ret->id, sizeof ret->id);
    meta_text(&cursor, "state", state, sizeof state);
    meta_text(&cursor, "workspace", ret->workspace, sizeof ret->workspace);
    meta_text(&cursor, "command", ret->command, sizeof ret->command);
    meta_text(&cursor, "parent", ret->parent, sizeof ret->parent);
    ret->started_ms = meta_read_number(&cursor, "started_ms");
    ret->finished_ms = meta_read_number(&cursor, "finished_ms");
    ret->exit_status = meta_read_status(&cursor, "exit_status");
    ret->intent_seq = meta_read_number(&cursor, "intent_seq");
    ret->outcome_seq = meta_read_number(&cursor, "outcome_seq");
    ret->change_count = (uint32_t)meta_read_number(&cursor, "change_count");
    meta_read_digest(&cursor, "stage_digest", &ret->stage_digest);
    bool known = false;
    for (unsigned i = 0; i < run_state_count && !known; i++) {
        known = strcmp(state, run_state_texts[i]) == 0;
        ret->state = known ? (enum run_state)i : ret->state;
    }
    return known && cursor_is_finished(&cursor) && id_is_valid(ret->id) &&
           (ret->parent[0] == '\0' || id_is_valid(ret->parent));
}

status_t run_read(int runs_fd, const char *id, struct run *ret_run, bool *ret_found,
                  struct error *err) {
    CLEANUP(fd_closep)
    int fd = openat(runs_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        if (errno == ENOENT) {
            *ret_found = false;
            return STATUS_OK;
        }
        return error_set(err, ERROR_IO, errno, "cannot open the folder of run %s", id);
    }
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, META_BYTES_MAX);
    bool found = false;
    TRY(file_read(fd, "meta", &text, &found, err));
    if (!found) { /* being created this moment, or its creator died before it had a name */
        *ret_found = false;
        return STATUS_OK;
    }
    struct run run = {.fd = -1, .lock_fd = -1};
    if (!meta_decode(builder_slice(&text), &run) || strcmp(run.id, id) != 0) {
        return error_set(err, ERROR_BAD_ENCODING, 0, "the meta file of run %s is damaged", id);
    }
    run.fd = fd_take(&fd);
    *ret_run = run;
    *ret_found = true;
    return STATUS_OK;
}

status_t run_open(const struct state *state, const char *id, struct run *ret_run,
                  struct error *err) {
    bool found = false;
    if (!id_is_valid(id)) {
        return error_set(err, ERROR_RUN_UNKNOWN, 0, "no run is named %.64s", id);
    }
    TRY(run_read(state->runs_fd, id, ret_run, &found, err));
    if (!found) {
        return error_set(err, ERROR_RUN_UNKNOWN, 0, "there is no run %s", id);
    }
    return STATUS_OK;
}

void run_close(struct run *run) {
    fd_closep(&run->fd);
    fd_closep(&run->lock_fd);
}

/* Removes what is not needed any more, then the mark that brings the collector here. */
static void run_clean(struct run *run) {
    static const char *const folders[] = {"work",  "tmp",  "home",  "caches",
                                          "upper", "base", "parts", "squash"};
    bool is_closed = run->state == RUN_APPLIED || run->state == RUN_DISCARDED;
    size_t count = is_closed ? sizeof folders / sizeof folders[0] : 4;
    bool clean = true;
    for (size_t i = 0; i < count; i++) {
        struct error ignored;
        clean = status_is_ok(file_remove_tree(run->fd, folders[i], &ignored)) && clean;
    }
    char mark[ID_TEXT_BYTES + 16];
    (void)snprintf(mark, sizeof mark, "../.live/%s", run->id);
    if (clean) {
        (void)unlinkat(run->fd, mark, 0);
    }
}

status_t run_save(struct run *run, bool durable, struct error *err) {
    ASSERT(run->fd >= 0);
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, META_BYTES_MAX);
    meta_encode(run, &text);
    ASSERT(builder_is_ok(&text));
    struct file_write_options options = {.mode = 0600, .durable = durable};
    TRY(file_write_atomic(run->fd, "meta", builder_slice(&text), &options, err));
    if (run->state != RUN_LIVE && run->lock_fd >= 0) {
        run_clean(run);
    }
    return STATUS_OK;
}

static status_t run_mark_live(const struct state *state, const char *id, struct error *err) {
    CLEANUP(fd_closep) int live = -1;
    TRY(file_open_folder(state->runs_fd, ".live", true, 0700, &live, err));
    CLEANUP(fd_closep) int mark = openat(live, id, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (mark < 0) {
        return error_set(err, ERROR_IO, errno, "cannot mark run %s as live", id);
    }
    return STATUS_OK;
}

/* The collector reads and writes meta under this lock. Without it, one that has read "open" could
 * write that back over "applied". It is held for milliseconds; polled, because flock(2) has no
 * timeout and a stopped collector must not hang everybody. */
static status_t run_lock(const struct run *run, int *ret_lock, struct error *err) {
    CLEANUP(fd_closep) int lock = openat(run->fd, "lock", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (lock < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open the lock of run %s", run->id);
    }
    for (int64_t waited_ms = 0; flock(lock, LOCK_EX | LOCK_NB) != 0; waited_ms++) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return error_set(err, ERROR_IO, errno, "cannot lock run %s", run->id);
        }
        if (limit_past(waited_ms == LIMIT_SQLITE_BUSY_MS, LIMIT_ID_SQLITE_BUSY_MS)) {
            return error_set(err, ERROR_BUSY, 0, "another command holds run %s", run->id);
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, nullptr);
    }
    *ret_lock = fd_take(&lock);
    return STATUS_OK;
}

status_t run_save_closed(const struct state *state, struct run *run, enum run_state closed,
                         struct error *err) {
    ASSERT(closed == RUN_APPLIED || closed == RUN_DISCARDED);
    CLEANUP(fd_closep) int lock = -1;
    if (run->lock_fd < 0) {
        TRY(run_lock(run, &lock, err));
    }
    /* The mark first: should we die before the files are gone, the collector goes on. */
    TRY(run_mark_live(state, run->id, err));
    run->state = closed;
    TRY(run_save(run, true, err));
    run_clean(run);
    return STATUS_OK;
}

/* Making one. */

status_t run_make_folder(int fd, const char *name, unsigned mode, uint32_t uid, uint32_t gid,
                         struct error *err) {
    if (mkdirat(fd, name, 0700) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot create the run's folder %s", name);
    }
    if (geteuid() != uid && fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot give %s to uid %u", name, uid);
    }
    if (mode != 0700 && fchmodat(fd, name, mode, 0) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot set the mode of %s", name);
    }
    return STATUS_OK;
}

static status_t run_fill_folder(const struct state *state, struct run *run, uint32_t uid,
                                uint32_t gid, struct error *err) {
    /* The overlay's own top folder shows the upper's mode, so it must be the workspace's. */
    struct stat workspace;
    if (stat(run->workspace, &workspace) != 0 || !S_ISDIR(workspace.st_mode)) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, errno, "cannot use the folder %s",
                         run->workspace);
    }
    run->lock_fd = openat(run->fd, "lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (run->lock_fd < 0 || flock(run->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot lock run %s", run->id);
    }
    TRY(run_mark_live(state, run->id, err));
    TRY(run_make_folder(run->fd, "upper", workspace.st_mode & 07777, uid, gid, err));
    TRY(run_make_folder(run->fd, "work", 0700, uid, gid, err));
    TRY(run_make_folder(run->fd, "tmp", 01777, uid, gid, err));
    TRY(run_make_folder(run->fd, "home", 0700, uid, gid, err));
    return run_save(run, false, err);
}

status_t run_create(const struct state *state, const struct clock *clock,
                    const struct run_create_options *options, struct run *ret_run,
                    struct error *err) {
    struct run run = {.state = RUN_LIVE, .outcome_seq = UINT64_MAX, .fd = -1, .lock_fd = -1};
    if (strlen(options->workspace) >= sizeof run.workspace) {
        return error_set(err, ERROR_WORKSPACE_UNUSABLE, ENAMETOOLONG, "the path is too long");
    }
    run.started_ms = clock_wall_ms(clock);
    if (options->id == nullptr) {
        id_generate(run.started_ms, run.id);
    } else {
        ASSERT(id_is_valid(options->id));
        (void)snprintf(run.id, sizeof run.id, "%s", options->id);
    }
    (void)snprintf(run.workspace, sizeof run.workspace, "%s", options->workspace);
    (void)snprintf(run.parent, sizeof run.parent, "%s",
                   options->parent != nullptr ? options->parent : "");
    if (mkdirat(state->runs_fd, run.id, 0700) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot create the folder of run %s", run.id);
    }
    status_t status = file_open_folder(state->runs_fd, run.id, false, 0, &run.fd, err);
    if (status_is_ok(status)) {
        status = run_fill_folder(state, &run, options->host_uid, options->host_gid, err);
    }
    if (!status_is_ok(status)) {
        struct error ignored;
        run_close(&run);
        status_t removed = file_remove_tree(state->runs_fd, run.id, &ignored);
        (void)removed;
        return status;
    }
    *ret_run = run;
    return STATUS_OK;
}
