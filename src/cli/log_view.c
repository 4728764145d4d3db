/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/log_view.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/storage.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/config.h"
#include "sys/fd.h"

status_t log_session_open(struct log_session *ret_session, struct error *err) {
    *ret_session = (struct log_session){.clock = clock_system(),
                                        .state = {.fd = -1, .runs_fd = -1, .keys_fd = -1}};
    TRY(config_state_open(&ret_session->state, err));
    const struct audit_log_options options = {&ret_session->state, &ret_session->clock};
    status_t status = audit_log_open(&options, &ret_session->log, err);
    secret_freep(&ret_session->state.log_key); /* it opened the log; no longer than that */
    if (!status_is_ok(status)) {
        state_close(&ret_session->state);
    }
    return status;
}

void log_session_close(struct log_session *session) {
    audit_log_closep(&session->log);
    state_close(&session->state);
}

status_t log_session_cover(struct log_session *session, uint64_t seq, struct error *err) {
    struct audit_head head;
    TRY(audit_log_head(session->log, &head, err));
    if (seq >= head.size) {
        return error_set(err, ERROR_AUDIT_NO_SUCH_ENTRY, 0,
                         "entry %" PRIu64 " of a log of %" PRIu64, seq, head.size);
    }
    bool covered = false;
    TRY(receipt_is_covered(session->log, seq, &covered, err));
    if (covered) {
        return STATUS_OK;
    }
    struct keys_client *keys;
    TRY(keys_client_start(&session->state, &keys, err));
    status_t status = receipt_checkpoint(session->log, keys, seq, err);
    keys_client_stop(keys);
    return status;
}

void log_warn_storage(struct audit_log *log) {
    struct audit_storage storage;
    struct error ignored = {0};
    if (!status_is_ok(audit_storage_read(log, &storage, &ignored)) ||
        storage.percent < (unsigned)LIMIT_LOG_WARN_PERCENT) {
        return;
    }
    (void)fprintf(stderr,
                  "warning: the log takes %u %% of its %" PRIu64
                  " MiB; past it the oldest entries lose their bytes. Keep a copy: airlock log "
                  "export DIR\n",
                  storage.percent, storage.bytes_max / 1048576);
}

void log_format_time(int64_t time_ms, char ret_text[static LOG_TIME_BYTES]) {
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (gmtime_r(&seconds, &parts) == nullptr ||
        strftime(ret_text, LOG_TIME_BYTES, "%Y-%m-%d %H:%M:%S", &parts) == 0) {
        (void)snprintf(ret_text, LOG_TIME_BYTES, "%" PRId64, time_ms);
    }
}

bool log_parse_seq(const char *text, uint64_t *ret_seq) {
    size_t length = strlen(text);
    if (length == 0 || length > 18 || strspn(text, "0123456789") != length) {
        return false;
    }
    *ret_seq = strtoull(text, nullptr, 10);
    return true;
}

static bool parse_age(const char *text, uint64_t *ret_ms) {
    static const struct {
        char unit;
        uint64_t ms;
    } UNITS[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 6 || text[digits] == '\0' || text[digits + 1] != '\0') {
        return false;
    }
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++) {
        if (text[digits] == UNITS[i].unit) {
            *ret_ms = strtoull(text, nullptr, 10) * UNITS[i].ms;
            return true;
        }
    }
    return false;
}

bool log_parse_since(const char *text, uint64_t now_ms, uint64_t *ret_ms) {
    static const char *const FORMS[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d"};
    uint64_t age_ms;
    if (parse_age(text, &age_ms)) {
        *ret_ms = age_ms > now_ms ? 0 : now_ms - age_ms;
        return true;
    }
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        struct tm parts = {0};
        const char *end = strptime(text, FORMS[i], &parts);
        if (end != nullptr && (*end == '\0' || strcmp(end, "Z") == 0)) {
            time_t seconds = timegm(&parts);
            *ret_ms = seconds < 0 ? 0 : (uint64_t)seconds * 1000;
            return true;
        }
    }
    return false;
}

static void add_text(struct builder *out, const char *before, const char *text) {
    if (text != nullptr) {
        builder_text(out, out->size > 0 ? " " : "");
        builder_text(out, before);
        text_escape(slice_of_string(text), out);
    }
}

static void add_number(struct builder *out, const struct json *object, const char *key,
                       const char *after) {
    int64_t value;
    if (json_get_integer(object, key, &value) && value != 0) {
        builder_format(out, "%s%" PRId64 " %s", out->size > 0 ? ", " : "", value, after);
    }
}

static void describe_stage(const struct json *stage, struct builder *out) {
    add_number(out, stage, "added", "added");
    add_number(out, stage, "modified", "modified");
    add_number(out, stage, "deleted", "deleted");
    add_number(out, stage, "other", "other");
    if (out->size == 0) {
        builder_text(out, "no changes");
    }
}

void log_describe(const struct json *entry, struct builder *ret_outcome,
                  struct builder *ret_detail) {
    const struct json *decision = json_get(entry, "decision");
    const char *outcome = json_get_text(entry, "outcome");
    add_text(ret_outcome, "", outcome != nullptr ? outcome : json_get_text(decision, "outcome"));
    int64_t number;
    if (json_get_integer(entry, "exit", &number) && outcome != nullptr) {
        builder_format(ret_outcome, " %" PRId64, number);
    }
    if (json_get(entry, "stage") != nullptr) {
        describe_stage(json_get(entry, "stage"), ret_detail);
    }
    add_number(ret_detail, entry, "steps", "steps");
    add_number(ret_detail, entry, "applied", "applied");
    add_number(ret_detail, entry, "skipped", "skipped");
    add_text(ret_detail, "error ", json_get_text(entry, "error"));
    const char *rule = json_get_text(decision, "rule");
    add_text(ret_detail, "by rule ", rule != nullptr && rule[0] != '\0' ? rule : nullptr);
    if (outcome == nullptr) {
        add_text(ret_detail, "in ", json_get_text(entry, "workspace"));
    }
}

status_t log_read_file(const char *path, struct builder *out, struct error *err) {
    if (strcmp(path, "-") == 0) {
        return fd_read_to_end(STDIN_FILENO, "standard input", out, err);
    }
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", path);
    }
    return fd_read_to_end(fd, path, out, err);
}

void log_print(const struct builder *text) {
    (void)fwrite(text->data, 1, text->size, stdout);
}
