/* SPDX-License-Identifier: Apache-2.0
 *
 * Several files change places, and a crash may come between any two. So the file audit.renewing is
 * written first, durable, with everything a second try needs; while it is there audit_log_open()
 * refuses. Each step looks whether it was done already: what stands in the set-aside folder is old
 * and is never replaced, and audit.db goes there last of its three files, so an audit.db that is
 * seen beside its old self is the new one.
 */
#include "audit/renew.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/check.h"
#include "audit/checkpoint.h"
#include "audit/log_file.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "keys/protocol.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char FOLDER[] = "set-aside";
enum { RENEWALS_MAX = 9999, MARK_BYTES_MAX = 65536 };

static bool is_there(int folder, const char *name) {
    return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static bool is_damage(const struct error *err) {
    return err->code == ERROR_AUDIT_DAMAGED || err->code == ERROR_AUDIT_ROLLED_BACK;
}

/* A key that was made has signed at once; its checkpoint does not vanish by itself. */
static status_t look_at_checkpoint(const struct state *state, struct error *err) {
    return is_there(state->keys_fd, KEYS_FILE_VKEY) &&
                   !is_there(state->keys_fd, KEYS_FILE_CHECKPOINT)
               ? error_set(err, ERROR_AUDIT_ROLLED_BACK, 0, "keys/%s is gone", KEYS_FILE_CHECKPOINT)
               : STATUS_OK;
}

static status_t look(const struct state *state, const struct clock *clock, struct error *err) {
    CLEANUP(audit_log_closep) struct audit_log *log = nullptr;
    struct audit_check_options options = {0};
    struct audit_check_result result;
    TRY(audit_log_open(&(struct audit_log_options){state, clock}, &log, err));
    TRY(audit_log_check(log, &options, &result, err));
    return look_at_checkpoint(state, err);
}

status_t audit_renew_is_whole(const struct state *state, const struct clock *clock, bool *ret_whole,
                              struct error *ret_why, struct error *err) {
    struct error why = {0};
    status_t status = look(state, clock, &why);
    if (!status_is_ok(status) && !is_damage(&why)) {
        *err = why;
        return status;
    }
    *ret_whole = status_is_ok(status);
    if (!*ret_whole) {
        *ret_why = why;
    }
    return STATUS_OK;
}

/* The origin that follows: "/2" after the first, then a larger number in its place. */
static void origin_next(const char *old, char *ret_origin, size_t size) {
    const char *last = strrchr(old, '/');
    size_t digits = last == nullptr ? 0 : strspn(last + 1, "0123456789");
    bool is_numbered = digits > 0 && digits <= 4 && last[1 + digits] == '\0' && last[1] != '0';
    int base = is_numbered ? (int)(last - old) : (int)strlen(old);
    unsigned long number = is_numbered ? strtoul(last + 1, nullptr, 10) + 1 : 2;
    (void)snprintf(ret_origin, size, "%.*s/%lu", base, old, number);
}

static status_t origin_read(const struct state *state, char ret_origin[static NOTE_NAME_BYTES],
                            struct error *err) {
    struct builder text;
    bool found = false;
    builder_init(&text, NOTE_NAME_BYTES);
    status_t status = file_read(state->keys_fd, KEYS_FILE_ORIGIN, &text, &found, err);
    struct cursor cursor = cursor_of(builder_slice(&text));
    struct slice line = cursor_until(&cursor, '\n');
    ret_origin[0] = '\0';
    if (status_is_ok(status) && found && cursor_is_finished(&cursor) && note_name_is_valid(line) &&
        line.size + 8 < (size_t)NOTE_NAME_BYTES) {
        memcpy(ret_origin, line.data, line.size);
        ret_origin[line.size] = '\0';
    }
    builder_deinit(&text);
    return status;
}

static status_t aside_choose(const struct state *state, char *ret_name, size_t size,
                             struct error *err) {
    for (int i = 1; i <= RENEWALS_MAX; i++) {
        (void)snprintf(ret_name, size, "%s/%d", FOLDER, i);
        if (!is_there(state->fd, ret_name)) {
            return STATUS_OK;
        }
    }
    return error_set(err, ERROR_LIMIT, 0, "%s holds too many old logs", FOLDER);
}

/* What the mark says, and what the new log's first entry will say of the old one. */
static status_t mark_make(const struct state *state, const char *reason, struct json **ret_mark,
                          struct error *err) {
    struct checkpoint last = {0};
    struct error ignored = {0};
    char origin[NOTE_NAME_BYTES];
    char next[NOTE_NAME_BYTES] = "";
    char aside[64];
    struct builder text;
    TRY(origin_read(state, origin, err));
    TRY(aside_choose(state, aside, sizeof aside, err));
    if (!status_is_ok(checkpoint_last(state, &last, &ignored))) {
        last = (struct checkpoint){0}; /* damaged too: then nothing is known to have been signed */
    }
    if (origin[0] != '\0') {
        origin_next(origin, next, sizeof next);
    }
    struct json *mark = json_object_new();
    builder_init(&text, MARK_BYTES_MAX / 4);
    text_hex(slice_of(last.root.bytes, DIGEST_BYTES), &text);
    json_set_text(mark, "old_root", builder_c_string(&text));
    builder_reset(&text);
    text_escape(slice_of_string(reason), &text);
    json_set_text(mark, "reason", builder_c_string(&text));
    builder_deinit(&text);
    json_set_text(mark, "old_origin", origin);
    json_set_integer(mark, "old_size", (int64_t)last.size);
    json_set_text(mark, "origin", next);
    json_set_text(mark, "set_aside", aside);
    *ret_mark = mark;
    return STATUS_OK;
}

static status_t mark_write(const struct state *state, const struct json *mark, struct error *err) {
    struct builder text;
    builder_init(&text, MARK_BYTES_MAX);
    json_write_canonical(mark, &text);
    builder_u8(&text, '\n');
    status_t status =
        file_write_atomic(state->fd, AUDIT_RENEWING_FILE, builder_slice(&text),
                          &(struct file_write_options){.mode = 0600, .durable = true}, err);
    builder_deinit(&text);
    return status;
}

/* The mark of a try before this one, or a new one. */
static status_t mark_get(const struct state *state, const char *reason, struct json **ret_mark,
                         struct error *err) {
    struct builder text;
    bool found = false;
    builder_init(&text, MARK_BYTES_MAX);
    status_t status = file_read(state->fd, AUDIT_RENEWING_FILE, &text, &found, err);
    if (status_is_ok(status) && found) {
        status = json_parse(builder_slice(&text), AUDIT_RENEWING_FILE, ret_mark, err);
    }
    builder_deinit(&text);
    TRY(status);
    if (found) {
        const char *aside = json_get_text(*ret_mark, "set_aside");
        return aside != nullptr && strncmp(aside, FOLDER, sizeof FOLDER - 1) == 0
                   ? STATUS_OK
                   : error_set(err, ERROR_STATE_UNUSABLE, 0, "%s is damaged", AUDIT_RENEWING_FILE);
    }
    TRY(mark_make(state, reason, ret_mark, err));
    return mark_write(state, *ret_mark, err);
}

/* Moves one file unless its old self is there already. */
static status_t set_aside(int from, const char *name, int aside, struct error *err) {
    if (renameat2(from, name, aside, name, RENAME_NOREPLACE) != 0 && errno != ENOENT &&
        errno != EEXIST) {
        return error_set(err, ERROR_IO, errno, "cannot set %s aside", name);
    }
    return STATUS_OK;
}

static bool is_of_the_log(const char *name) {
    return strncmp(name, "log.", 4) == 0 || strncmp(name, "log_pq.", 7) == 0 ||
           strcmp(name, KEYS_FILE_ORIGIN) == 0 || strcmp(name, KEYS_FILE_CHECKPOINT) == 0 ||
           strcmp(name, KEYS_FILE_PQ_CHECKPOINT) == 0;
}

/* What is done with every file of a folder. */
typedef status_t file_use(int folder, const char *name, int aside, struct error *err);

static status_t move_one(int folder, const char *name, int aside, struct error *err) {
    return is_of_the_log(name) ? set_aside(folder, name, aside, err) : STATUS_OK;
}

static status_t protect_one(int folder, const char *name, [[maybe_unused]] int aside,
                            struct error *err) {
    return fchmodat(folder, name, 0400, 0) == 0
               ? STATUS_OK
               : error_set(err, ERROR_IO, errno, "cannot make the old %s read-only", name);
}

static status_t each_file(int folder_fd, file_use *use, int aside, struct error *err) {
    int copy = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = copy < 0 ? nullptr : fdopendir(copy);
    status_t status = STATUS_OK;
    if (folder == nullptr) {
        fd_closep(&copy);
        return error_set(err, ERROR_IO, errno, "cannot read a folder of the log");
    }
    for (struct dirent *file = readdir(folder); file != nullptr && status_is_ok(status);
         file = readdir(folder)) {
        if (file->d_name[0] != '.') {
            status = use(folder_fd, file->d_name, aside, err);
        }
    }
    (void)closedir(folder);
    return status;
}

static status_t set_all_aside(const struct state *state, const char *name, struct error *err) {
    static const char *const FILES[] = {"audit.db-wal", "audit.db-shm", "audit.db"};
    CLEANUP(fd_closep) int aside = -1;
    TRY(file_make_folder(state->fd, FOLDER, 0700, err));
    TRY(file_open_folder(state->fd, name, true, 0700, &aside, err));
    if (!is_there(aside, "audit.db")) {
        for (size_t i = 0; i < sizeof FILES / sizeof FILES[0]; i++) {
            TRY(set_aside(state->fd, FILES[i], aside, err));
        }
    }
    TRY(each_file(state->keys_fd, move_one, aside, err));
    TRY(each_file(aside, protect_one, aside, err));
    TRY(fd_sync(aside, name, err));
    TRY(fd_sync(state->keys_fd, "keys/", err));
    return fd_sync(state->fd, "the state folder", err);
}

static status_t origin_write(const struct state *state, const char *origin, struct error *err) {
    if (origin == nullptr || origin[0] == '\0') {
        return STATUS_OK; /* the key process draws one */
    }
    char line[NOTE_NAME_BYTES + 1];
    int size = snprintf(line, sizeof line, "%s\n", origin);
    return file_write_atomic(state->keys_fd, KEYS_FILE_ORIGIN, slice_of(line, (size_t)size),
                             &(struct file_write_options){.mode = 0600, .durable = true}, err);
}

static status_t begin_log(const struct state *state, const struct clock *clock,
                          const struct json *mark, struct error *err) {
    static const char *const TEXTS[] = {"old_origin", "old_root", "reason", "set_aside"};
    CLEANUP(audit_log_closep) struct audit_log *log = nullptr;
    struct audit_head head;
    TRY(audit_log_open_renewing(&(struct audit_log_options){state, clock}, &log, err));
    TRY(audit_log_head(log, &head, err));
    if (head.size > 0) {
        return STATUS_OK; /* the try before this one came so far */
    }
    int64_t old_size = 0;
    struct json *fields = json_object_new();
    (void)json_get_integer(mark, "old_size", &old_size);
    json_set_integer(fields, "old_size", old_size);
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        const char *text = json_get_text(mark, TEXTS[i]);
        json_set_text(fields, TEXTS[i], text == nullptr ? "" : text);
    }
    struct audit_append entry = {AUDIT_EVENT_CHAIN_BREAK, fields};
    return audit_log_append(log, &entry, 1, nullptr, err);
}

