/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/run_caches.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "sandbox/run.h"

static status_t make_one(const struct run *run, const struct plan_request *request,
                         const char *cache, uint32_t number, struct error *err) {
    char path[2 * LIMIT_PATH_BYTES];
    char name[48];
    struct stat folder;
    /* The top folder of an overlay shows the upper's mode. */
    (void)snprintf(path, sizeof path, "%s/%s", request->home, cache);
    if (stat(path, &folder) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot look at the cache %s", path);
    }
    (void)snprintf(name, sizeof name, "caches/upper-%u", number);
    TRY(run_make_folder(run->fd, name, folder.st_mode & 07777, request->host_uid, request->host_gid,
                        err));
    (void)snprintf(name, sizeof name, "caches/work-%u", number);
    return run_make_folder(run->fd, name, 0700, request->host_uid, request->host_gid, err);
}

status_t run_make_caches(const struct run *run, const struct plan_request *request,
                         const struct plan_caches *caches, struct error *err) {
    if (caches->count > 0) {
        TRY(run_make_folder(run->fd, "caches", 0700, request->host_uid, request->host_gid, err));
    }
    for (uint32_t i = 0; i < caches->count; i++) {
        TRY(make_one(run, request, caches->folder[i], i, err));
    }
    return STATUS_OK;
}
