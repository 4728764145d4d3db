/* SPDX-License-Identifier: Apache-2.0
 *
 * The log's two lock files: audit.lock, which writers take for a commit, and audit.use, which
 * everybody holds while the log is opened.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "audit/log_file.h"
#include "base/cleanup.h"
#include "sys/fd.h"
#include "sys/file.h"

static const char LOCK_NAME[] = "audit.lock";
static const char USE_NAME[] = "audit.use";

/* Polls, because flock(2) has no timeout and a stopped writer must not hang every command after
 * it. */
static status_t take(const struct audit_log *log, const char *name, int operation, uint64_t wait_ms,
                     int *ret_lock) {
    CLEANUP(fd_closep)
    int lock = file_open_beneath(log->state->fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NOCTTY,
                                 0600, true);
    if (lock < 0) {
        return (status_t){errno == EROFS || errno == EACCES ? ERROR_STATE_READ_ONLY : ERROR_IO};
    }
    uint64_t start = clock_monotonic_ns(log->clock);
    long pause_ns = 100000;
    while (flock(lock, operation | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return (status_t){ERROR_IO};
        }
        uint64_t waited_ms = (clock_monotonic_ns(log->clock) - start) / 1000000;
        if (waited_ms >= wait_ms) {
            errno = 0;
            return (status_t){ERROR_BUSY};
        }
        (void)nanosleep(&(struct timespec){.tv_nsec = pause_ns}, nullptr);
        pause_ns = pause_ns < 2000000 ? pause_ns * 2 : pause_ns;
    }
    *ret_lock = fd_take(&lock);
    return STATUS_OK;
}

static status_t tell(status_t status, const char *name, struct error *err) {
    if (status.code == ERROR_BUSY) {
        limit_hit(LIMIT_ID_SQLITE_BUSY_MS);
        return error_set(err, ERROR_BUSY, 0, "another command holds %s", name);
    }
    return status_is_ok(status)
               ? status
               : error_set(err, (enum error_code)status.code, errno, "cannot lock %s", name);
}

status_t audit_lock_take(const struct audit_log *log, int *ret_lock, struct error *err) {
    return tell(take(log, LOCK_NAME, LOCK_EX, (uint64_t)LIMIT_SQLITE_BUSY_MS, ret_lock), LOCK_NAME,
                err);
}

status_t audit_use_take(const struct audit_log *log, int *ret_use, struct error *err) {
    return tell(take(log, USE_NAME, LOCK_SH, (uint64_t)LIMIT_SQLITE_BUSY_MS, ret_use), USE_NAME,
                err);
}

status_t audit_use_take_alone(const struct audit_log *log, int *ret_use, struct error *err) {
    status_t status = take(log, USE_NAME, LOCK_EX, 0, ret_use);
    if (status.code != ERROR_BUSY) {
        return tell(status, USE_NAME, err);
    }
    (void)error_set(err, ERROR_BUSY, 0, "another command has the log open");
    error_hint(err, "Wait for every run and every airlock log --follow to end, then try again.");
    return (status_t){ERROR_BUSY};
}
