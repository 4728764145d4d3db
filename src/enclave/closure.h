/* SPDX-License-Identifier: Apache-2.0
 *
 * The files a program is made of: itself, its interpreter, its libraries and theirs, as the loader
 * would find them, each with its hash. And other files beside them.
 */
#pragma once

#include "base/error.h"
#include "base/limits.h"
#include "crypto/hash.h"

enum { CLOSURE_FILES_MAX = 512, CLOSURE_FOLDERS_MAX = 16 };

struct closure_file {
    char *inside; /* where the program sees it; owned, as the next */
    char *host;   /* without symbolic links */
    struct digest digest;
};

struct closure {
    struct closure_file files[CLOSURE_FILES_MAX];
    size_t count;
    /* Where libraries are looked for, before the system's folders; borrowed. */
    const char *folders[CLOSURE_FOLDERS_MAX];
    size_t folder_count;
    /* A folder whose libraries the program sees in "/lib"; nullptr: none. Borrowed. */
    const char *runtime;
};

/* The program and all that is loaded with it; it is seen at `inside`. ERROR_IO, ERROR_LIMIT,
 * ERROR_ENCLAVE_PROGRAM when a library is not found or a file is none for this machine. */
status_t closure_add_program(struct closure *closure, const char *program, const char *inside,
                             struct error *err);
/* A file that is seen where it is on the host: its absolute path is *ret_inside, borrowed, which
 * may be nullptr. Fine when it is there already. */
status_t closure_add_file(struct closure *closure, const char *path, const char **ret_inside,
                          struct error *err);
/* Every file of the runtime folder, seen in "/lib". */
status_t closure_add_runtime(struct closure *closure, struct error *err);
void closure_deinit(struct closure *closure);

/* A whole file, and its hash. The builder has a maximum of LIMIT_ENCLAVE_FILE_BYTES. ERROR_IO when
 * it is no regular file. */
status_t closure_read(const char *path, struct builder *ret_bytes, struct digest *ret_digest,
                      struct error *err);
