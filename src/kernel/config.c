/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/yaml.h"
#include "store/config.h"
#include "store/database_key.h"
#include "sys/fd.h"

enum kind : uint8_t { PATH, SWITCH };
static const struct {
    const char *section, *key;
    enum kind kind;
} ROWS[CONFIG_COUNT] = {
#define CONFIG(name, section, key, kind, meaning) {section, key, kind},
#include "config.def"
#undef CONFIG
};

status_t config_open_own(const char *path, unsigned forbidden, enum error_code code, int *ret_fd,
                         struct error *err) {
    struct stat file;
    /* O_NONBLOCK: a FIFO is refused, not waited for. */
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &file) != 0) {
        return error_set(err, code, errno, "cannot read %s", path);
    }
    bool is_regular = S_ISREG(file.st_mode);
    bool is_own = file.st_uid == geteuid();
    if (is_regular && is_own && (file.st_mode & forbidden) == 0) {
        *ret_fd = fd_take(&fd);
        return STATUS_OK;
    }
    (void)error_set(err, code, 0, "cannot use %s", path);
    if (!is_regular) {
        error_detail(err, "it is no regular file");
        error_hint(err, "Name a file instead.");
    } else if (!is_own) {
        error_detail(err, "it belongs to another user (uid %u)", (unsigned)file.st_uid);
        error_hint(err, "Make it yours: chown %u %.300s", (unsigned)geteuid(), path);
    } else {
        error_detail(err, "other users can %s it",
                     (forbidden & 044) != 0 ? "read or write" : "write");
        error_hint(err, "Close it to them: chmod %s %.300s",
                   (forbidden & 044) != 0 ? "0600" : "go-w", path);
    }
    return (status_t){(int)code};
}

static status_t refuse(const struct config *config, const struct yaml_node *node, const char *what,
                       struct error *err) {
    return error_set(err, ERROR_CONFIG_INVALID, 0, "%s:%u:%u: %s", config->path,
                     node == nullptr ? 1 : (unsigned)node->line,
                     node == nullptr ? 1 : (unsigned)node->column, what);
}

static bool section_is_known(const char *section) {
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(ROWS[i].section, section) == 0) {
            return true;
        }
    }
    return false;
}

static bool value_fits(enum kind kind, const struct yaml_node *value) {
    if (value->kind != YAML_KIND_SCALAR) {
        return false;
    }
    return kind == PATH ? value->text[0] == '/'
                        : strcmp(value->text, "true") == 0 || strcmp(value->text, "false") == 0;
}

static status_t read_value(struct config *config, const char *section,
                           const struct yaml_node *value, struct error *err) {
    for (size_t i = 0; i < CONFIG_COUNT; i++) {
        if (strcmp(ROWS[i].section, section) != 0 || strcmp(ROWS[i].key, value->key->text) != 0) {
            continue;
        }
        if (!value_fits(ROWS[i].kind, value)) {
            return refuse(config, value,
                          ROWS[i].kind == PATH ? "this must be an absolute path"
                                               : "this must be true or false",
                          err);
        }
        config->values[i] = value->text;
        return STATUS_OK;
    }
    return refuse(config, value->key, "no such key in this section", err);
}

static status_t read_tree(struct config *config, struct error *err) {
    const struct yaml_node *root = yaml_root(config->tree);
    if (root == nullptr) {
        return STATUS_OK;
    }
    if (root->kind != YAML_KIND_MAPPING) {
        return refuse(config, root, "sections of keys are expected", err);
    }
    for (const struct yaml_node *section = root->first; section != nullptr;
         section = section->next) {
        if (!section_is_known(section->key->text)) {
            return refuse(config, section->key, "no such section", err);
        }
        if (section->kind != YAML_KIND_MAPPING) {
            return refuse(config, section, "keys are expected in this section", err);
        }
        for (const struct yaml_node *value = section->first; value != nullptr;
             value = value->next) {
            TRY(read_value(config, section->key->text, value, err));
        }
    }
    return STATUS_OK;
}

