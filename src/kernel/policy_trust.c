/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/policy_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char LIST_FILE[] = "trust.json";
static const char LOCK_FILE[] = "trust.lock";

enum {
    PATH_TEXT_BYTES_MAX = 4 * LIMIT_PATH_BYTES + 1,
    LIST_BYTES_MAX = LIMIT_TRUSTED_WORKSPACES * 1024,
};

static status_t list_wrong(const struct state *state, struct error *err) {
    (void)error_set(err, ERROR_BAD_ENCODING, 0, "%s/%s is not a list of trusted workspaces",
                    state->path, LIST_FILE);
    error_hint(err, "Move the file away and trust the workspaces anew: airlock policy trust");
    return (status_t){ERROR_BAD_ENCODING};
}

/* Every row has both texts, or nothing of the list counts. */
static bool list_is_sound(const struct json *trusted) {
    uint8_t digest[DIGEST_BYTES];
    for (size_t i = 0; i < json_array_count(trusted); i++) {
        const struct json *row = json_array_at(trusted, i);
        const char *hex = json_get_text(row, "digest");
        if (json_get_text(row, "workspace") == nullptr || hex == nullptr ||
            !text_unhex(slice_of_string(hex), digest, sizeof digest)) {
            return false;
        }
    }
    return trusted != nullptr && json_kind_of(trusted) == JSON_KIND_ARRAY;
}

/* The whole list; an empty one when there is no file yet. */
static status_t list_read(const struct state *state, struct json **ret_list, struct error *err) {
    CLEANUP(builder_deinit) struct builder text;
    CLEANUP(json_freep) struct json *list = nullptr;
    bool found = false;
    builder_init(&text, LIST_BYTES_MAX);
    TRY(file_read(state->fd, LIST_FILE, &text, &found, err));
    if (!found) {
        list = json_object_new();
        json_set(list, "trusted", json_array_new());
        *ret_list = TAKE(list);
        return STATUS_OK;
    }
    struct error malformed;
    if (!status_is_ok(json_parse(builder_slice(&text), LIST_FILE, &list, &malformed)) ||
        !list_is_sound(json_get(list, "trusted"))) {
        return list_wrong(state, err);
    }
    *ret_list = TAKE(list);
    return STATUS_OK;
}

static void digest_text(const struct digest *digest, struct builder *out) {
    builder_init(out, (size_t)2 * DIGEST_BYTES + 1);
    text_hex(slice_of(digest->bytes, DIGEST_BYTES), out);
}

static void path_text(const char *path, struct builder *out) {
    builder_init(out, PATH_TEXT_BYTES_MAX);
    text_escape(slice_of_string(path), out);
}

status_t policy_trust_get(const struct state *state, const char *workspace,
                          struct digest *ret_digest, bool *ret_found, struct error *err) {
    ASSERT(state != nullptr && workspace != nullptr);
    CLEANUP(json_freep) struct json *list = nullptr;
    CLEANUP(builder_deinit) struct builder path;
    path_text(workspace, &path);
    TRY(list_read(state, &list, err));
    const struct json *trusted = json_get(list, "trusted");
    bool found = false;
    for (size_t i = 0; i < json_array_count(trusted) && !found; i++) {
        const struct json *row = json_array_at(trusted, i);
        found = strcmp(json_get_text(row, "workspace"), builder_c_string(&path)) == 0 &&
                text_unhex(slice_of_string(json_get_text(row, "digest")), ret_digest->bytes,
                           sizeof ret_digest->bytes);
    }
    *ret_found = found;
    return STATUS_OK;
}

status_t policy_trust_find(const struct state *state, const char *workspace,
                           const struct digest *digest, bool *ret_found, struct error *err) {
    ASSERT(digest != nullptr);
    struct digest trusted;
    bool found = false;
    TRY(policy_trust_get(state, workspace, &trusted, &found, err));
    *ret_found = found && digest_equal(&trusted, digest);
    return STATUS_OK;
}

static void list_add(struct json *rows, const char *workspace, const char *digest) {
    struct json *row = json_object_new();
    json_set_text(row, "digest", digest);
    json_set_text(row, "workspace", workspace);
    json_append(rows, row);
}

static status_t list_replace(const struct state *state, const char *workspace, const char *digest,
                             struct error *err) {
    CLEANUP(json_freep) struct json *old = nullptr;
    CLEANUP(json_freep) struct json *list = json_object_new();
    CLEANUP(builder_deinit) struct builder text;
    struct json *rows = json_array_new();
    json_set(list, "trusted", rows);
    TRY(list_read(state, &old, err));
    const struct json *trusted = json_get(old, "trusted");
    for (size_t i = 0; i < json_array_count(trusted); i++) {
        const struct json *row = json_array_at(trusted, i);
        if (strcmp(json_get_text(row, "workspace"), workspace) != 0) {
            list_add(rows, json_get_text(row, "workspace"), json_get_text(row, "digest"));
        }
    }
    if (digest != nullptr) {
        list_add(rows, workspace, digest);
    }
    builder_init(&text, LIST_BYTES_MAX);
    json_write_pretty(list, &text);
    if (!builder_is_ok(&text) || json_array_count(rows) > (size_t)LIMIT_TRUSTED_WORKSPACES) {
        limit_hit(LIMIT_ID_TRUSTED_WORKSPACES);
        (void)error_set(err, ERROR_LIMIT, 0, "more than %d workspaces would be trusted",
                        (int)LIMIT_TRUSTED_WORKSPACES);
        error_hint(err, "Drop one that you no longer need: airlock policy trust --drop WORKSPACE");
        return (status_t){ERROR_LIMIT};
    }
    const struct file_write_options options = {.mode = 0600, .durable = true};
    return file_write_atomic(state->fd, LIST_FILE, builder_slice(&text), &options, err);
}

status_t policy_trust_set(const struct state *state, const char *workspace,
                          const struct digest *digest, bool trust, struct error *err) {
    ASSERT(state != nullptr && workspace != nullptr && (digest != nullptr || !trust));
    CLEANUP(builder_deinit) struct builder path;
    CLEANUP(builder_deinit) struct builder hex;
    CLEANUP(fd_closep)
    int lock = file_open_beneath(state->fd, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, true);
    path_text(workspace, &path);
    digest_text(trust ? digest : &(struct digest){0}, &hex);
    if (lock < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s/%s", state->path, LOCK_FILE);
    }
    int result;
    do { /* held for one write of a small file */
        result = flock(lock, LOCK_EX);
    } while (result != 0 && errno == EINTR);
    if (result != 0) {
        return error_set(err, ERROR_IO, errno, "cannot lock %s/%s", state->path, LOCK_FILE);
    }
    return list_replace(state, builder_c_string(&path), trust ? builder_c_string(&hex) : nullptr,
                        err);
}
