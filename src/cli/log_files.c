/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log key, export and import: the log as files for others, and such files checked.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "audit/checkpoint.h"
#include "audit/cosigned.h"
#include "audit/export.h"
#include "audit/jsonl.h"
#include "base/cleanup.h"
#include "cli/log_commands.h"
#include "kernel/config.h"
#include "sys/fd.h"
#include "sys/file.h"

/* What others need to check this log: with second signatures on, both keys, one a line. */
static status_t own_keys_text(const struct state *state, struct builder *out, struct error *err) {
    struct note_keys keys;
    TRY(checkpoint_own_keys(state, &keys, err));
    note_vkey_format(&keys.log, out);
    builder_u8(out, '\n');
    if (state->pq_signatures && !keys.has_pq) {
        (void)error_set(err, ERROR_KEYS_FAILED, 0, "this log has no second key yet");
        error_hint(err, "The key is made by the next run: airlock run -- true");
        return (status_t){ERROR_KEYS_FAILED};
    }
    if (state->pq_signatures) {
        note_pq_vkey_format(&keys.pq, out);
        builder_u8(out, '\n');
    }
    return STATUS_OK;
}

status_t log_key(struct error *err) {
    struct state state;
    struct builder key;
    TRY(config_state_open_keyless(&state, err));
    builder_init(&key, (size_t)2 * NOTE_PQ_VKEY_TEXT);
    status_t status = own_keys_text(&state, &key, err);
    state_close(&state);
    if (status_is_ok(status)) {
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

static status_t check_streams(const struct log_request *request, FILE *lines, FILE *salts,
                              struct audit_jsonl_check *ret_check, struct error *err) {
    struct note_keys keys;
    TRY(log_keys_find(request->keys, &keys, err));
    return audit_jsonl_check(lines, salts, &keys, ret_check, err);
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
        (void)printf("{\"gone\":%" PRIu64 ",\"ml_dsa_44\":%s,\"origin\":\"%s\",\"salted\":%" PRIu64
                     ",\"size\":%" PRIu64 ",\"unknown_signatures\":%u,\"valid\":true}\n",
                     check.gone, check.has_pq ? "true" : "false", check.origin, check.salted,
                     check.size, check.unknown);
        return STATUS_OK;
    }
    (void)printf("%sOK%s  %" PRIu64 " entries of %s: chain, tree and signature agree\n",
                 cli_color(cli->color_out, CLI_GREEN), cli_color(cli->color_out, CLI_PLAIN),
                 check.size, check.origin);
    if (check.has_pq) {
        (void)printf("  the ML-DSA-44 signature agrees too\n");
    }
    if (check.unknown > 0) {
        (void)printf("  %u more signature%s by keys that were not named, not checked\n",
                     check.unknown, check.unknown == 1 ? "" : "s");
    }
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
