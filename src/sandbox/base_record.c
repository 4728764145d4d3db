/* SPDX-License-Identifier: Apache-2.0
 *
 * base/index: "airlock-base 1\n", u32 count, then per change: path, before, after, refusal, flags.
 * Little-endian, read through a cursor.
 */
#include "sandbox/base_record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "crypto/merkle.h"
#include "sys/file.h"

#define INDEX_VERSION "airlock-base 1\n"
enum { CHANGE_BYTES_MAX = LIMIT_PATH_BYTES + 512 };

static const char *const refusal_texts[REFUSAL_COUNT] = {
    [REFUSAL_NONE] = "",
    [REFUSAL_DEVICE] = "a device",
    [REFUSAL_FIFO] = "a named pipe",
    [REFUSAL_SOCKET] = "a socket",
    [REFUSAL_SETUID] = "a setuid, setgid or sticky file",
    [REFUSAL_ATTRIBUTE] = "a file with security attributes",
    [REFUSAL_UNREADABLE] = "a file that cannot be read",
    [REFUSAL_RESERVED_NAME] = "a name that apply uses itself",
};

const char *refusal_text(enum refusal refusal) {
    ASSERT(refusal < REFUSAL_COUNT);
    return refusal_texts[refusal];
}

int path_order(const char *a, const char *b) {
    while (*a == *b && *a != '\0') {
        a++;
        b++;
    }
    int left = *a == '/' ? 1 : (*a == '\0' ? 0 : (unsigned char)*a + 2);
    int right = *b == '/' ? 1 : (*b == '\0' ? 0 : (unsigned char)*b + 2);
    return left - right;
}

bool path_is_within(const char *path, const char *folder) {
    size_t size = strlen(folder);
    return size == 0 ||
           (strncmp(path, folder, size) == 0 && (path[size] == '\0' || path[size] == '/'));
}

void change_list_deinit(struct change_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].path);
    }
    free(list->items);
    *list = (struct change_list){0};
}

status_t change_list_add(struct change_list *list, const struct change *change, struct error *err) {
    if (list->count == LIMIT_STAGE_ENTRIES) {
        limit_hit(LIMIT_ID_STAGE_ENTRIES);
        return error_set(err, ERROR_LIMIT, 0, "the stage changes more than %lld paths",
                         (long long)LIMIT_STAGE_ENTRIES);
    }
    size_t path_bytes = strlen(change->path) + 1;
    if (list->path_bytes + path_bytes > (size_t)LIMIT_STAGE_PATH_BYTES) {
        limit_hit(LIMIT_ID_STAGE_PATH_BYTES);
        return error_set(err, ERROR_LIMIT, 0,
                         "the paths a stage changes are longer than %lld bytes",
                         (long long)LIMIT_STAGE_PATH_BYTES);
    }
    if (list->count == list->capacity) {
        size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        struct change *items = reallocarray(list->items, capacity, sizeof *items);
        if (items == nullptr) {
            return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the stage's changes");
        }
        list->items = items;
        list->capacity = capacity;
    }
    char *path = strdup(change->path);
    if (path == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot list the stage's changes");
    }
    list->path_bytes += path_bytes;
    list->items[list->count] = *change;
    list->items[list->count++].path = path;
    return STATUS_OK;
}

static int change_order(const void *a, const void *b) {
    const struct change *left = a;
    const struct change *right = b;
    return path_order(left->path, right->path);
}

void change_list_sort(struct change_list *list) {
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof list->items[0], change_order);
    }
}

