/* SPDX-License-Identifier: Apache-2.0
 *
 * runs/<id>/engine is there from before the first thing is made at an engine until all of it is
 * gone: it names the engine's socket and the boot, so that whoever finds a run without a command
 * can clear up. An engine that cannot be asked keeps the run from being collected, because its
 * container may still write; after another boot nothing does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kernel/run_container.h"
#include "sandbox/lower.h"
#include "sys/fd.h"
#include "sys/file.h"

enum { RECORD_BYTES = LIMIT_PATH_BYTES + 256 };
static const uint32_t RECORD_MAGIC = 0x31656e67;
static const char RECORD[] = "engine";
static const char BOOT_ID[] = "/proc/sys/kernel/random/boot_id";

static status_t read_boot(struct builder *boot, struct error *err) {
    builder_init(boot, 64);
    CLEANUP(fd_closep) int fd = open(BOOT_ID, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? fd_read_to_end(fd, BOOT_ID, boot, err)
                   : error_set(err, ERROR_IO, errno, "cannot read %s", BOOT_ID);
}

status_t run_container_record(const struct run_container *container, const struct run *run,
                              struct error *err) {
    CLEANUP(builder_deinit) struct builder record;
    CLEANUP(builder_deinit) struct builder boot;
    TRY(read_boot(&boot, err));
    builder_init(&record, RECORD_BYTES);
    builder_u32(&record, RECORD_MAGIC);
    builder_u8(&record, container->asked->kind);
    builder_string(&record, container->asked->socket);
    builder_block(&record, builder_slice(&boot));
    return file_write_atomic(run->fd, RECORD, builder_slice(&record),
                             &(struct file_write_options){.durable = true}, err);
}

static status_t remove_all(struct engine *engine, const char *name, struct run *run,
                           struct error *err) {
    TRY(engine_remove(engine, name, err));
    TRY(engine_volume_remove(engine, name, err));
    TRY(lower_detach(run, err));
    (void)unlinkat(run->fd, RUN_CONTAINER_GATE, 0);
    (void)unlinkat(run->fd, RUN_CONTAINER_TRUST, 0);
    if (unlinkat(run->fd, RECORD, 0) != 0 && errno != ENOENT) {
        return error_set(err, ERROR_IO, errno, "cannot remove %s of run %s", RECORD, run->id);
    }
    return STATUS_OK;
}

static bool has_record(const struct run *run) {
    return faccessat(run->fd, RECORD, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

status_t run_container_end(struct run_container *container, struct run *run, struct error *err) {
    if (container->engine == nullptr || !has_record(run)) {
        return STATUS_OK;
    }
    struct error first;
    if (status_is_ok(remove_all(container->engine, container->name, run, &first))) {
        return STATUS_OK;
    }
    /* The process or the engine may only just have come back. */
    engine_closep(&container->engine);
    return run_container_collect(run, err);
}

struct record {
    enum engine_kind kind;
    char socket[LIMIT_PATH_BYTES];
    bool is_this_boot;
};

static status_t read_record(const struct run *run, struct record *ret, struct error *err) {
    CLEANUP(builder_deinit) struct builder bytes;
    CLEANUP(builder_deinit) struct builder boot;
    bool found = false;
    builder_init(&bytes, RECORD_BYTES);
    TRY(read_boot(&boot, err));
    TRY(file_read(run->fd, RECORD, &bytes, &found, err));
    struct cursor cursor = cursor_of(builder_slice(&bytes));
    bool is_ours = cursor_u32(&cursor) == RECORD_MAGIC;
    uint8_t kind = cursor_u8(&cursor);
    const char *socket = cursor_string(&cursor);
    struct slice then = cursor_block(&cursor);
    if (!found || !is_ours || kind >= ENGINE_KIND_NAMES || !cursor_is_finished(&cursor) ||
        strlen(socket) >= sizeof ret->socket) {
        return error_set(err, ERROR_BAD_ENCODING, 0, "the file %s of run %s is damaged", RECORD,
                         run->id);
    }
    ret->kind = (enum engine_kind)kind;
    ret->is_this_boot = slice_equal(then, builder_slice(&boot));
    (void)snprintf(ret->socket, sizeof ret->socket, "%s", socket);
    return STATUS_OK;
}

static status_t ask_to_remove(const struct record *record, struct run *run, struct error *err) {
    CLEANUP(engine_closep) struct engine *engine = nullptr;
    char name[16 + ID_TEXT_BYTES];
    const struct engine_options options = {
        .kind = record->kind,
        .socket = record->socket,
        .state = "",
    };
    (void)snprintf(name, sizeof name, "airlock-%s", run->id);
    TRY(engine_open(&options, &engine, err));
    return remove_all(engine, name, run, err);
}

status_t run_container_collect(struct run *run, struct error *err) {
    struct record record;
    if (!has_record(run)) {
        return STATUS_OK;
    }
    TRY(read_record(run, &record, err));
    struct error why;
    if (status_is_ok(ask_to_remove(&record, run, &why))) {
        return STATUS_OK;
    }
    if (record.is_this_boot) {
        *err = why;
        return error_context(err, "clearing up the container of run %s", run->id);
    }
    TRY(lower_detach(run, err));
    if (unlinkat(run->fd, RECORD, 0) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot remove %s of run %s", RECORD, run->id);
    }
    return STATUS_OK;
}
