/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

enum { ALIGNMENT = 16 };

struct secret {
    uint8_t *map; /* guard page, page of the secret, guard page */
    size_t page;  /* bytes of one page */
    size_t size;
};

static status_t protect(const struct secret *secret, struct error *err) {
    uint8_t *middle = secret->map + secret->page;
    if (mprotect(middle, secret->page, PROT_READ | PROT_WRITE) != 0) {
        return error_set(err, ERROR_NO_MEMORY, errno, "cannot open memory for a key");
    }
    if (mlock(middle, secret->page) != 0) {
        (void)error_set(err, ERROR_LIMIT, errno, "cannot lock the memory of a key");
        error_hint(err, "Raise the limit on locked memory: ulimit -l 64");
        return (status_t){(int)err->code};
    }
    /* Neither can fail on memory that was just mapped, and neither may be missed. */
    if (madvise(middle, secret->page, MADV_DONTDUMP) != 0 ||
        madvise(middle, secret->page, MADV_DONTFORK) != 0) {
        return error_set(err, ERROR_INTERNAL, errno, "cannot keep a key out of dumps and forks");
    }
    return STATUS_OK;
}

status_t secret_new(size_t size, struct secret **ret_secret, struct error *err) {
    ASSERT(size >= 1 && size <= SECRET_BYTES_MAX);
    struct secret *secret = calloc(1, sizeof *secret);
    if (secret == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot hold a key");
    }
    secret->page = (size_t)sysconf(_SC_PAGESIZE);
    secret->size = size;
    ASSERT(secret->page >= SECRET_BYTES_MAX);
    void *map = mmap(nullptr, 3 * secret->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) {
        free(secret);
        return error_set(err, ERROR_NO_MEMORY, errno, "cannot map memory for a key");
    }
    secret->map = map;
    status_t status = protect(secret, err);
    if (!status_is_ok(status)) {
        (void)munmap(secret->map, 3 * secret->page);
        free(secret);
        return status;
    }
    *ret_secret = secret;
    return STATUS_OK;
}

void secret_free(struct secret *secret) {
    if (secret == nullptr) {
        return;
    }
    explicit_bzero(secret->map + secret->page, secret->page);
    (void)munmap(secret->map, 3 * secret->page);
    free(secret);
}

void secret_freep(struct secret **secret) {
    secret_free(*secret);
    *secret = nullptr;
}

const void *secret_data_const(const struct secret *secret) {
    size_t room = (secret->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return secret->map + 2 * secret->page - room;
}

void *secret_data(struct secret *secret) {
    size_t room = (secret->size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return secret->map + 2 * secret->page - room;
}

size_t secret_size(const struct secret *secret) {
    return secret->size;
}
