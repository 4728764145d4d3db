/* SPDX-License-Identifier: Apache-2.0
 *
 * Everything is copied out of the file before it is looked at, because nothing in it need be
 * aligned, and every offset is checked against the file's end first.
 */
#include "enclave/elf_file.h"

#include <elf.h>
#include <stdckdint.h>
#include <string.h>

enum { SEGMENT_COUNT_MAX = 256, ENTRY_COUNT_MAX = 4096 };

struct image {
    struct slice file;
    Elf64_Ehdr header;
};

/* `count` bytes at `offset`; false when they are not all in the file. */
static bool copy_out(struct slice file, uint64_t offset, void *ret, size_t size) {
    uint64_t end;
    if (ckd_add(&end, offset, size) || end > file.size) {
        return false;
    }
    memcpy(ret, file.data + offset, size);
    return true;
}

static bool segment_at(const struct image *image, unsigned index, Elf64_Phdr *ret_segment) {
    uint64_t offset;
    return !ckd_add(&offset, image->header.e_phoff, (uint64_t)index * sizeof *ret_segment) &&
           copy_out(image->file, offset, ret_segment, sizeof *ret_segment);
}

/* The text at an offset, which has its end in the file. */
static const char *text_at(struct slice file, uint64_t offset) {
    if (offset >= file.size || memchr(file.data + offset, '\0', file.size - offset) == nullptr) {
        return nullptr;
    }
    return (const char *)file.data + offset;
}

/* Where an address of memory stands in the file. */
static bool offset_of(const struct image *image, uint64_t address, uint64_t *ret_offset) {
    Elf64_Phdr segment;
    for (unsigned i = 0; i < image->header.e_phnum; i++) {
        if (!segment_at(image, i, &segment)) {
            return false;
        }
        uint64_t distance = address - segment.p_vaddr;
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            distance < segment.p_filesz) {
            return !ckd_add(ret_offset, segment.p_offset, distance);
        }
    }
    return false;
}

/* Calls back for each entry of the dynamic section until its end. */
static bool entry_at(const struct image *image, const Elf64_Phdr *dynamic, size_t index,
                     Elf64_Dyn *ret_entry) {
    uint64_t offset;
    return index < ENTRY_COUNT_MAX && (index + 1) * sizeof *ret_entry <= dynamic->p_filesz &&
           !ckd_add(&offset, dynamic->p_offset, index * sizeof *ret_entry) &&
           copy_out(image->file, offset, ret_entry, sizeof *ret_entry) &&
           ret_entry->d_tag != DT_NULL;
}

static bool find_strings(const struct image *image, const Elf64_Phdr *dynamic,
                         uint64_t *ret_offset) {
    Elf64_Dyn entry;
    for (size_t i = 0; entry_at(image, dynamic, i, &entry); i++) {
        if (entry.d_tag == DT_STRTAB) {
            return offset_of(image, entry.d_un.d_ptr, ret_offset);
        }
    }
    return false;
}

static bool read_entry(const struct image *image, uint64_t strings, const Elf64_Dyn *entry,
                       struct elf_links *links) {
    uint64_t offset;
    bool is_needed = entry->d_tag == DT_NEEDED;
    if (!is_needed && entry->d_tag != DT_RPATH && entry->d_tag != DT_RUNPATH) {
        return true;
    }
    const char *text =
        ckd_add(&offset, strings, entry->d_un.d_val) ? nullptr : text_at(image->file, offset);
    if (text == nullptr || (is_needed && links->needed_count == ELF_NEEDED_MAX)) {
        return false;
    }
    if (is_needed) {
        links->needed[links->needed_count++] = text;
    } else if (entry->d_tag == DT_RPATH) {
        links->rpath = text;
    } else {
        links->runpath = text;
    }
    return true;
}

static bool read_dynamic(const struct image *image, const Elf64_Phdr *dynamic,
                         struct elf_links *links) {
    uint64_t strings = 0;
    Elf64_Dyn entry;
    bool has_strings = find_strings(image, dynamic, &strings);
    links->is_dynamic = true;
    for (size_t i = 0; entry_at(image, dynamic, i, &entry); i++) {
        bool is_text =
            entry.d_tag == DT_NEEDED || entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH;
        if (is_text && (!has_strings || !read_entry(image, strings, &entry, links))) {
            return false;
        }
    }
    return true;
}

static bool read_segment(const struct image *image, const Elf64_Phdr *segment,
                         struct elf_links *links) {
    if (segment->p_type == PT_INTERP) {
        links->interpreter = text_at(image->file, segment->p_offset);
        return links->interpreter != nullptr && links->interpreter[0] == '/';
    }
    return segment->p_type != PT_DYNAMIC || read_dynamic(image, segment, links);
}

enum elf_result elf_read(struct slice file, struct elf_links *ret_links) {
    struct image image = {.file = file};
    Elf64_Phdr segment;
    *ret_links = (struct elf_links){};
    if (file.size < SELFMAG || memcmp(file.data, ELFMAG, SELFMAG) != 0) {
        return ELF_NONE;
    }
    if (!copy_out(file, 0, &image.header, sizeof image.header)) {
        return ELF_MALFORMED;
    }
    const Elf64_Ehdr *header = &image.header;
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        (header->e_type != ET_EXEC && header->e_type != ET_DYN)) {
        return ELF_OTHER;
    }
    if (header->e_phentsize != sizeof segment || header->e_phnum > SEGMENT_COUNT_MAX) {
        return ELF_MALFORMED;
    }
    for (unsigned i = 0; i < header->e_phnum; i++) {
        if (!segment_at(&image, i, &segment) || !read_segment(&image, &segment, ret_links)) {
            return ELF_MALFORMED;
        }
    }
    return ELF_GOOD;
}