static status_t parse(struct config *config, struct slice text, struct error *err) {
    struct error why = {0};
    struct yaml_fault fault = {0};
    if (status_is_ok(yaml_parse(text, config->path, &fault, &config->tree, &why))) {
        return read_tree(config, err);
    }
    *err = why;
    if (why.code == ERROR_BAD_ENCODING) {
        err->code = ERROR_CONFIG_INVALID;
    }
    return (status_t){(int)err->code};
}

static status_t read_file(struct config *config, struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    struct stat file;
    struct builder text;
    if (lstat(config->path, &file) != 0 && (errno == ENOENT || errno == ENOTDIR)) {
        return STATUS_OK;
    }
    TRY(config_open_own(config->path, 022, ERROR_CONFIG_INVALID, &fd, err));
    builder_init(&text, LIMIT_CONFIG_BYTES);
    status_t status = fd_read_to_end(fd, config->path, &text, err);
    if (status_is_ok(status)) {
        status = parse(config, builder_slice(&text), err);
    } else if (err->code == ERROR_LIMIT) {
        limit_hit(LIMIT_ID_CONFIG_BYTES);
    }
    builder_deinit(&text);
    return status;
}

status_t config_read(struct config *ret_config, struct error *err) {
    struct error ignored = {0}; /* nowhere to look: nothing is configured */
    *ret_config = (struct config){0};
    if (!status_is_ok(config_path("config.yaml", ret_config->path, &ignored))) {
        ret_config->path[0] = '\0';
        return STATUS_OK;
    }
    status_t status = read_file(ret_config, err);
    if (!status_is_ok(status)) {
        config_deinit(ret_config);
    }
    return status;
}

void config_deinit(struct config *config) {
    yaml_tree_freep(&config->tree);
    memset(config->values, 0, sizeof config->values);
}

static status_t refuse_key(const char *path, struct error *err) {
    (void)error_set(err, ERROR_AUDIT_KEY, 0, "cannot use the key file %s", path);
    error_detail(err, "a key is exactly %d bytes", DATABASE_KEY_BYTES);
    error_hint(err, "Make a key in another file: (umask 077; head -c 32 /dev/urandom > FILE)");
    return (status_t){ERROR_AUDIT_KEY};
}

status_t config_read_key(const char *path, struct secret **ret_key, struct error *err) {
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(secret_freep) struct secret *key = nullptr;
    struct stat file;
    if (stat(path, &file) != 0 && errno == ENOENT) {
        (void)error_set(err, ERROR_AUDIT_KEY, ENOENT, "cannot read the key file %s", path);
        error_hint(err, "Without it an encrypted log cannot be read: put it back. For a log that "
                        "is not encrypted yet, make one: (umask 077; head -c 32 /dev/urandom > "
                        "FILE)");
        return (status_t){ERROR_AUDIT_KEY};
    }
    TRY(config_open_own(path, 077, ERROR_AUDIT_KEY, &fd, err));
    TRY(secret_new(DATABASE_KEY_BYTES, &key, err));
    char more;
    if (read(fd, secret_data(key), DATABASE_KEY_BYTES) != DATABASE_KEY_BYTES ||
        read(fd, &more, 1) != 0) {
        return refuse_key(path, err);
    }
    *ret_key = TAKE(key);
    return STATUS_OK;
}

bool config_is_on(const struct config *config, enum config_key key) {
    return config->values[key] != nullptr && strcmp(config->values[key], "true") == 0;
}

static status_t open_configured(bool with_key, struct state *ret_state, struct error *err) {
    struct config config;
    TRY(config_read(&config, err));
    const char *path = config.values[CONFIG_STORAGE_KEY_FILE];
    status_t status = state_open(ret_state, err);
    bool is_open = status_is_ok(status);
    if (is_open) {
        ret_state->pq_signatures = config_is_on(&config, CONFIG_KEYS_PQ_SIGNATURES);
    }
    if (is_open && with_key && path != nullptr) {
        status = config_read_key(path, &ret_state->log_key, err);
    }
    config_deinit(&config);
    if (is_open && !status_is_ok(status)) {
        state_close(ret_state);
    }
    return status;
}

status_t config_state_open(struct state *ret_state, struct error *err) {
    return open_configured(true, ret_state, err);
}

status_t config_state_open_keyless(struct state *ret_state, struct error *err) {
    return open_configured(false, ret_state, err);
}
