/* SPDX-License-Identifier: Apache-2.0
 *
 * Extended attributes of entries: which are kept, and access lists, which are not a payload's to
 * change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/cleanup.h"
#include "sandbox/upper.h"

enum { ATTRIBUTE_LIST_BYTES_MAX = 65536, ATTRIBUTE_BYTES_MAX = 65536 };

enum attribute : uint8_t {
    ATTRIBUTE_KEPT,
    ATTRIBUTE_INTERNAL, /* overlayfs's own, and security labels the kernel sets by itself */
    ATTRIBUTE_REFUSED,
};

static enum attribute attribute_class(const char *name) {
    if (strncmp(name, "user.overlay.", 13) == 0) {
        return ATTRIBUTE_INTERNAL;
    }
    if (strncmp(name, "user.", 5) == 0) {
        return ATTRIBUTE_KEPT;
    }
    static const char *const labels[] = {"security.selinux", "security.SMACK64", "security.ima",
                                         "security.evm", "security.apparmor"};
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        if (strcmp(name, labels[i]) == 0) {
            return ATTRIBUTE_INTERNAL;
        }
    }
    if (strncmp(name, "security.", 9) == 0 || strncmp(name, "trusted.", 8) == 0) {
        return ATTRIBUTE_REFUSED;
    }
    return ATTRIBUTE_INTERNAL; /* system.*: access lists; modes carry what we keep of them */
}

struct attributes {
    char *names; /* owned; NUL-terminated, one after the other */
    size_t size;
};

static void attributes_deinit(struct attributes *attributes) {
    free(attributes->names);
}

static bool attributes_read(int fd, struct attributes *ret) {
    *ret = (struct attributes){0};
    ssize_t size = flistxattr(fd, nullptr, 0);
    if (size <= 0) {
        return size == 0 || errno == ENOTSUP;
    }
    char *names = size > ATTRIBUTE_LIST_BYTES_MAX ? nullptr : malloc((size_t)size);
    if (names != nullptr && (size = flistxattr(fd, names, (size_t)size)) >= 0) {
        *ret = (struct attributes){names, (size_t)size};
        return true;
    }
    free(names);
    return false;
}

static const char *attributes_next(const struct attributes *attributes, const char *name) {
    const char *next = name == nullptr ? attributes->names : name + strlen(name) + 1;
    return next != nullptr && next < attributes->names + attributes->size ? next : nullptr;
}

/* The digest is the sum of the digests of each (name, value): lists have no order. */
bool upper_attributes_digest(int fd, struct digest *ret) {
    CLEANUP(attributes_deinit) struct attributes attributes;
    CLEANUP(memory_freep) uint8_t *value = nullptr;
    *ret = (struct digest){0};
    if (!attributes_read(fd, &attributes)) {
        return false;
    }
    for (const char *name = nullptr; (name = attributes_next(&attributes, name)) != nullptr;) {
        if (attribute_class(name) != ATTRIBUTE_KEPT) {
            continue;
        }
        value = value != nullptr ? value : malloc(ATTRIBUTE_BYTES_MAX);
        ssize_t size = value == nullptr ? -1 : fgetxattr(fd, name, value, ATTRIBUTE_BYTES_MAX);
        if (size < 0) {
            return false;
        }
        struct sha256 hash;
        struct digest one;
        sha256_init(&hash);
        sha256_update(&hash, slice_of(name, strlen(name) + 1));
        sha256_update(&hash, slice_of(value, (size_t)size));
        sha256_final(&hash, &one);
        for (size_t i = 0; i < DIGEST_BYTES; i++) {
            ret->bytes[i] ^= one.bytes[i];
        }
    }
    return true;
}

bool upper_has_refused_attribute(int fd) {
    CLEANUP(attributes_deinit) struct attributes attributes;
    if (!attributes_read(fd, &attributes)) {
        return true;
    }
    for (const char *name = nullptr; (name = attributes_next(&attributes, name)) != nullptr;) {
        if (attribute_class(name) == ATTRIBUTE_REFUSED) {
            return true;
        }
    }
    return false;
}

bool upper_copy_attributes(int from_fd, int to_fd) {
    CLEANUP(attributes_deinit) struct attributes attributes;
    CLEANUP(memory_freep) uint8_t *value = nullptr;
    if (!attributes_read(from_fd, &attributes)) {
        return false;
    }
    for (const char *name = nullptr; (name = attributes_next(&attributes, name)) != nullptr;) {
        if (attribute_class(name) != ATTRIBUTE_KEPT) {
            continue;
        }
        value = value != nullptr ? value : malloc(ATTRIBUTE_BYTES_MAX);
        ssize_t size = value == nullptr ? -1 : fgetxattr(from_fd, name, value, ATTRIBUTE_BYTES_MAX);
        if (size < 0 || fsetxattr(to_fd, name, value, (size_t)size, 0) != 0) {
            return false;
        }
    }
    return true;
}

bool upper_replace_attributes(int from_fd, int to_fd) {
    CLEANUP(attributes_deinit) struct attributes attributes;
    if (!attributes_read(to_fd, &attributes)) {
        return false;
    }
    for (const char *name = nullptr; (name = attributes_next(&attributes, name)) != nullptr;) {
        if (attribute_class(name) == ATTRIBUTE_KEPT && fgetxattr(from_fd, name, nullptr, 0) < 0 &&
            fremovexattr(to_fd, name) != 0) {
            return false;
        }
    }
    return upper_copy_attributes(from_fd, to_fd);
}

/* The access lists of a file and, for a folder, of what is made in it: acl(5). */
static const char *const access_lists[] = {"system.posix_acl_access", "system.posix_acl_default"};
enum { ACCESS_LIST_BYTES_MAX = 8192 };

bool upper_has_default_access_list(int fd) {
    return fgetxattr(fd, access_lists[1], nullptr, 0) > 0;
}

bool upper_has_same_access_lists(int a_fd, int b_fd) {
    uint8_t a[ACCESS_LIST_BYTES_MAX];
    uint8_t b[ACCESS_LIST_BYTES_MAX];
    for (size_t i = 0; i < sizeof access_lists / sizeof access_lists[0]; i++) {
        ssize_t a_size = fgetxattr(a_fd, access_lists[i], a, sizeof a);
        ssize_t b_size = b_fd < 0 ? -1 : fgetxattr(b_fd, access_lists[i], b, sizeof b);
        bool none = a_size <= 0 && b_size <= 0;
        if (!none && (a_size != b_size || memcmp(a, b, (size_t)a_size) != 0)) {
            return false;
        }
    }
    return true;
}

bool upper_copy_access_list(int from_fd, int to_fd) {
    uint8_t list[ACCESS_LIST_BYTES_MAX];
    ssize_t size = fgetxattr(from_fd, access_lists[0], list, sizeof list);
    if (size > 0) {
        return fsetxattr(to_fd, access_lists[0], list, (size_t)size, 0) == 0;
    }
    return fremovexattr(to_fd, access_lists[0]) == 0 || errno == ENODATA || errno == ENOTSUP;
}
