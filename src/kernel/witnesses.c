/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/witnesses.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "audit/cosigned.h"
#include "base/cleanup.h"
#include "keys/cosignature.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "witness/url.h"

static const char BOOK_FILE[] = "witnesses.json";
static const char BOOK_LOCK[] = "witnesses.lock";

enum { BOOK_BYTES_MAX = LIMIT_WITNESSES * (2 * LIMIT_PATH_BYTES) };

struct witness_row witnesses_row(const struct json *list, size_t index) {
    const struct json *row = json_array_at(list, index);
    return (struct witness_row){
        .name = json_get_text(row, "name"),
        .vkey = json_get_text(row, "vkey"),
        .url = json_get_text(row, "url"),
        .ca = json_get_text(row, "ca"),
    };
}

static bool row_is_sound(const struct witness_row *row) {
    struct note_vkey vkey;
    struct url url;
    return row->name != nullptr && cosigned_name_is_valid(row->name) && row->vkey != nullptr &&
           cosignature_vkey_parse(slice_of_string(row->vkey), &vkey) && row->url != nullptr &&
           url_parse(row->url, &url) && row->ca != nullptr;
}

status_t witnesses_read(const struct state *state, struct json **ret_list, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    CLEANUP(json_freep) struct json *list = nullptr;
    struct error malformed;
    bool found = false;
    builder_init(&text, BOOK_BYTES_MAX);
    TRY(file_read(state->fd, BOOK_FILE, &text, &found, err));
    bool is_sound =
        !found || (status_is_ok(json_parse(builder_slice(&text), BOOK_FILE, &list, &malformed)) &&
                   json_kind_of(list) == JSON_KIND_ARRAY);
    for (size_t i = 0; is_sound && i < json_array_count(list); i++) {
        struct witness_row row = witnesses_row(list, i);
        is_sound = row_is_sound(&row);
    }
    if (!is_sound) {
        status_t status = error_set(err, ERROR_BAD_ENCODING, 0, "%s/%s is no list of witnesses",
                                    state->path, BOOK_FILE);
        error_hint(err, "Move the file away and name the witnesses anew: airlock log witness add");
        return status;
    }
    *ret_list = found ? TAKE(list) : json_array_new();
    return STATUS_OK;
}

static void list_add(struct json *list, const struct witness_row *row) {
    struct json *object = json_object_new();
    json_set_text(object, "ca", row->ca);
    json_set_text(object, "name", row->name);
    json_set_text(object, "url", row->url);
    json_set_text(object, "vkey", row->vkey);
    json_append(list, object);
}

/* The list without the row of this name, which is left out when it is there. */
static struct json *list_without(const struct json *list, const char *name, bool *ret_found) {
    struct json *others = json_array_new();
    *ret_found = false;
    for (size_t i = 0; i < json_array_count(list); i++) {
        struct witness_row row = witnesses_row(list, i);
        if (strcmp(row.name, name) == 0) {
            *ret_found = true;
        } else {
            list_add(others, &row);
        }
    }
    return others;
}

static status_t list_write(const struct state *state, const struct json *list, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    builder_init(&text, BOOK_BYTES_MAX);
    json_write_pretty(list, &text);
    if (!builder_is_ok(&text) || json_array_count(list) > (size_t)LIMIT_WITNESSES) {
        limit_hit(LIMIT_ID_WITNESSES);
        status_t status =
            error_set(err, ERROR_LIMIT, 0, "a log has at most %d witnesses", (int)LIMIT_WITNESSES);
        error_hint(err, "Remove one first: airlock log witness remove NAME");
        return status;
    }
    const struct file_write_options options = {.mode = 0600, .durable = true};
    return file_write_atomic(state->fd, BOOK_FILE, builder_slice(&text), &options, err);
}

/* Held for one reading and writing of the list. */
static status_t book_lock(const struct state *state, int *ret_lock, struct error *err) {
    CLEANUP(fd_closep)
    int lock = file_open_beneath(state->fd, BOOK_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, true);
    int result = lock < 0 ? -1 : flock(lock, LOCK_EX);
    while (lock >= 0 && result != 0 && errno == EINTR) {
        result = flock(lock, LOCK_EX);
    }
    if (result != 0) {
        return error_set(err, ERROR_IO, errno, "cannot lock %s/%s", state->path, BOOK_LOCK);
    }
    *ret_lock = fd_take(&lock);
    return STATUS_OK;
}

static status_t row_check(const struct witness_row *row, struct error *err) {
    struct note_vkey vkey;
    struct url url;
    if (!cosigned_name_is_valid(row->name)) {
        return error_set(err, ERROR_USAGE, 0,
                         "a witness's name has a-z, 0-9, '.', '_', '-', and at most %d of them",
                         COSIGNED_NAME_BYTES - 1);
    }
    if (!cosignature_vkey_parse(slice_of_string(row->vkey), &vkey)) {
        (void)error_set(err, ERROR_USAGE, 0, "this is no verifier key of a witness");
        error_hint(err, "It has the form name+hex+base64, of type 0x04 (C2SP tlog-cosignature); "
                        "the witness's operator publishes it.");
        return (status_t){ERROR_USAGE};
    }
    if (!url_parse(row->url, &url)) {
        return error_set(err, ERROR_USAGE, 0,
                         "the URL of a witness is https://host[:port][/path], or http://");
    }
    return STATUS_OK;
}

status_t witnesses_add(const struct state *state, const struct witness_row *row,
                       struct error *err) {
    CLEANUP(json_freep) struct json *list = nullptr;
    CLEANUP(json_freep) struct json *others = nullptr;
    CLEANUP(fd_closep) int lock = -1;
    bool found = false;
    TRY(row_check(row, err));
    TRY(book_lock(state, &lock, err));
    TRY(witnesses_read(state, &list, err));
    others = list_without(list, row->name, &found);
    if (found) {
        (void)error_set(err, ERROR_USAGE, 0, "there is a witness %s already", row->name);
        error_hint(err, "Remove it first: airlock log witness remove %s", row->name);
        return (status_t){ERROR_USAGE};
    }
    list_add(others, row);
    return list_write(state, others, err);
}

status_t witnesses_remove(const struct state *state, const char *name, struct error *err) {
    CLEANUP(json_freep) struct json *list = nullptr;
    CLEANUP(json_freep) struct json *others = nullptr;
    CLEANUP(fd_closep) int lock = -1;
    bool found = false;
    TRY(book_lock(state, &lock, err));
    TRY(witnesses_read(state, &list, err));
    others = list_without(list, name, &found);
    if (!found) {
        return error_set(err, ERROR_WITNESS_UNKNOWN, 0, "there is no witness of this name");
    }
    TRY(list_write(state, others, err));
    return cosigned_remove(state, name, err);
}
