/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "crypto/hash.h"
#include "edge/config_internal.h"
#include "sys/fd.h"

static status_t set_file(struct config_reader *reader, const char *file) {
    const char *slash = strrchr(file, '/');
    size_t size = slash == nullptr ? 0 : slash == file ? 1 : (size_t)(slash - file);
    reader->config->file = arena_text(reader->arena, slice_of_string(file));
    reader->config->folder = arena_text(reader->arena, slice_of(file, size));
    return reader->config->file == nullptr || reader->config->folder == nullptr
               ? config_starved(reader, nullptr)
               : STATUS_OK;
}

static status_t read_tree(struct config_reader *reader, struct slice text) {
    CLEANUP(yaml_tree_freep) struct yaml_tree *tree = nullptr;
    struct digest digest;
    TRY(yaml_parse(text, reader->file, nullptr, &tree, reader->err));
    const struct yaml_node *root = yaml_root(tree);
    if (root == nullptr) {
        return config_refuse(reader, nullptr, "Begin with: airlock proxy init",
                             "the configuration is empty");
    }
    TRY(config_section_read(reader, root, CONFIG_IN_TOP, reader->config));
    TRY(config_check_binds(reader, root));
    sha256_of(text, &digest);
    memcpy(reader->config->digest, digest.bytes, sizeof reader->config->digest);
    return STATUS_OK;
}

/* `shown` is what errors call the file. */
static status_t parse(struct slice text, const char *file, const char *shown,
                      struct edge_config **ret_config, struct error *err) {
    CLEANUP(arena_freep) struct arena *arena = arena_new(LIMIT_EDGE_CONFIG_ARENA_BYTES);
    struct edge_config *config = arena == nullptr ? nullptr : arena_alloc(arena, sizeof *config);
    if (config == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot read %.200s", shown);
    }
    struct config_reader reader = {shown, arena, config, err};
    TRY(set_file(&reader, file));
    TRY(read_tree(&reader, text));
    config->arena = TAKE(arena);
    *ret_config = config;
    return STATUS_OK;
}

status_t edge_config_parse(struct slice text, const char *file, struct edge_config **ret_config,
                           struct error *err) {
    return parse(text, file, file, ret_config, err);
}

static status_t open_file(const char *file, int *ret_fd, struct error *err) {
    struct stat status;
    /* O_NONBLOCK: a FIFO is refused, not waited for. */
    CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        bool is_missing = errno == ENOENT;
        (void)error_set(err, ERROR_PROXY_CONFIG, errno, "cannot read %s", file);
        error_hint(err, is_missing ? "Make one with: airlock proxy init"
                                   : "Make it readable for the user that the proxy runs as.");
        return (status_t){ERROR_PROXY_CONFIG};
    }
    if (!S_ISREG(status.st_mode)) {
        (void)error_set(err, ERROR_PROXY_CONFIG, 0, "%s is no regular file", file);
        error_hint(err, "Name a file: airlock proxy -c FILE");
        return (status_t){ERROR_PROXY_CONFIG};
    }
    if ((status.st_mode & S_IWOTH) != 0) {
        (void)error_set(err, ERROR_PROXY_CONFIG, 0, "anybody can change %s", file);
        error_hint(err, "Close it to them: chmod o-w %.300s", file);
        return (status_t){ERROR_PROXY_CONFIG};
    }
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}

static status_t read_text(const char *file, struct builder *text, struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    TRY(open_file(file, &fd, err));
    status_t status = fd_read_to_end(fd, file, text, err);
    if (!status_is_ok(status) && err->code == ERROR_LIMIT) {
        limit_hit(LIMIT_ID_EDGE_CONFIG_BYTES);
    }
    return status;
}

/* Absolute, without looking at links: paths in it count from the folder that was named. */
static status_t make_absolute(const char *file, struct builder *path, struct error *err) {
    char folder[LIMIT_PATH_BYTES];
    if (file[0] != '/') {
        if (getcwd(folder, sizeof folder) == nullptr) {
            return error_set(err, ERROR_IO, errno, "cannot tell the current folder");
        }
        builder_format(path, "%s/", strcmp(folder, "/") == 0 ? "" : folder);
    }
    builder_text(path, file);
    return STATUS_OK;
}

status_t edge_config_load(const char *file, struct edge_config **ret_config, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    CLEANUP(builder_deinit) struct builder path;
    builder_init(&text, LIMIT_EDGE_CONFIG_BYTES);
    builder_init(&path, (size_t)2 * LIMIT_PATH_BYTES);
    TRY(read_text(file, &text, err));
    TRY(make_absolute(file, &path, err));
    const char *absolute = builder_c_string(&path);
    if (!builder_is_ok(&path)) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot read %.200s", file);
    }
    return parse(builder_slice(&text), absolute, file, ret_config, err);
}

void edge_config_free(struct edge_config *config) {
    if (config != nullptr) {
        arena_free(config->arena); /* which holds the configuration too */
    }
}

void edge_config_freep(struct edge_config **config) {
    edge_config_free(*config);
    *config = nullptr;
}
