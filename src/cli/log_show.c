/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log show: one entry, with its command line where that is still there. The entry only
 * commits to it; the words stand in the run's plan.json.
 */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/log_commands.h"
#include "codec/text.h"
#include "crypto/commitment.h"
#include "sandbox/stage.h"
#include "sys/file.h"

enum { PLAN_FILE_BYTES_MAX = 8 * (int)LIMIT_PLAN_BYTES };

enum plan_state { PLAN_NONE, PLAN_FITS, PLAN_DIFFERS };

/* Whether the plan's words open the entry's commitment. */
static bool commitment_holds(const struct json *entry, const struct json *plan) {
    const char *salt_text = json_get_text(plan, "salt");
    const char *argv_text = json_get_text(plan, "argv_base64");
    const char *named_text = json_get_text(entry, "argv_commitment");
    uint8_t salt[COMMITMENT_SALT_BYTES];
    struct digest named;
    struct digest computed;
    struct builder argv;
    if (salt_text == nullptr || argv_text == nullptr || named_text == nullptr ||
        !text_unhex(slice_of_string(salt_text), salt, sizeof salt) ||
        !text_unhex(slice_of_string(named_text), named.bytes, DIGEST_BYTES)) {
        return false;
    }
    builder_init(&argv, PLAN_FILE_BYTES_MAX);
    bool is_base64 = text_unbase64(slice_of_string(argv_text), &argv) && builder_is_ok(&argv);
    commitment_make("argv", salt, builder_slice(&argv), &computed);
    builder_deinit(&argv);
    return is_base64 && digest_equal(&named, &computed);
}

/* The words themselves, from the bytes that were committed to: "argv" beside them is for people. */
static struct json *words_of(const struct json *plan) {
    struct json *words = json_array_new();
    struct builder argv;
    struct builder shown;
    builder_init(&argv, PLAN_FILE_BYTES_MAX);
    builder_init(&shown, PLAN_FILE_BYTES_MAX);
    (void)text_unbase64(slice_of_string(json_get_text(plan, "argv_base64")), &argv);
    struct cursor cursor = cursor_of(builder_slice(&argv));
    while (cursor_remaining(&cursor) > 0 && cursor_is_ok(&cursor)) {
        builder_reset(&shown);
        text_escape(cursor_until(&cursor, '\0'), &shown);
        json_append_text(words, builder_c_string(&shown));
    }
    builder_deinit(&shown);
    builder_deinit(&argv);
    return words;
}

static enum plan_state join_argv(const struct log_session *session, struct json *entry) {
    const char *run = json_get_text(entry, "run");
    char path[64];
    bool found = false;
    struct error ignored = {0};
    struct builder text;
    CLEANUP(json_freep) struct json *plan = nullptr;
    if (run == nullptr || !id_is_valid(run) || json_get(entry, "argv_commitment") == nullptr) {
        return PLAN_NONE;
    }
    (void)snprintf(path, sizeof path, "%s/plan.json", run);
    builder_init(&text, PLAN_FILE_BYTES_MAX);
    status_t status = file_read(session->state.runs_fd, path, &text, &found, &ignored);
    if (status_is_ok(status) && found) {
        status = json_parse(builder_slice(&text), "plan.json", &plan, &ignored);
    }
    builder_deinit(&text);
    if (!found) {
        return PLAN_NONE; /* removed with its run; the commitment stays */
    }
    if (!status_is_ok(status) || !commitment_holds(entry, plan)) {
        return PLAN_DIFFERS;
    }
    json_set(entry, "argv (from plan.json, opens argv_commitment)", words_of(plan));
    return PLAN_FITS;
}

static status_t print_entry(const struct cli *cli, const struct json *entry, struct error *err) {
    struct builder text;
    builder_init(&text, (size_t)16 * LIMIT_PLAN_BYTES);
    if (cli->json) {
        json_write_canonical(entry, &text);
        builder_u8(&text, '\n');
    } else {
        json_write_pretty(entry, &text);
    }
    bool complete = builder_is_ok(&text);
    log_print(&text);
    builder_deinit(&text);
    return complete ? STATUS_OK : error_set(err, ERROR_LIMIT, 0, "the entry is too long to show");
}

/* What is left of an entry whose bytes retention deleted. */
static status_t show_gone(const struct cli *cli, struct log_session *session, uint64_t seq,
                          struct error *err) {
    struct digest leaf;
    struct builder hex;
    TRY(audit_log_read_hash(session->log, 0, seq, &leaf, err));
    CLEANUP(json_freep) struct json *entry = json_object_new();
    builder_init(&hex, (size_t)2 * DIGEST_BYTES + 1);
    text_hex(slice_of(leaf.bytes, DIGEST_BYTES), &hex);
    json_set_text(entry, "leaf", builder_c_string(&hex));
    json_set_integer(entry, "seq", (int64_t)seq);
    json_set_text(entry, "bytes", "deleted by retention; see type audit_archive_deleted");
    builder_deinit(&hex);
    return print_entry(cli, entry, err);
}

status_t log_show(const struct cli *cli, struct log_session *session,
                  [[maybe_unused]] const struct log_request *request, const char *operand,
                  struct error *err) {
    uint64_t seq = 0;
    bool found = false;
    struct builder bytes;
    CLEANUP(json_freep) struct json *entry = nullptr;
    if (operand == nullptr || !log_parse_seq(operand, &seq)) {
        return error_set(err, ERROR_USAGE, 0, "log show takes the number of an entry");
    }
    builder_init(&bytes, LIMIT_ENTRY_BYTES);
    status_t status = audit_log_read(session->log, seq, &bytes, &found, err);
    if (status_is_ok(status) && !found) {
        status = error_set(err, ERROR_AUDIT_NO_SUCH_ENTRY, 0, "there is no entry %" PRIu64, seq);
    }
    bool is_gone = bytes.size == 0;
    if (status_is_ok(status) && !is_gone) {
        status = json_parse(builder_slice(&bytes), "the entry", &entry, err);
    }
    builder_deinit(&bytes);
    TRY(status);
    if (is_gone) {
        return show_gone(cli, session, seq, err);
    }
    enum plan_state plan = join_argv(session, entry);
    TRY(print_entry(cli, entry, err));
    if (plan != PLAN_DIFFERS) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_RECEIPT_ENTRY, 0,
                    "plan.json of run %s is not what the entry commits to",
                    json_get_text(entry, "run"));
    error_hint(err, "Somebody changed plan.json after the run was admitted; the entry stands.");
    return (status_t){ERROR_RECEIPT_ENTRY};
}
