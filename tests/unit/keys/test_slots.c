/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/slots.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/note.h"
#include "keys/protocol.h"
#include "sys/file.h"

static char path[64];
static int folder = -1;
static struct error err;

static int set_up(void **state) {
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/airlock-test-slots-XXXXXX");
    if (mkdtemp(path) == nullptr) {
        return -1;
    }
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return folder < 0 ? -1 : 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)close(folder);
    return status_is_ok(file_remove_tree(AT_FDCWD, path, &err)) ? 0 : -1;
}

/* A checkpoint of that size; nobody looks at its signature here. */
static void write_checkpoint(uint64_t size) {
    char text[512];
    char signature[92]; /* 68 bytes of zero in base64, but for the padding */
    memset(signature, 'A', sizeof signature);
    signature[91] = '\0';
    (void)snprintf(text, sizeof text,
                   "example.com/log\n%llu\nXcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=\n\n"
                   "\u2014 example.com/log %s=\n",
                   (unsigned long long)size, signature);
    struct builder before;
    bool found = false;
    int newest = SLOT_NONE;
    builder_init(&before, NOTE_BYTES_MAX);
    /* What cannot be read is written anew. */
    (void)slots_read_newest(folder, KEYS_FILE_CHECKPOINT, &before, &found, &newest, &err).code;
    builder_deinit(&before);
    assert_int_equal(
        slots_write(folder, KEYS_FILE_CHECKPOINT, slice_of_string(text), newest, &err).code, 0);
}

static uint64_t read_size(void) {
    struct builder text;
    struct note note;
    bool found = false;
    builder_init(&text, NOTE_BYTES_MAX);
    assert_int_equal(slots_read(folder, KEYS_FILE_CHECKPOINT, &text, &found, &err).code, 0);
    assert_true(!found || note_parse(builder_slice(&text), &note));
    builder_deinit(&text);
    return found ? note.checkpoint.size : 0;
}

static void flip(off_t at) {
    int fd = openat(folder, KEYS_FILE_CHECKPOINT, O_RDWR | O_CLOEXEC);
    uint8_t byte = 0;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    (void)close(fd);
}

static void the_newest_counts(void **state) {
    (void)state;
    assert_int_equal(read_size(), 0);
    struct stat first;
    struct stat later;
    for (uint64_t size = 1; size <= 7; size++) {
        write_checkpoint(size);
        assert_int_equal(read_size(), size);
        assert_int_equal(fstatat(folder, KEYS_FILE_CHECKPOINT, size == 1 ? &first : &later, 0), 0);
    }
    /* In place: no new file, no new size. */
    assert_int_equal(first.st_ino, later.st_ino);
    assert_int_equal(later.st_size, SLOT_COUNT * SLOT_BYTES);
    assert_int_equal(later.st_mode & 07777, 0600);
}

/* Wherever a slot is torn, the one before counts, and the next one takes the torn one's place. */
static void a_torn_slot_leaves_the_one_before(void **state) {
    (void)state;
    write_checkpoint(4);
    write_checkpoint(5);
    static const off_t places[] = {0, 20, 150, SLOT_BYTES - 32, SLOT_BYTES - 1};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        flip(SLOT_BYTES + places[i]);
        assert_int_equal(read_size(), 4);
        flip(SLOT_BYTES + places[i]);
        assert_int_equal(read_size(), 5);
    }
    flip(SLOT_BYTES);
    write_checkpoint(6);
    assert_int_equal(read_size(), 6);
    flip(SLOT_BYTES);
    assert_int_equal(read_size(), 4);
}

static void no_whole_slot_is_damage(void **state) {
    (void)state;
    struct builder text;
    bool found = false;
    write_checkpoint(4);
    flip(3); /* the other slot was never written */
    builder_init(&text, NOTE_BYTES_MAX);
    assert_int_equal(slots_read(folder, KEYS_FILE_CHECKPOINT, &text, &found, &err).code,
                     ERROR_AUDIT_DAMAGED);
    assert_int_equal(text.size, 0);
    builder_deinit(&text);
}

/* One note and nothing else: what earlier versions wrote. */
static void an_earlier_form_is_read_and_replaced(void **state) {
    (void)state;
    struct builder text;
    bool found = false;
    write_checkpoint(9);
    builder_init(&text, NOTE_BYTES_MAX);
    assert_int_equal(slots_read(folder, KEYS_FILE_CHECKPOINT, &text, &found, &err).code, 0);
    assert_int_equal(file_write_atomic(folder, KEYS_FILE_CHECKPOINT, builder_slice(&text),
                                       &(struct file_write_options){.mode = 0600}, &err)
                         .code,
                     0);
    builder_deinit(&text);
    assert_int_equal(read_size(), 9);
    write_checkpoint(10);
    assert_int_equal(read_size(), 10);
    write_checkpoint(11);
    assert_int_equal(read_size(), 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_slot_leaves_the_one_before, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_whole_slot_is_damage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_earlier_form_is_read_and_replaced, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
