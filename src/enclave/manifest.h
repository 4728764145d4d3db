/* SPDX-License-Identifier: Apache-2.0
 *
 * What a manifest says, in parts: mounts, files, limits. Names of files on the host are cleaned
 * (one slash at a time, no "." in the middle, none at the end), so that they can be compared.
 */
#pragma once

#include "base/error.h"
#include "enclave/toml.h"

enum manifest_mount_type : uint8_t {
    MANIFEST_CHROOT,
    MANIFEST_ENCRYPTED,
    MANIFEST_TMPFS,
    MANIFEST_SHARED_MEMORY,
};

struct manifest_mount {
    enum manifest_mount_type type;
    const char *path; /* inside; "/" of fs.root */
    const char *host; /* of the URI; nullptr when there is none, or none of a file */
    const char *key_name;
    const struct toml_value *at;
};

struct manifest_file {
    const char *host;   /* nullptr when the URI is none of a file */
    const char *sha256; /* as written; nullptr when there is none */
    bool is_folder;     /* it was written with a slash at its end */
    const struct toml_value *at;
};

struct manifest {
    const struct toml_value *root; /* borrowed */
    const char *entrypoint;        /* "" when there is none */
    struct manifest_mount *mounts; /* fs.root first, when it is said */
    struct manifest_file *trusted, *allowed;
    uint32_t mount_count, trusted_count, allowed_count;
    struct arena *arena; /* everything above but the tree */
};

/* Takes what has the right form and leaves out the rest, which lint complains about. `root` has to
 * outlive the manifest. ERROR_NO_MEMORY. */
status_t manifest_read(const struct toml_value *root, struct manifest *ret_manifest,
                       struct error *err);
void manifest_deinit(struct manifest *manifest);

/* Where the mount shows the host's file, into `ret`; false when it does not. */
bool manifest_inside(const struct manifest_mount *mount, const char *host, char *ret, size_t size);
/* The host's file behind a path inside, into `ret`: the last mount that holds it counts. False when
 * no file of the host is there. */
bool manifest_host_of(const struct manifest *manifest, const char *inside, char *ret, size_t size);
/* The trusted or allowed file that covers this one of the host: itself, or a folder above. */
const struct manifest_file *manifest_covering(const struct manifest_file *files, uint32_t count,
                                              const char *host);
/* "512M": a size with K, M or G behind it, or none; false for anything else. */
bool manifest_size(const char *text, uint64_t *ret_bytes);
