/* SPDX-License-Identifier: Apache-2.0
 *
 * What a manifest says of files: what the program may open, and whom that makes it believe.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <string.h>

#include "base/limits.h"
#include "enclave/lint_internal.h"
#include "enclave/manifest.h"

enum place : uint8_t { PLACE_NOTHING, PLACE_FILE, PLACE_FOLDER };

/* {{ ... }} is filled in later. */
static bool is_template(const char *host) {
    return strstr(host, "{{") != nullptr;
}

static enum place place_of(const struct lint *lint, const char *host) {
    struct stat status;
    if (fstatat(lint->folder, host, &status, 0) != 0) {
        return PLACE_NOTHING;
    }
    return S_ISDIR(status.st_mode) ? PLACE_FOLDER : PLACE_FILE;
}

static bool has_parent_part(const char *path) {
    const char *at = path;
    while ((at = strstr(at, "..")) != nullptr) {
        bool begins = at == path || at[-1] == '/';
        if (begins && (at[2] == '\0' || at[2] == '/')) {
            return true;
        }
        at += 2;
    }
    return false;
}

static void check_trusted(struct lint *lint, const struct manifest_file *file) {
    if (file->host == nullptr) {
        lint_add(lint, LINT_URI, file->at, "a trusted file without a file: URI");
        return;
    }
    enum place place = is_template(file->host) ? PLACE_NOTHING : place_of(lint, file->host);
    if (place == PLACE_FOLDER && !file->is_folder) {
        lint_add(lint, LINT_FOLDER_SLASH, file->at, "%s is a folder", file->host);
    } else if (place == PLACE_NOTHING && !is_template(file->host)) {
        lint_add(lint, LINT_NO_FILE, file->at, "%s is not there", file->host);
    }
    if (file->sha256 != nullptr &&
        (strlen(file->sha256) != 64 || strspn(file->sha256, "0123456789abcdefABCDEF") != 64)) {
        lint_add(lint, LINT_HASH, file->at, "the sha256 of %s is none", file->host);
    } else if (file->sha256 == nullptr && !is_template(file->host)) {
        lint_add(lint, LINT_NO_HASH, file->at, "%s has no sha256", file->host);
    }
    size_t size = strlen(file->host);
    if (size > 4 && (strcmp(file->host + size - 4, ".key") == 0 ||
                     (size > 7 && strcmp(file->host + size - 7, "key.pem") == 0))) {
        lint_add(lint, LINT_TRUSTED_KEY, file->at, "%s looks like a private key", file->host);
    }
}

static void check_allowed(struct lint *lint, const struct manifest_file *file) {
    if (file->host == nullptr) {
        lint_add(lint, LINT_URI, file->at, "an allowed file without a file: URI");
        return;
    }
    bool is_folder =
        file->is_folder || (!is_template(file->host) && place_of(lint, file->host) == PLACE_FOLDER);
    lint_add(lint, is_folder ? LINT_ALLOWED_FOLDER : LINT_ALLOWED_FILE, file->at,
             "%s is open to the host", file->host);
}

/* Whether anything that the mount shows is trusted or allowed. */
static bool shows_something(const struct manifest *manifest, const struct manifest_mount *mount) {
    char inside[LIMIT_PATH_BYTES];
    if (manifest_covering(manifest->trusted, manifest->trusted_count, mount->host) != nullptr ||
        manifest_covering(manifest->allowed, manifest->allowed_count, mount->host) != nullptr) {
        return true;
    }
    for (uint32_t i = 0; i < manifest->trusted_count; i++) {
        if (manifest->trusted[i].host != nullptr &&
            manifest_inside(mount, manifest->trusted[i].host, inside, sizeof inside)) {
            return true;
        }
    }
    for (uint32_t i = 0; i < manifest->allowed_count; i++) {
        if (manifest->allowed[i].host != nullptr &&
            manifest_inside(mount, manifest->allowed[i].host, inside, sizeof inside)) {
            return true;
        }
    }
    return false;
}

