/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/json.h"
#include "codec/text.h"
#include "sys/fd.h"
#include "sys/random.h"

enum { PLAN_FILE_BYTES_MAX = 8 * LIMIT_PLAN_BYTES };

static void hex_field(struct json *object, const char *key, struct slice bytes) {
    struct builder text;
    builder_init(&text, 2 * bytes.size + 1);
    text_hex(bytes, &text);
    json_set_text(object, key, builder_c_string(&text));
    builder_deinit(&text);
}

static struct json *argv_array(const char *const *argv) {
    struct json *array = json_array_new();
    struct builder text;
    builder_init(&text, PLAN_FILE_BYTES_MAX);
    for (size_t i = 0; argv[i] != nullptr; i++) {
        builder_reset(&text);
        text_escape(slice_of_string(argv[i]), &text);
        json_append_text(array, builder_c_string(&text));
    }
    builder_deinit(&text);
    return array;
}

static struct json *plan_object(const char *const *argv, const char *const *environment,
                                struct slice argv_bytes, struct plan_commitments *commitments) {
    struct json *object = json_object_new();
    json_set_integer(object, "v", 1);
    json_set(object, "argv", argv_array(argv));
    struct builder base64;
    builder_init(&base64, PLAN_FILE_BYTES_MAX);
    text_base64(argv_bytes, &base64);
    json_set_text(object, "argv_base64", builder_c_string(&base64));
    builder_deinit(&base64);
    struct json *names = json_array_new();
    for (size_t i = 0; environment[i] != nullptr; i++) {
        json_append(names, json_text_new(slice_of(environment[i], strcspn(environment[i], "="))));
    }
    json_set(object, "env_names", names);
    hex_field(object, "salt", slice_of(commitments->salt, COMMITMENT_SALT_BYTES));
    hex_field(object, "argv_commitment", slice_of(commitments->argv.bytes, DIGEST_BYTES));
    hex_field(object, "plan_digest", slice_of(commitments->plan.bytes, DIGEST_BYTES));
    return object;
}

/* The run's folder is new and ours, so a plain file needs no temporary: a crash leaves a run
 * without an intent, which nobody reads. */
static status_t write_new(struct run *run, struct slice bytes, struct error *err) {
    CLEANUP(fd_closep)
    int fd =
        openat(run->fd, "plan.json", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make plan.json of run %s", run->id);
    }
    return fd_write_all(fd, bytes, "plan.json", err);
}

status_t plan_file_write(struct run *run, const char *const *argv, const char *const *environment,
                         struct slice plan, struct plan_commitments *ret_commitments,
                         struct error *err) {
    struct builder argv_bytes;
    struct builder text;
    builder_init(&argv_bytes, PLAN_FILE_BYTES_MAX);
    builder_init(&text, PLAN_FILE_BYTES_MAX);
    for (size_t i = 0; argv[i] != nullptr; i++) {
        builder_bytes(&argv_bytes, slice_of(argv[i], strlen(argv[i]) + 1));
    }
    random_fill(ret_commitments->salt, COMMITMENT_SALT_BYTES);
    commitment_make("argv", ret_commitments->salt, builder_slice(&argv_bytes),
                    &ret_commitments->argv);
    commitment_make("plan", ret_commitments->salt, plan, &ret_commitments->plan);
    CLEANUP(json_freep)
    struct json *object =
        plan_object(argv, environment, builder_slice(&argv_bytes), ret_commitments);
    json_write_canonical(object, &text);
    builder_u8(&text, '\n');
    bool complete = builder_is_ok(&text) && builder_is_ok(&argv_bytes);
    status_t status = complete ? write_new(run, builder_slice(&text), err)
                               : error_set(err, ERROR_LIMIT, 0, "the command line is too long");
    builder_deinit(&argv_bytes);
    builder_deinit(&text);
    return status;
}
