/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/manifest.h"

#include <stdckdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/limits.h"

/* One slash at a time, no "." parts, no slash at the end; "." for nothing at all. */
static const char *clean(struct arena *arena, const char *path) {
    char *out = arena_alloc(arena, strlen(path) + 2);
    size_t size = 0;
    if (out == nullptr) {
        return nullptr;
    }
    bool is_absolute = path[0] == '/';
    while (*path != '\0') {
        size_t part = strcspn(path, "/");
        if (part > 0 && !(part == 1 && path[0] == '.')) {
            if (size > 0 || is_absolute) {
                out[size++] = '/';
            }
            memcpy(out + size, path, part);
            size += part;
        }
        path += part + (path[part] == '/' ? 1 : 0);
    }
    if (size == 0) {
        out[size++] = is_absolute ? '/' : '.';
    }
    out[size] = '\0';
    return out;
}

/* What is behind "file:" or "dev:"; nullptr when it is neither, or empty. */
static const char *uri_path(struct arena *arena, const char *uri) {
    const char *path = nullptr;
    if (uri != nullptr && strncmp(uri, "file:", 5) == 0) {
        path = uri + 5;
    } else if (uri != nullptr && strncmp(uri, "dev:", 4) == 0) {
        path = uri + 4;
    }
    return path == nullptr || path[0] == '\0' ? nullptr : clean(arena, path);
}

static const char *text_of(const struct toml_value *table, const char *key) {
    const struct toml_value *value = toml_get(table, key);
    return value != nullptr && value->kind == TOML_TEXT ? value->text : nullptr;
}

static enum manifest_mount_type type_of(const char *text) {
    static const struct {
        const char *text;
        enum manifest_mount_type type;
    } TYPES[] = {
        {"encrypted", MANIFEST_ENCRYPTED},
        {"tmpfs", MANIFEST_TMPFS},
        {"untrusted_shm", MANIFEST_SHARED_MEMORY},
    };
    for (size_t i = 0; text != nullptr && i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (strcmp(text, TYPES[i].text) == 0) {
            return TYPES[i].type;
        }
    }
    return MANIFEST_CHROOT;
}

static void add_mount(struct manifest *manifest, const struct toml_value *table, const char *path) {
    if (table == nullptr || table->kind != TOML_TABLE || path == nullptr) {
        return;
    }
    manifest->mounts[manifest->mount_count++] = (struct manifest_mount){
        .type = type_of(text_of(table, "type")),
        .path = path,
        .host = uri_path(manifest->arena, text_of(table, "uri")),
        .key_name = text_of(table, "key_name"),
        .at = table,
    };
}

static uint32_t read_files(struct manifest *manifest, const struct toml_value *array,
                           struct manifest_file *files) {
    uint32_t count = 0;
    const struct toml_value *at = array != nullptr ? array->first : nullptr;
    for (; at != nullptr; at = at->next) {
        const char *uri = at->kind == TOML_TEXT ? at->text : text_of(at, "uri");
        size_t size = uri != nullptr ? strlen(uri) : 0;
        files[count++] = (struct manifest_file){
            .host = uri_path(manifest->arena, uri),
            .sha256 = text_of(at, "sha256"),
            .is_folder = size > 0 && uri[size - 1] == '/',
            .at = at,
        };
    }
    return count;
}

/* The array behind a path; nullptr when it is none. */
static const struct toml_value *array_of(const struct toml_value *root, const char *path) {
    const struct toml_value *array = toml_find(root, path);
    return array != nullptr && array->kind == TOML_ARRAY ? array : nullptr;
}

static void *room_for(struct arena *arena, const struct toml_value *array, size_t size) {
    return arena_array(arena, (array != nullptr ? array->count : 0) + 1, size);
}

