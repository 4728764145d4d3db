/* SPDX-License-Identifier: Apache-2.0
 *
 * parts/index: "airlock-parts 1\n", u32 count, then per row: path, state. Little-endian, read
 * through a cursor.
 */
#include "sandbox/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sandbox/stage_view.h"
#include "sys/fd.h"
#include "sys/file.h"

#define PARTS_VERSION "airlock-parts 1\n"
enum { PARTS_BYTES_MAX = 1 << 28, NAME_BYTES = sizeof "parts/" + 2 * DIGEST_BYTES };

void part_list_deinit(struct part_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].path);
    }
    free(list->items);
    *list = (struct part_list){0};
}

status_t part_list_add(struct part_list *list, const char *path, const struct entry_state *state,
                       struct error *err) {
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
        struct part *items = reallocarray(list->items, capacity, sizeof *items);
        if (items == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list what was applied in part");
        }
        list->items = items;
        list->capacity = capacity;
    }
    char *copy = strdup(path);
    if (copy == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list what was applied in part");
    }
    list->items[list->count++] = (struct part){copy, *state};
    return STATUS_OK;
}

static status_t parts_decode(const struct run *run, struct slice bytes, struct part_list *list,
                             struct error *err) {
    struct cursor in = cursor_of(bytes);
    struct slice version = cursor_bytes(&in, sizeof PARTS_VERSION - 1);
    bool ok = slice_equal(version, SLICE_LITERAL(PARTS_VERSION));
    uint32_t count = cursor_u32(&in);
    for (uint32_t i = 0; i < count && ok; i++) {
        struct entry_state state = {0};
        const char *path = cursor_string(&in);
        base_state_decode(&in, &state);
        ok = cursor_is_ok(&in) && path[0] != '\0' && path[0] != '/' && state.kind == ENTRY_FILE;
        if (ok) {
            TRY(part_list_add(list, path, &state, err));
        }
    }
    return ok && cursor_is_finished(&in)
               ? STATUS_OK
               : error_set(err, ERROR_STAGE_DAMAGED, 0,
                           "the record of what run %s was applied of in part is damaged", run->id);
}

status_t parts_read(const struct run *run, struct part_list *ret_list, struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    builder_init(&bytes, PARTS_BYTES_MAX);
    struct part_list list = {0};
    bool found = false;
    TRY(file_read(run->fd, "parts/index", &bytes, &found, err));
    status_t status = found ? parts_decode(run, builder_slice(&bytes), &list, err) : STATUS_OK;
    if (!status_is_ok(status)) {
        part_list_deinit(&list);
        return status;
    }
    *ret_list = list;
    return STATUS_OK;
}

static void content_name(const struct digest *digest, char ret[static NAME_BYTES]) {
    struct builder hex;
    builder_init(&hex, 2 * DIGEST_BYTES + 1);
    text_hex(slice_of(digest->bytes, DIGEST_BYTES), &hex);
    (void)snprintf(ret, NAME_BYTES, "parts/%s", builder_c_string(&hex));
    builder_deinit(&hex);
}

int parts_open(const struct run *run, const struct digest *digest) {
    char name[NAME_BYTES];
    content_name(digest, name);
    return file_open_beneath(run->fd, name, O_RDONLY | O_NOFOLLOW, 0, true);
}

status_t parts_keep(const struct run *run, struct slice content, struct error *err) {
    struct digest digest;
    char name[NAME_BYTES];
    sha256_of(content, &digest);
    content_name(&digest, name);
    TRY(file_make_folder(run->fd, "parts", 0700, err));
    struct file_write_options options = {.mode = 0600, .durable = true};
    return file_write_atomic(run->fd, name, content, &options, err);
}

static bool is_named(const struct part_list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        char own[NAME_BYTES];
        content_name(&list->items[i].state.digest, own);
        if (strcmp(own + sizeof "parts/" - 1, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What stays behind costs room, nothing else. */
static void remove_unnamed(const struct run *run, const struct part_list *list) {
    CLEANUP(fd_closep) int folder = -1;
    CLEANUP(name_list_deinit) struct name_list names = {0};
    struct error ignored;
    if (!status_is_ok(file_open_folder(run->fd, "parts", false, 0, &folder, &ignored)) ||
        !status_is_ok(name_list_read(folder, "parts", &names, &ignored))) {
        return;
    }
    for (size_t i = 0; i < names.count; i++) {
        if (strcmp(names.names[i], "index") != 0 && !is_named(list, names.names[i])) {
            (void)unlinkat(folder, names.names[i], 0);
        }
    }
}

status_t parts_write(const struct run *run, const struct part_list *list, struct error *err) {
    CLEANUP(builder_deinit) struct builder out;
    builder_init(&out, PARTS_BYTES_MAX);
    builder_text(&out, PARTS_VERSION);
    builder_u32(&out, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        builder_string(&out, list->items[i].path);
        base_state_encode(&list->items[i].state, &out);
    }
    if (!builder_is_ok(&out)) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot record what was applied in part");
    }
    TRY(file_make_folder(run->fd, "parts", 0700, err));
    struct file_write_options options = {.mode = 0600, .durable = true};
    TRY(file_write_atomic(run->fd, "parts/index", builder_slice(&out), &options, err));
    remove_unnamed(run, list);
    return STATUS_OK;
}
