/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "enclave/elf_file.h"

/* A file with two segments, one interpreter, one library and a path to look for it. */
static struct {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
    Elf64_Dyn dynamic[5];
    char strings[64];
} file;
enum { BASE = 0x10000, LIBRARY = 1, RUNPATH = 10, INTERPRETER = 30 };

static int set_up(void **state) {
    (void)state;
    memset(&file, 0, sizeof file);
    memcpy(file.header.e_ident, ELFMAG, SELFMAG);
    file.header.e_ident[EI_CLASS] = ELFCLASS64;
    file.header.e_ident[EI_DATA] = ELFDATA2LSB;
    file.header.e_type = ET_DYN;
    file.header.e_phoff = offsetof(typeof(file), segments);
    file.header.e_phentsize = sizeof(Elf64_Phdr);
    file.header.e_phnum = 3;
    memcpy(file.strings + LIBRARY, "libx.so", 8);
    memcpy(file.strings + RUNPATH, "/opt:$ORIGIN/lib", 17);
    memcpy(file.strings + INTERPRETER, "/lib64/ld.so", 13);
    file.segments[0] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_vaddr = BASE, .p_filesz = sizeof file, .p_memsz = sizeof file};
    file.segments[1] = (Elf64_Phdr){.p_type = PT_INTERP,
                                    .p_offset = offsetof(typeof(file), strings) + INTERPRETER,
                                    .p_filesz = 13};
    file.segments[2] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
                                    .p_offset = offsetof(typeof(file), dynamic),
                                    .p_filesz = sizeof file.dynamic};
    file.dynamic[0] = (Elf64_Dyn){.d_tag = DT_NEEDED, .d_un.d_val = LIBRARY};
    file.dynamic[1] = (Elf64_Dyn){.d_tag = DT_RUNPATH, .d_un.d_val = RUNPATH};
    file.dynamic[2] =
        (Elf64_Dyn){.d_tag = DT_STRTAB, .d_un.d_ptr = BASE + offsetof(typeof(file), strings)};
    return 0;
}

static enum elf_result read_file(struct elf_links *links) {
    return elf_read(slice_of(&file, sizeof file), links);
}

static void links_are_read(void **state) {
    (void)state;
    struct elf_links links;
    assert_int_equal(read_file(&links), ELF_GOOD);
    assert_true(links.is_dynamic);
    assert_string_equal(links.interpreter, "/lib64/ld.so");
    assert_int_equal(links.needed_count, 1);
    assert_string_equal(links.needed[0], "libx.so");
    assert_string_equal(links.runpath, "/opt:$ORIGIN/lib");
    assert_null(links.rpath);
    file.header.e_phnum = 1; /* runs by itself */
    assert_int_equal(read_file(&links), ELF_GOOD);
    assert_false(links.is_dynamic);
    assert_null(links.interpreter);
}

static void others_are_told_apart(void **state) {
    (void)state;
    struct elf_links links;
    assert_int_equal(elf_read(SLICE_LITERAL("#!/bin/sh\n"), &links), ELF_NONE);
    assert_int_equal(elf_read(slice_of(nullptr, 0), &links), ELF_NONE);
    file.header.e_ident[EI_CLASS] = ELFCLASS32;
    assert_int_equal(read_file(&links), ELF_OTHER);
    (void)set_up(state);
    file.header.e_ident[EI_DATA] = ELFDATA2MSB;
    assert_int_equal(read_file(&links), ELF_OTHER);
    (void)set_up(state);
    file.header.e_type = ET_REL;
    assert_int_equal(read_file(&links), ELF_OTHER);
}

static void what_points_outside_is_refused(void **state) {
    (void)state;
    struct elf_links links;
    static const uint64_t FAR[] = {sizeof file, UINT64_MAX, UINT64_MAX - 8, 1ull << 40};
    for (size_t i = 0; i < sizeof FAR / sizeof FAR[0]; i++) {
        (void)set_up(state);
        file.header.e_phoff = FAR[i];
        assert_int_equal(read_file(&links), ELF_MALFORMED);
        (void)set_up(state);
        file.segments[1].p_offset = FAR[i];
        assert_int_equal(read_file(&links), ELF_MALFORMED);
        (void)set_up(state);
        file.dynamic[0].d_un.d_val = FAR[i];
        assert_int_equal(read_file(&links), ELF_MALFORMED);
        (void)set_up(state);
        file.dynamic[2].d_un.d_ptr = FAR[i];
        assert_int_equal(read_file(&links), ELF_MALFORMED);
    }
    (void)set_up(state);
    file.header.e_phentsize = 32;
    assert_int_equal(read_file(&links), ELF_MALFORMED);
    (void)set_up(state);
    file.header.e_phnum = 0xffff;
    assert_int_equal(read_file(&links), ELF_MALFORMED);
    (void)set_up(state);
    memset(file.strings + INTERPRETER, 'x', sizeof file.strings - INTERPRETER); /* has no end */
    assert_int_equal(read_file(&links), ELF_MALFORMED);
    (void)set_up(state);
    memcpy(file.strings + INTERPRETER, "ld.so", 6); /* relative: who knows to what */
    assert_int_equal(read_file(&links), ELF_MALFORMED);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        ROW(links_are_read),
        ROW(others_are_told_apart),
        ROW(what_points_outside_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