static void check_mount(struct lint *lint, const struct manifest *manifest,
                        const struct manifest_mount *mount) {
    if (mount->path[0] != '/' || has_parent_part(mount->path)) {
        lint_add(lint, LINT_MOUNT_PATH, mount->at, "a mount at \"%s\"", mount->path);
    }
    switch (mount->type) {
    case MANIFEST_TMPFS:
        return;
    case MANIFEST_SHARED_MEMORY:
        lint_add(lint, LINT_SHARED_MEMORY, mount->at, "%s is shared memory of the host",
                 mount->path);
        return;
    case MANIFEST_ENCRYPTED:
        if (mount->key_name == nullptr || strncmp(mount->key_name, "_sgx_mr", 7) != 0) {
            lint_add(lint, LINT_MOUNT_KEY, mount->at, "%s is encrypted with the key \"%s\"",
                     mount->path, mount->key_name != nullptr ? mount->key_name : "default");
        }
        break;
    case MANIFEST_CHROOT:
        if (mount->host != nullptr && !shows_something(manifest, mount)) {
            lint_add(lint, LINT_UNTRUSTED_MOUNT, mount->at, "nothing of %s is trusted",
                     mount->host);
        }
        break;
    }
    if (mount->host == nullptr) {
        lint_add(lint, LINT_URI, mount->at, "the mount at %s has no file: URI", mount->path);
    }
}

/* Whether a path is another one, or below it. */
static bool is_below(const char *folder, const char *path) {
    size_t size = strlen(folder);
    bool is_root = strcmp(folder, "/") == 0;
    return strncmp(folder, path, size) == 0 && (is_root || path[size] == '\0' || path[size] == '/');
}

static void check_order(struct lint *lint, const struct manifest *manifest, uint32_t index) {
    const struct manifest_mount *mount = &manifest->mounts[index];
    for (uint32_t i = index + 1; i < manifest->mount_count; i++) {
        if (is_below(manifest->mounts[i].path, mount->path)) {
            lint_add(lint, LINT_HIDDEN_MOUNT, mount->at, "%s is hidden by the later mount at %s",
                     mount->path, manifest->mounts[i].path);
            return;
        }
    }
}

static void check_entrypoint(struct lint *lint, const struct manifest *manifest) {
    char host[LIMIT_PATH_BYTES];
    const struct toml_value *at = toml_find(lint->root, "libos.entrypoint");
    if (at == nullptr || at->kind != TOML_TEXT) {
        return;
    }
    if (manifest->entrypoint[0] != '/') {
        lint_add(lint, LINT_ENTRYPOINT, at, "libos.entrypoint \"%s\" is no absolute path",
                 manifest->entrypoint);
    } else if (!manifest_host_of(manifest, manifest->entrypoint, host, sizeof host)) {
        lint_add(lint, LINT_ENTRYPOINT, at, "nothing is mounted at %s", manifest->entrypoint);
    } else if (manifest_covering(manifest->trusted, manifest->trusted_count, host) == nullptr) {
        lint_add(lint, LINT_ENTRYPOINT, at, "%s is not trusted", host);
    }
}

void lint_files(struct lint *lint) {
    struct manifest manifest;
    struct error ignored;
    if (!status_is_ok(manifest_read(lint->root, &manifest, &ignored))) {
        return;
    }
    for (uint32_t i = 0; i < manifest.trusted_count; i++) {
        check_trusted(lint, &manifest.trusted[i]);
    }
    for (uint32_t i = 0; i < manifest.allowed_count; i++) {
        check_allowed(lint, &manifest.allowed[i]);
    }
    for (uint32_t i = 0; i < manifest.mount_count; i++) {
        check_mount(lint, &manifest, &manifest.mounts[i]);
        check_order(lint, &manifest, i);
    }
    if (toml_find(lint->root, "fs.root") == nullptr) {
        lint_add(lint, LINT_ROOT_MOUNT, nullptr, "there is no fs.root");
    }
    check_entrypoint(lint, &manifest);
    manifest_deinit(&manifest);
}