size_t change_list_lower_bound(const struct change_list *list, const char *path) {
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (path_order(list->items[middle].path, path) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct change *change_list_find(const struct change_list *list, const char *path) {
    size_t at = change_list_lower_bound(list, path);
    return at < list->count && strcmp(list->items[at].path, path) == 0 ? &list->items[at] : nullptr;
}

/* Encoding. */

void base_state_encode(const struct entry_state *state, struct builder *out) {
    builder_u8(out, state->kind);
    builder_u8(out, state->owner_is_payload);
    builder_u32(out, state->mode);
    builder_u32(out, state->uid);
    builder_u32(out, state->gid);
    builder_u64(out, state->dev);
    builder_u64(out, state->ino);
    builder_u64(out, state->size);
    builder_u64(out, (uint64_t)state->mtime_ns);
    builder_u64(out, (uint64_t)state->ctime_ns);
    builder_bytes(out, slice_of(state->digest.bytes, DIGEST_BYTES));
    builder_bytes(out, slice_of(state->xattrs.bytes, DIGEST_BYTES));
}

static void digest_decode(struct cursor *in, struct digest *ret) {
    struct slice bytes = cursor_bytes(in, DIGEST_BYTES);
    if (bytes.size == DIGEST_BYTES) {
        memcpy(ret->bytes, bytes.data, DIGEST_BYTES);
    }
}

void base_state_decode(struct cursor *in, struct entry_state *ret) {
    uint8_t kind = cursor_u8(in);
    if (kind > ENTRY_OTHER) {
        cursor_fail(in);
        return;
    }
    ret->kind = (enum entry_kind)kind;
    ret->owner_is_payload = cursor_u8(in) != 0;
    ret->mode = cursor_u32(in);
    ret->uid = cursor_u32(in);
    ret->gid = cursor_u32(in);
    ret->dev = cursor_u64(in);
    ret->ino = cursor_u64(in);
    ret->size = cursor_u64(in);
    ret->mtime_ns = (int64_t)cursor_u64(in);
    ret->ctime_ns = (int64_t)cursor_u64(in);
    digest_decode(in, &ret->digest);
    digest_decode(in, &ret->xattrs);
}

status_t base_record_write(const struct run *run, const struct change_list *list,
                           struct error *err) {
    CLEANUP(builder_deinit) struct builder out;
    builder_init(&out, list->count * CHANGE_BYTES_MAX + 64);
    builder_text(&out, INDEX_VERSION);
    builder_u32(&out, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct change *change = &list->items[i];
        builder_string(&out, change->path);
        base_state_encode(&change->before, &out);
        base_state_encode(&change->after, &out);
        builder_u8(&out, change->refusal);
        builder_u8(&out, (uint8_t)((change->moved ? 1 : 0) | (change->has_copy ? 2 : 0) |
                                   (change->is_relisted ? 4 : 0)));
    }
    if (!builder_is_ok(&out)) {
        return error_set(err, ERROR_NO_MEMORY, ENOMEM, "cannot record the stage's changes");
    }
    struct file_write_options options = {.mode = 0600};
    return file_write_atomic(run->fd, "base/index", builder_slice(&out), &options, err);
}

static bool change_decode(struct cursor *in, uint32_t number, struct change *ret) {
    *ret = (struct change){.number = number};
    const char *path = cursor_string(in);
    base_state_decode(in, &ret->before);
    base_state_decode(in, &ret->after);
    uint8_t refusal = cursor_u8(in);
    uint8_t flags = cursor_u8(in);
    if (!cursor_is_ok(in) || refusal >= REFUSAL_COUNT || path[0] == '\0' || path[0] == '/') {
        return false;
    }
    ret->refusal = (enum refusal)refusal;
    ret->moved = (flags & 1) != 0;
    ret->has_copy = (flags & 2) != 0;
    ret->is_relisted = (flags & 4) != 0;
    union {
        const char *in;
        char *out;
    } borrowed = {.in = path}; /* change_list_add() copies it */
    ret->path = borrowed.out;
    return true;
}

static status_t base_record_decode(const struct run *run, struct slice bytes,
                                   struct change_list *list, struct error *err) {
    struct cursor in = cursor_of(bytes);
    struct slice version = cursor_bytes(&in, sizeof INDEX_VERSION - 1);
    bool ok = slice_equal(version, SLICE_LITERAL(INDEX_VERSION));
    uint32_t count = cursor_u32(&in);
    for (uint32_t i = 0; i < count && ok; i++) {
        struct change change;
        ok = change_decode(&in, i, &change) &&
             (i == 0 || path_order(list->items[i - 1].path, change.path) < 0);
        if (ok) {
            TRY(change_list_add(list, &change, err));
        }
    }
    if (!ok || !cursor_is_finished(&in)) {
        return error_set(err, ERROR_STAGE_DAMAGED, 0, "the record of run %s is damaged", run->id);
    }
    return STATUS_OK;
}

status_t base_record_read(const struct run *run, struct change_list *ret_list, struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    builder_init(&bytes, (size_t)LIMIT_STAGE_ENTRIES * 1024);
    bool found = false;
    TRY(file_read(run->fd, "base/index", &bytes, &found, err));
    if (!found && run->change_count == 0) {
        *ret_list = (struct change_list){0};
        return STATUS_OK;
    }
    if (!found) {
        return error_set(err, ERROR_STAGE_DAMAGED, 0, "the record of run %s is missing", run->id);
    }
    struct change_list list = {0};
    status_t status = base_record_decode(run, builder_slice(&bytes), &list, err);
    if (!status_is_ok(status)) {
        change_list_deinit(&list);
        return status;
    }
    *ret_list = list;
    return STATUS_OK;
}

/* Digest. */

static void leaf_encode(const struct change *change, struct builder *out) {
    const struct entry_state *after = &change->after;
    builder_string(out, change->path);
    builder_u8(out, after->kind);
    builder_u32(out, after->kind == ENTRY_LINK ? 0 : after->mode);
    builder_u8(out, after->owner_is_payload);
    builder_u8(out, change->refusal);
    builder_u64(out, after->kind == ENTRY_FILE ? after->size : 0);
    builder_bytes(out, slice_of(after->digest.bytes, DIGEST_BYTES));
    builder_bytes(out, slice_of(after->xattrs.bytes, DIGEST_BYTES));
}

void base_record_digest(const struct change_list *list, struct digest *ret_digest) {
    struct merkle_frontier frontier;
    CLEANUP(builder_deinit) struct builder entry;
    builder_init(&entry, CHANGE_BYTES_MAX);
    merkle_frontier_init(&frontier);
    for (size_t i = 0; i < list->count; i++) {
        struct digest leaf;
        struct digest completed[64];
        unsigned completed_count;
        builder_reset(&entry);
        leaf_encode(&list->items[i], &entry);
        ASSERT(builder_is_ok(&entry));
        merkle_leaf(builder_slice(&entry), &leaf);
        merkle_frontier_append(&frontier, &leaf, completed, &completed_count);
    }
    merkle_frontier_root(&frontier, ret_digest);
}