status_t manifest_read(const struct toml_value *root, struct manifest *ret_manifest,
                       struct error *err) {
    const struct toml_value *mounts = array_of(root, "fs.mounts");
    const struct toml_value *trusted = array_of(root, "sgx.trusted_files");
    const struct toml_value *allowed = array_of(root, "sgx.allowed_files");
    const char *entrypoint = toml_find_text(root, "libos.entrypoint");
    struct manifest manifest = {.root = root, .arena = arena_new(8 * LIMIT_MANIFEST_BYTES)};
    if (manifest.arena != nullptr) {
        manifest.mounts = room_for(manifest.arena, mounts, sizeof *manifest.mounts);
        manifest.trusted = room_for(manifest.arena, trusted, sizeof *manifest.trusted);
        manifest.allowed = room_for(manifest.arena, allowed, sizeof *manifest.allowed);
    }
    if (manifest.arena == nullptr || arena_is_full(manifest.arena) || manifest.mounts == nullptr ||
        manifest.trusted == nullptr || manifest.allowed == nullptr) {
        manifest_deinit(&manifest);
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory to read a manifest");
    }
    manifest.entrypoint = entrypoint != nullptr ? entrypoint : "";
    add_mount(&manifest, toml_find(root, "fs.root"), "/");
    const struct toml_value *at = mounts != nullptr ? mounts->first : nullptr;
    for (; at != nullptr; at = at->next) {
        add_mount(&manifest, at, text_of(at, "path"));
    }
    manifest.trusted_count = read_files(&manifest, trusted, manifest.trusted);
    manifest.allowed_count = read_files(&manifest, allowed, manifest.allowed);
    if (arena_is_full(manifest.arena)) {
        manifest_deinit(&manifest);
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory to read a manifest");
    }
    *ret_manifest = manifest;
    return STATUS_OK;
}

void manifest_deinit(struct manifest *manifest) {
    arena_free(manifest->arena);
    *manifest = (struct manifest){};
}

/* What of `path` is below `folder`: "" for itself; nullptr when it is elsewhere. */
static const char *below(const char *folder, const char *path) {
    size_t size = strlen(folder);
    if (strcmp(folder, ".") == 0) {
        return path[0] == '/' ? nullptr : strcmp(path, ".") == 0 ? "" : path;
    }
    if (strcmp(folder, "/") == 0) {
        return path[0] == '/' ? path + 1 : nullptr;
    }
    if (strncmp(folder, path, size) != 0 || (path[size] != '\0' && path[size] != '/')) {
        return nullptr;
    }
    return path[size] == '\0' ? "" : path + size + 1;
}

/* The rest behind a folder, written into `ret`. */
static bool join(const char *folder, const char *rest, char *ret, size_t size) {
    bool has_slash = folder[0] != '\0' && folder[strlen(folder) - 1] == '/';
    int length = rest[0] == '\0'
                     ? snprintf(ret, size, "%s", folder)
                     : snprintf(ret, size, "%s%s%s", folder, has_slash ? "" : "/", rest);
    return length >= 0 && (size_t)length < size;
}

bool manifest_inside(const struct manifest_mount *mount, const char *host, char *ret, size_t size) {
    const char *rest = mount->host != nullptr ? below(mount->host, host) : nullptr;
    return mount->type == MANIFEST_CHROOT && rest != nullptr && join(mount->path, rest, ret, size);
}

bool manifest_host_of(const struct manifest *manifest, const char *inside, char *ret, size_t size) {
    for (uint32_t i = manifest->mount_count; i-- > 0;) {
        const struct manifest_mount *mount = &manifest->mounts[i];
        const char *rest = below(mount->path, inside);
        if (rest != nullptr) {
            return mount->type == MANIFEST_CHROOT && mount->host != nullptr &&
                   join(mount->host, rest, ret, size);
        }
    }
    return false;
}

const struct manifest_file *manifest_covering(const struct manifest_file *files, uint32_t count,
                                              const char *host) {
    for (uint32_t i = 0; i < count; i++) {
        const char *rest = files[i].host != nullptr ? below(files[i].host, host) : nullptr;
        if (rest != nullptr && (rest[0] == '\0' || files[i].is_folder)) {
            return &files[i];
        }
    }
    return nullptr;
}

bool manifest_size(const char *text, uint64_t *ret_bytes) {
    static const char UNITS[] = "KMG";
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (ckd_mul(&value, value, 10u) || ckd_add(&value, value, (uint64_t)(*at - '0'))) {
            return false;
        }
    }
    const char *unit = *at != '\0' ? strchr(UNITS, *at) : nullptr;
    if (at == text || (*at != '\0' && (unit == nullptr || at[1] != '\0'))) {
        return false;
    }
    uint64_t factor = unit == nullptr ? 1 : UINT64_C(1) << 10 * (unsigned)(unit - UNITS + 1);
    if (ckd_mul(&value, value, factor)) {
        return false;
    }
    *ret_bytes = value;
    return true;
}
