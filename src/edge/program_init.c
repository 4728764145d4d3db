/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock proxy init [DIR]
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/text.h"
#include "edge/development.h"
#include "edge/init_file.h"
#include "edge/program_verbs.h"
#include "sys/fd.h"

/* The names that stand in profiles/proxy.yaml. */
static const char CONFIG[] = "proxy.yaml", CERTIFICATE[] = "dev-cert.pem", KEY[] = "dev-key.pem";

struct init_paths {
    char config[LIMIT_PATH_BYTES], certificate[LIMIT_PATH_BYTES], key[LIMIT_PATH_BYTES];
};

static status_t set_path(const char *folder, const char *name, char path[static LIMIT_PATH_BYTES],
                         struct error *err) {
    int size = snprintf(path, LIMIT_PATH_BYTES, "%s/%s", folder, name);
    return size > 0 && size < LIMIT_PATH_BYTES
               ? STATUS_OK
               : error_set(err, ERROR_IO, ENAMETOOLONG, "cannot make %s", name);
}

static status_t write_config(const char *path, struct error *err) {
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd >= 0) {
        return fd_write_all(fd, init_file_text(), path, err);
    }
    int why = errno;
    (void)error_set(err, ERROR_IO, why, "cannot make %s", path);
    if (why == EEXIST) {
        error_hint(err, "Name another folder: airlock proxy init DIR. Nothing was overwritten.");
    }
    return (status_t){(int)err->code};
}

static void print(const struct init_paths *paths, bool is_json, bool is_made) {
    if (is_json) {
        CLEANUP(json_freep) struct json *answer = json_object_new();
        program_set_text(answer, "config", paths->config);
        program_set_text(answer, "certificate", paths->certificate);
        program_set_text(answer, "key", paths->key);
        json_set_bool(answer, "certificate_made", is_made);
        program_print_json(answer);
        return;
    }
    (void)printf("made %s\n", paths->config);
    if (is_made) {
        (void)printf("made %s and %s: self-signed, for " DEVELOPMENT_NAMES
                     ", %d days; for development only\n",
                     paths->certificate, paths->key, DEVELOPMENT_DAYS);
    } else {
        (void)printf("kept %s and %s\n", paths->certificate, paths->key);
    }
    (void)printf("\nnext:\n  airlock proxy check -c %s\n  airlock proxy -c %s\n"
                 "  curl --cacert %s https://localhost:8443/    (with something on port 8080)\n",
                 paths->config, paths->config, paths->certificate);
}

status_t program_init(const struct program_call *call, int *ret_exit, struct error *err) {
    static struct init_paths paths; /* large */
    enum development_made made = DEVELOPMENT_THERE;
    const char *folder = call->operand_count > 0 ? call->operands[0] : ".";
    (void)ret_exit;
    if (mkdir(folder, 0755) != 0 && errno != EEXIST) {
        int why = errno;
        (void)error_set(err, ERROR_IO, why, "cannot make the folder %s", folder);
        if (why == ENOENT) {
            error_hint(err, "The folder above it is not there; make it first: mkdir -p %.300s",
                       folder);
        }
        return (status_t){(int)err->code};
    }
    TRY(set_path(folder, CONFIG, paths.config, err));
    TRY(set_path(folder, CERTIFICATE, paths.certificate, err));
    TRY(set_path(folder, KEY, paths.key, err));
    TRY(write_config(paths.config, err));
    TRY(development_make(paths.certificate, paths.key, &made, err));
    print(&paths, call->report.json, made == DEVELOPMENT_MADE);
    return STATUS_OK;
}
