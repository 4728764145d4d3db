/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log key, export and import: the log as files for others, and such files checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "audit/cosigned.h"
#include "audit/export.h"
#include "audit/jsonl.h"
#include "base/cleanup.h"
#include "cli/log_commands.h"
#include "sys/fd.h"
#include "sys/file.h"

status_t log_key(struct error *err) {
    struct state state;
    struct builder key;
    TRY(state_open(&state, err));
    builder_init(&key, 1024);
    status_t status = receipt_own_vkey(&state, &key, err);
    state_close(&state);
    if (status_is_ok(status)) {
        builder_u8(&key, '\n');
        log_print(&key);
    }
    builder_deinit(&key);
    return status;
}

/* A file that is written beside its name and takes it when it is whole. */
struct draft {
    const char *path;
    char part[LIMIT_PATH_BYTES];
    FILE *file; /* nullptr once it is done with */
};

static status_t draft_open(const char *path, struct draft *ret_draft, struct error *err) {
    struct draft draft = {.path = path};
    int size = snprintf(draft.part, sizeof draft.part, "%s.part", path);
    if (size < 0 || (size_t)size >= sizeof draft.part) {
        return error_set(err, ERROR_IO, ENAMETOOLONG, "cannot write %s", path);
    }
    int fd = open(draft.part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    draft.file = fd < 0 ? nullptr : fdopen(fd, "w");
    if (draft.file == nullptr) {
        int reason = errno;
        fd_closep(&fd);
        return error_set(err, ERROR_IO, reason, "cannot write %s", path);
    }
    *ret_draft = draft;
    return STATUS_OK;
}

/* Gives the file its name when all of it was written, else removes it. */
static status_t draft_close(struct draft *draft, status_t status, struct error *err) {
    if (draft->file == nullptr) {
        return status;
    }
    bool is_written = fflush(draft->file) == 0 && fsync(fileno(draft->file)) == 0;
    int reason = errno;
    (void)fclose(draft->file);
    draft->file = nullptr;
    if (status_is_ok(status) && !is_written) {
        status = error_set(err, ERROR_IO, reason, "cannot write %s", draft->path);
    }
    if (status_is_ok(status) && rename(draft->part, draft->path) != 0) {
        status = error_set(err, ERROR_IO, errno, "cannot give %s its name", draft->path);
    }
    if (!status_is_ok(status)) {
        (void)unlink(draft->part);
    }
    return status;
}

static status_t export_jsonl(const struct cli *cli, struct log_session *session, const char *path,
                             struct error *err) {
    char salts_path[LIMIT_PATH_BYTES];
    struct draft lines;
    struct draft salts;
    struct audit_jsonl_result result = {0};
    int size = snprintf(salts_path, sizeof salts_path, "%s.salts", path);
    if (size < 0 || (size_t)size >= sizeof salts_path) {
        return error_set(err, ERROR_IO, ENAMETOOLONG, "cannot write %s", path);
    }
    TRY(draft_open(path, &lines, err));
    status_t status = draft_open(salts_path, &salts, err);
    if (!status_is_ok(status)) {
        return draft_close(&lines, status, err);
    }
    status = audit_jsonl_write(session->log, lines.file, salts.file, &result, err);
    status = draft_close(&salts, status, err);
    TRY(draft_close(&lines, status, err));
    if (cli->json) {
        (void)printf("{\"callers\":%" PRIu64 ",\"gone\":%" PRIu64 ",\"size\":%" PRIu64 "}\n",
                     result.callers, result.gone, result.size);
    } else {
        (void)printf("%" PRIu64 " entries in %s; %" PRIu64
                     " callers are salted, and %s opens them: keep it\n",
                     result.size, path, result.callers, salts_path);
    }
    return STATUS_OK;
}

static status_t export_tiles(const struct cli *cli, struct log_session *session, const char *path,
                             struct error *err) {
    CLEANUP(fd_closep) int folder = -1;
    struct audit_export_result result;
    TRY(file_open_folder(AT_FDCWD, path, true, 0755, &folder, err));
    TRY(audit_export_tiles(session->log, folder, &result, err));
    if (cli->json) {
        (void)printf("{\"files\":%" PRIu64 ",\"gone\":%" PRIu64 ",\"size\":%" PRIu64 "}\n",
                     result.files, result.gone, result.size);
        return STATUS_OK;
    }
    (void)printf("%" PRIu64 " entries in %s: %" PRIu64 " files written\n", result.size, path,
                 result.files);
    if (result.gone > 0) {
        (void)printf("  %" PRIu64 " bundles of entries are not there: retention deleted them\n",
                     result.gone);
    }
    return STATUS_OK;
}

static status_t export_proof(struct log_session *session, const char *proof, const char *path,
                             struct error *err) {
    CLEANUP(fd_closep) int folder = -1;
    uint64_t seq = 0;
    if (!log_parse_seq(proof, &seq)) {
        return error_set(err, ERROR_USAGE, 0, "--proof takes the number of an entry");
    }
    TRY(file_open_folder(AT_FDCWD, path, true, 0755, &folder, err));
    TRY(log_session_cover(session, seq, err));
    return audit_export_spicy(session->log, seq, folder, err);
}

status_t log_export(const struct cli *cli, struct log_session *session,
                    const struct log_request *request, const char *operand, struct error *err) {
    struct audit_head head;
    bool is_jsonl = request->jsonl != nullptr;
    if (is_jsonl == (operand != nullptr) || (is_jsonl && request->proof != nullptr)) {
        return error_set(err, ERROR_USAGE, 0,
                         "log export takes a folder, --proof SEQ and a folder, or --jsonl FILE");
    }
    if (request->proof != nullptr) {
        return export_proof(session, request->proof, operand, err);
    }
    TRY(audit_log_head(session->log, &head, err));
    bool is_cosigned = false;
    TRY(is_jsonl ? STATUS_OK : cosigned_is_newest(session->log, &is_cosigned, err));
    if (head.size > 0 && !is_cosigned) {
        TRY(log_session_cover(session, head.size - 1, err));
    }
    return is_jsonl ? export_jsonl(cli, session, request->jsonl, err)
                    : export_tiles(cli, session, operand, err);
}

/* --key, or the own log's. */
static status_t key_find(const struct log_request *request, struct builder *out,
                         struct error *err) {
    struct state state;
    if (request->key != nullptr) {
        builder_text(out, request->key);
        return STATUS_OK;
    }
    TRY(state_open(&state, err));
    status_t status = receipt_own_vkey(&state, out, err);
    state_close(&state);
    return status;
}

static status_t check_streams(const struct log_request *request, FILE *lines, FILE *salts,
                              struct audit_jsonl_check *ret_check, struct error *err) {
    struct builder key;
    builder_init(&key, 4096);
    status_t status = key_find(request, &key, err);
    if (status_is_ok(status)) {
        status = audit_jsonl_check(lines, salts, builder_c_string(&key), ret_check, err);
    }
    builder_deinit(&key);
    return status;
}

static status_t check_file(const struct log_request *request, const char *path,
                           struct audit_jsonl_check *ret_check, struct error *err) {
    FILE *lines = fopen(path, "re");
    if (lines == nullptr) {
        return error_set(err, ERROR_IO, errno, "cannot read %s", path);
    }
    FILE *salts = request->salts == nullptr ? nullptr : fopen(request->salts, "re");
    status_t status = request->salts != nullptr && salts == nullptr
                          ? error_set(err, ERROR_IO, errno, "cannot read %s", request->salts)
                          : check_streams(request, lines, salts, ret_check, err);
    (void)fclose(lines);
    if (salts != nullptr) {
        (void)fclose(salts);
    }
    return status;
}

status_t log_import(const struct cli *cli, const struct log_request *request, const char *operand,
                    struct error *err) {
    struct audit_jsonl_check check;
    if (!request->check || operand == nullptr) {
        (void)error_set(err, ERROR_USAGE, 0, "log import takes --check and an exported file");
        error_hint(err, "An export is read and checked, never put back: a restored log would sign "
                        "two trees of one size. Check it with: airlock log import --check FILE");
        return (status_t){ERROR_USAGE};
    }
    TRY(check_file(request, operand, &check, err));
    if (cli->json) {
        (void)printf("{\"gone\":%" PRIu64 ",\"origin\":\"%s\",\"salted\":%" PRIu64
                     ",\"size\":%" PRIu64 ",\"valid\":true}\n",
                     check.gone, check.origin, check.salted, check.size);
        return STATUS_OK;
    }
    (void)printf("%sOK%s  %" PRIu64 " entries of %s: chain, tree and signature agree\n",
                 cli_color(cli->color_out, CLI_GREEN), cli_color(cli->color_out, CLI_PLAIN),
                 check.size, check.origin);
    if (check.salted > 0) {
        (void)printf("  %" PRIu64 " of them have a salted caller, so what they say was not held "
                     "against their hash; --salts FILE opens them\n",
                     check.salted);
    }
    if (check.gone > 0) {
        (void)printf("  %" PRIu64 " of them are only hashes: retention deleted the rest\n",
                     check.gone);
    }
    return STATUS_OK;
}
