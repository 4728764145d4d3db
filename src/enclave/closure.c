/* SPDX-License-Identifier: Apache-2.0
 *
 * Libraries are looked for as ld.so(8) does, less what depends on the machine's state: an object's
 * DT_RPATH (when it has no DT_RUNPATH), the folders that the caller names, its DT_RUNPATH, then the
 * system's folders. Neither LD_LIBRARY_PATH nor ld.so.cache has a say.
 */
#include "enclave/closure.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "enclave/elf_file.h"
#include "sys/fd.h"

static const char *const SYSTEM_FOLDERS[] = {
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
};
enum { SYSTEM_FOLDER_COUNT = sizeof SYSTEM_FOLDERS / sizeof SYSTEM_FOLDERS[0] };

status_t closure_read(const char *path, struct builder *ret_bytes, struct digest *ret_digest,
                      struct error *err) {
    struct stat status;
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", path);
    }
    if (!S_ISREG(status.st_mode)) {
        return error_set(err, ERROR_IO, 0, "%s is no regular file", path);
    }
    if (limit_past(status.st_size > LIMIT_ENCLAVE_FILE_BYTES, LIMIT_ID_ENCLAVE_FILE_BYTES)) {
        return error_set(err, ERROR_LIMIT, 0, "%s is too long for a file of an enclave", path);
    }
    TRY(fd_read_to_end(fd, path, ret_bytes, err));
    sha256_of(builder_slice(ret_bytes), ret_digest);
    return STATUS_OK;
}

static bool is_known(const struct closure *closure, const char *inside) {
    for (size_t i = 0; i < closure->count; i++) {
        if (strcmp(closure->files[i].inside, inside) == 0) {
            return true;
        }
    }
    return false;
}

/* What a manifest can hold between quotes as it is. */
static bool is_plain_path(const char *path) {
    for (; *path != '\0'; path++) {
        if ((unsigned char)*path < 0x20 || *path == '"' || *path == '\\' || *path == 0x7f) {
            return false;
        }
    }
    return true;
}

static status_t add(struct closure *closure, const char *path, const char *inside,
                    struct builder *ret_bytes, struct error *err) {
    if (closure->count == CLOSURE_FILES_MAX) {
        return error_set(err, ERROR_LIMIT, 0, "more than %d files belong to the program",
                         CLOSURE_FILES_MAX);
    }
    struct closure_file *file = &closure->files[closure->count];
    CLEANUP(memory_freep) char *host = realpath(path, nullptr);
    CLEANUP(memory_freep) char *seen = strdup(inside);
    if (host == nullptr) {
        return error_set(err, ERROR_IO, errno, "cannot find %s", path);
    }
    if (seen == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "no memory for a list of files");
    }
    if (!is_plain_path(host) || !is_plain_path(inside)) {
        return error_set(err, ERROR_ENCLAVE_PROGRAM, 0,
                         "a name with quotes, backslashes or control characters in it");
    }
    TRY(closure_read(host, ret_bytes, &file->digest, err));
    file->host = TAKE(host);
    file->inside = TAKE(seen);
    closure->count++;
    return STATUS_OK;
}

status_t closure_add_file(struct closure *closure, const char *path, const char **ret_inside,
                          struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    CLEANUP(memory_freep) char *host = realpath(path, nullptr);
    builder_init(&bytes, LIMIT_ENCLAVE_FILE_BYTES);
    if (host == nullptr) {
        return error_set(err, ERROR_IO, errno, "cannot find %s", path);
    }
    /* The program looks for it where it is told, links or not. */
    const char *inside = path[0] == '/' ? path : host;
    if (!is_known(closure, inside)) {
        TRY(add(closure, path, inside, &bytes, err));
    }
    for (size_t i = 0; i < closure->count && ret_inside != nullptr; i++) {
        if (strcmp(closure->files[i].inside, inside) == 0) {
            *ret_inside = closure->files[i].inside;
        }
    }
    return STATUS_OK;
}