static void tell(const struct json *mark, struct audit_renewal *ret_renewal) {
    const char *origin = json_get_text(mark, "origin");
    int64_t old_size = 0;
    (void)json_get_integer(mark, "old_size", &old_size);
    (void)snprintf(ret_renewal->aside, sizeof ret_renewal->aside, "%s",
                   json_get_text(mark, "set_aside"));
    (void)snprintf(ret_renewal->origin, sizeof ret_renewal->origin, "%s",
                   origin == nullptr ? "" : origin);
    ret_renewal->old_size = (uint64_t)old_size;
}

/* Under audit.lock but for the last step, whose append takes the lock itself. */
static status_t clear_the_way(const struct state *state, const struct clock *clock,
                              const char *reason, struct json **ret_mark, struct error *err) {
    CLEANUP(fd_closep) int lock = -1;
    const struct audit_log locking = {.state = state, .clock = clock};
    TRY(audit_lock_take(&locking, &lock, err));
    TRY(mark_get(state, reason, ret_mark, err));
    TRY(set_all_aside(state, json_get_text(*ret_mark, "set_aside"), err));
    return origin_write(state, json_get_text(*ret_mark, "origin"), err);
}

status_t audit_renew(const struct state *state, const struct clock *clock, const char *reason,
                     struct audit_renewal *ret_renewal, struct error *err) {
    CLEANUP(json_freep) struct json *mark = nullptr;
    TRY(clear_the_way(state, clock, reason, &mark, err));
    TRY(begin_log(state, clock, mark, err));
    if (unlinkat(state->fd, AUDIT_RENEWING_FILE, 0) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot remove %s", AUDIT_RENEWING_FILE);
    }
    TRY(fd_sync(state->fd, "the state folder", err));
    tell(mark, ret_renewal);
    return STATUS_OK;
}
