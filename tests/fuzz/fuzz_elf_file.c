/* SPDX-License-Identifier: Apache-2.0
 *
 * ELF files: every text that is read ends inside the file.
 */
#include <elf.h>
#include <string.h>

#include "base/assert.h"
#include "enclave/elf_file.h"
#include "fuzz.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    struct {
        Elf64_Ehdr header;
        Elf64_Phdr segments[3];
        Elf64_Dyn dynamic[4];
        char strings[32];
    } file = {
        .header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
                   .e_type = ET_DYN,
                   .e_phoff = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 3},
        .strings = "/ld\0lib.so\0/run",
    };
    uint64_t strings = (uint64_t)((char *)file.strings - (char *)&file);
    file.segments[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_vaddr = 4096, .p_filesz = sizeof file};
    file.segments[1] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = strings};
    file.segments[2] = (Elf64_Phdr){.p_type = PT_DYNAMIC,
                                    .p_offset = (uint64_t)((char *)file.dynamic - (char *)&file),
                                    .p_filesz = sizeof file.dynamic};
    file.dynamic[0] = (Elf64_Dyn){.d_tag = DT_STRTAB, .d_un.d_ptr = 4096 + strings};
    file.dynamic[1] = (Elf64_Dyn){.d_tag = DT_NEEDED, .d_un.d_val = 4};
    file.dynamic[2] = (Elf64_Dyn){.d_tag = DT_RPATH, .d_un.d_val = 11};
    if (number > 0) {
        return false;
    }
    builder_bytes(out, slice_of(&file, sizeof file));
    return true;
}

static void check(struct slice file, const char *text) {
    if (text != nullptr) {
        const uint8_t *at = (const uint8_t *)text;
        ASSERT(at >= file.data && at < file.data + file.size);
        ASSERT(memchr(at, '\0', file.size - (size_t)(at - file.data)) != nullptr);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct elf_links links;
    struct slice file = slice_of(data, size);
    if (elf_read(file, &links) == ELF_GOOD) {
        check(file, links.interpreter);
        check(file, links.rpath);
        check(file, links.runpath);
        for (size_t i = 0; i < links.needed_count; i++) {
            check(file, links.needed[i]);
        }
    }
    return 0;
}