static bool exists(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool join(char *ret, const char *folder, const char *name) {
    int length = snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", folder, name);
    return length > 0 && length < LIMIT_PATH_BYTES;
}

/* One folder of a list like "/a:$ORIGIN/b"; *list moves behind it. */
static bool next_folder(const char **list, const char *object, char *ret) {
    size_t size = strcspn(*list, ":");
    const char *folder = *list;
    *list += size + ((*list)[size] == ':' ? 1 : 0);
    const char *slash = strrchr(object, '/');
    bool is_origin = size >= 7 && strncmp(folder, "$ORIGIN", 7) == 0 && slash != nullptr;
    int length = is_origin ? snprintf(ret, LIMIT_PATH_BYTES, "%.*s%.*s", (int)(slash - object),
                                      object, (int)size - 7, folder + 7)
                           : snprintf(ret, LIMIT_PATH_BYTES, "%.*s", (int)size, folder);
    return length > 0 && length < LIMIT_PATH_BYTES && ret[0] == '/';
}

static bool find_in_list(const char *list, const char *object, const char *name, char *ret) {
    char folder[LIMIT_PATH_BYTES];
    while (list != nullptr && *list != '\0') {
        if (next_folder(&list, object, folder) && join(ret, folder, name) && exists(ret)) {
            return true;
        }
    }
    return false;
}

static bool find_in(const char *const *folders, size_t count, const char *name, char *ret) {
    for (size_t i = 0; i < count; i++) {
        if (join(ret, folders[i], name) && exists(ret)) {
            return true;
        }
    }
    return false;
}

static bool find_library(const struct closure *closure, const struct elf_links *links,
                         const char *object, const char *name, char *ret) {
    if (name[0] == '/') {
        (void)snprintf(ret, LIMIT_PATH_BYTES, "%s", name);
        return exists(ret);
    }
    const char *rpath = links->runpath == nullptr ? links->rpath : nullptr;
    return strchr(name, '/') == nullptr &&
           (find_in_list(rpath, object, name, ret) ||
            find_in(closure->folders, closure->folder_count, name, ret) ||
            find_in_list(links->runpath, object, name, ret) ||
            find_in(SYSTEM_FOLDERS, SYSTEM_FOLDER_COUNT, name, ret));
}

/* In the runtime's folder, which the program sees as /lib. */
static bool find_in_runtime(const struct closure *closure, const char *name, char *ret,
                            char *ret_inside) {
    const char *slash = strrchr(name, '/');
    const char *base = slash != nullptr ? slash + 1 : name;
    return closure->runtime != nullptr && join(ret, closure->runtime, base) && exists(ret) &&
           join(ret_inside, "/lib", base);
}

static status_t add_object(struct closure *closure, const char *path, const char *inside,
                           struct error *err);

static status_t add_library(struct closure *closure, const struct elf_links *links,
                            const char *object, const char *name, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    char inside[LIMIT_PATH_BYTES];
    if (find_in_runtime(closure, name, path, inside)) {
        return add_object(closure, path, inside, err);
    }
    if (!find_library(closure, links, object, name, path)) {
        (void)error_set(err, ERROR_ENCLAVE_PROGRAM, 0, "%s needs %s, which is nowhere", object,
                        name);
        error_hint(err, "Name its folder: airlock enclave manifest --library-folder FOLDER");
        return (status_t){ERROR_ENCLAVE_PROGRAM};
    }
    return add_object(closure, path, path, err);
}

/* Recursion ends because every object is added once. */
static status_t add_object(struct closure *closure, const char *path, const char *inside,
                           struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    struct elf_links links;
    if (is_known(closure, inside)) {
        return STATUS_OK;
    }
    builder_init(&bytes, LIMIT_ENCLAVE_FILE_BYTES);
    TRY(add(closure, path, inside, &bytes, err));
    if (elf_read(builder_slice(&bytes), &links) != ELF_GOOD) {
        return error_set(err, ERROR_ENCLAVE_PROGRAM, 0, "%s is no program or library for x86-64",
                         path);
    }
    if (links.interpreter != nullptr) {
        TRY(add_library(closure, &links, path, links.interpreter, err));
    }
    for (size_t i = 0; i < links.needed_count; i++) {
        TRY(add_library(closure, &links, path, links.needed[i], err));
    }
    return STATUS_OK;
}

status_t closure_add_program(struct closure *closure, const char *program, const char *inside,
                             struct error *err) {
    return add_object(closure, program, inside, err);
}

static status_t add_runtime_file(struct closure *closure, const char *name, struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    char path[LIMIT_PATH_BYTES];
    char inside[LIMIT_PATH_BYTES];
    builder_init(&bytes, LIMIT_ENCLAVE_FILE_BYTES);
    bool is_file = find_in_runtime(closure, name, path, inside);
    return !is_file || is_known(closure, inside) ? STATUS_OK
                                                 : add(closure, path, inside, &bytes, err);
}

status_t closure_add_runtime(struct closure *closure, struct error *err) {
    DIR *folder = opendir(closure->runtime);
    status_t status = STATUS_OK;
    if (folder == nullptr) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", closure->runtime);
    }
    const struct dirent *entry = readdir(folder);
    for (; entry != nullptr && status_is_ok(status); entry = readdir(folder)) {
        status = add_runtime_file(closure, entry->d_name, err);
    }
    (void)closedir(folder);
    return status;
}

void closure_deinit(struct closure *closure) {
    for (size_t i = 0; i < closure->count; i++) {
        free(closure->files[i].host);
        free(closure->files[i].inside);
    }
    closure->count = 0;
}
