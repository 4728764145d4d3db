/* SPDX-License-Identifier: Apache-2.0
 *
 * A new file for every checkpoint, synced and renamed into place, would cost two commits of the
 * filesystem's journal in each command, more than all else that a command makes durable. Two slots
 * that are written in turns cost one write and one flush of its data, because neither size nor
 * blocks of the file change. A slot is the note, zeros, and the SHA-256 of the note; one that was
 * being written when power failed does not match its digest, and the other one counts. Which is
 * newer says the size of its tree.
 *
 * A file of another size is one note and nothing else, as earlier versions wrote it.
 */
#include "keys/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "crypto/hash.h"
#include "keys/note.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { TEXT_BYTES_MAX = SLOT_BYTES - DIGEST_BYTES };

/* The note of a slot; false when the slot is not whole. */
static bool slot_parse(const uint8_t *slot, struct slice *ret_text, uint64_t *ret_size) {
    struct digest digest;
    struct note note;
    struct slice text = slice_of(slot, strnlen((const char *)slot, TEXT_BYTES_MAX));
    sha256_of(text, &digest);
    if (memcmp(digest.bytes, slot + TEXT_BYTES_MAX, DIGEST_BYTES) != 0 ||
        !note_parse(text, &note)) {
        return false;
    }
    *ret_text = text;
    *ret_size = note.checkpoint.size;
    return true;
}

/* The number of the newest slot and its text; SLOT_NONE when none is whole. */
static int newest_of(struct slice file, struct slice *ret_text) {
    int found = SLOT_NONE;
    uint64_t size_found = 0;
    for (int i = 0; i < SLOT_COUNT; i++) {
        struct slice text;
        uint64_t size = 0;
        if (slot_parse(file.data + (size_t)i * SLOT_BYTES, &text, &size) &&
            (found < 0 || size > size_found)) {
            found = i;
            size_found = size;
            *ret_text = text;
        }
    }
    return found;
}

static bool has_slots(struct slice file) {
    return file.size == (size_t)SLOT_COUNT * SLOT_BYTES;
}

status_t slots_read_newest(int folder_fd, const char *name, struct builder *out, bool *ret_found,
                           int *ret_newest, struct error *err) {
    struct builder file;
    int number = SLOT_NONE;
    builder_init(&file, NOTE_BYTES_MAX);
    status_t status = file_read(folder_fd, name, &file, ret_found, err);
    struct slice text = builder_slice(&file);
    if (status_is_ok(status) && *ret_found && has_slots(text)) {
        number = newest_of(builder_slice(&file), &text);
        status = number == SLOT_NONE ? error_set(err, ERROR_AUDIT_DAMAGED, 0,
                                                 "keys/%s is no signed checkpoint", name)
                                     : STATUS_OK;
    }
    if (status_is_ok(status) && *ret_found) {
        builder_bytes(out, text);
    }
    builder_deinit(&file);
    *ret_newest = number;
    return status;
}

status_t slots_read(int folder_fd, const char *name, struct builder *out, bool *ret_found,
                    struct error *err) {
    int number;
    return slots_read_newest(folder_fd, name, out, ret_found, &number, err);
}

static void slot_make(struct slice text, uint8_t ret_slot[static SLOT_BYTES]) {
    struct digest digest;
    ASSERT(text.size < TEXT_BYTES_MAX);
    memset(ret_slot, 0, SLOT_BYTES);
    memcpy(ret_slot, text.data, text.size);
    sha256_of(text, &digest);
    memcpy(ret_slot + TEXT_BYTES_MAX, digest.bytes, DIGEST_BYTES);
}

/* Into the slot that is not the newest one. */
static status_t write_slot(int folder, const char *name, int number, const uint8_t *slot,
                           struct error *err) {
    CLEANUP(fd_closep)
    int fd = file_open_beneath(folder, name, O_WRONLY | O_NOFOLLOW, 0, false);
    if (fd < 0 || pwrite(fd, slot, SLOT_BYTES, (off_t)number * SLOT_BYTES) != (ssize_t)SLOT_BYTES ||
        fdatasync(fd) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot write keys/%s", name);
    }
    return STATUS_OK;
}

/* The first one, or the first after an earlier version's. */
static status_t write_whole(int folder, const char *name, const uint8_t *slot, struct error *err) {
    CLEANUP(memory_freep) uint8_t *file = calloc(SLOT_COUNT, SLOT_BYTES);
    if (file == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot keep a checkpoint");
    }
    memcpy(file, slot, SLOT_BYTES);
    return file_write_atomic(folder, name, slice_of(file, (size_t)SLOT_COUNT * SLOT_BYTES),
                             &(struct file_write_options){.mode = 0600, .durable = true}, err);
}

status_t slots_write(int folder_fd, const char *name, struct slice text, int newest,
                     struct error *err) {
    uint8_t slot[SLOT_BYTES];
    ASSERT(newest >= SLOT_NONE && newest < SLOT_COUNT);
    slot_make(text, slot);
    return newest == SLOT_NONE ? write_whole(folder_fd, name, slot, err)
                               : write_slot(folder_fd, name, 1 - newest, slot, err);
}
