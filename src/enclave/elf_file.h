/* SPDX-License-Identifier: Apache-2.0
 *
 * What an ELF file asks to be loaded with it: its interpreter and its libraries. Reads 64-bit
 * little-endian files, and nothing beyond the bytes it is given.
 */
#pragma once

#include "base/bytes.h"

enum { ELF_NEEDED_MAX = 128 };

/* Texts are NUL-terminated inside the bytes that were read, and borrowed from them. */
struct elf_links {
    bool is_dynamic;         /* it has a dynamic section; a static-pie has one too */
    const char *interpreter; /* nullptr: none, it runs by itself */
    const char *needed[ELF_NEEDED_MAX];
    size_t needed_count;
    const char *rpath, *runpath; /* nullptr: none */
};

enum elf_result : uint8_t {
    ELF_GOOD,
    ELF_NONE,      /* no ELF file at all */
    ELF_OTHER,     /* another machine's, or of 32 bits */
    ELF_MALFORMED, /* it points outside of itself, or has too much of something */
};

enum elf_result elf_read(struct slice file, struct elf_links *ret_links);
