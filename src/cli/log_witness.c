/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock log witness: the hosts that cosign this log's checkpoints, and asking them to.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/cosigned.h"
#include "base/cleanup.h"
#include "cli/log_commands.h"
#include "codec/text.h"
#include "kernel/witnesses.h"

static status_t add(const struct state *state, const struct log_request *request, char **operands,
                    struct error *err) {
    char ca[LIMIT_PATH_BYTES] = "";
    if (request->ca != nullptr && realpath(request->ca, ca) == nullptr) {
        return error_set(err, ERROR_USAGE, 0, "--ca names no file");
    }
    const struct witness_row row = {operands[0], operands[1], operands[2], ca};
    return witnesses_add(state, &row, err);
}

static void print_json(struct json *consumed) {
    struct builder text;
    builder_init(&text, (size_t)1 << 20);
    json_write_canonical(consumed, &text);
    builder_u8(&text, '\n');
    log_print(&text);
    builder_deinit(&text);
    json_free(consumed);
}

static void print_row(const struct witness_row *row) {
    struct builder text;
    builder_init(&text, (size_t)4 * LIMIT_PATH_BYTES);
    builder_format(&text, "%s\t%s\t", row->name, row->url);
    text_escape(slice_of_string(row->vkey), &text);
    if (row->ca[0] != '\0') {
        builder_text(&text, "\t");
        text_escape(slice_of_string(row->ca), &text);
    }
    builder_u8(&text, '\n');
    log_print(&text);
    builder_deinit(&text);
}

static status_t list(const struct cli *cli, const struct state *state, struct error *err) {
    struct json *rows = nullptr;
    TRY(witnesses_read(state, &rows, err));
    if (cli->json) {
        print_json(rows);
        return STATUS_OK;
    }
    for (size_t i = 0; i < json_array_count(rows); i++) {
        struct witness_row row = witnesses_row(rows, i);
        print_row(&row);
    }
    if (json_array_count(rows) == 0) {
        (void)printf("no witnesses; add one: airlock log witness add NAME VKEY URL\n");
    }
    json_free(rows);
    return STATUS_OK;
}

static void report(const struct cli *cli, const struct witness_row *row,
                   const struct witness_sync *sync, const struct error *failed, struct json *all) {
    if (cli->json) {
        struct json *object = json_object_new();
        json_set_text(object, "name", row->name);
        json_set_text(object, "outcome",
                      failed != nullptr ? "failed"
                      : sync->is_new    ? "cosigned"
                                        : "current");
        if (failed != nullptr) {
            json_set_text(object, "error", error_slug(failed->code));
        } else {
            json_set_integer(object, "size", (int64_t)sync->size);
        }
        if (failed == nullptr && sync->is_new) {
            json_set_integer(object, "time_s", (int64_t)sync->time_s);
        }
        json_append(all, object);
    } else if (failed == nullptr) {
        (void)printf("%s: %s the tree of %" PRIu64 " entries\n", row->name,
                     sync->is_new ? "cosigned" : "had cosigned", sync->size);
    }
}

/* Asks every witness, whatever the others did; the first failure is the command's, and the others
 * are told of as they come. */
static status_t sync_all(const struct cli *cli, struct log_session *session,
                         const struct json *rows, struct json *all, struct error *err) {
    uint64_t now_s = clock_wall_ms(&session->clock) / 1000;
    status_t status = STATUS_OK;
    for (size_t i = 0; i < json_array_count(rows); i++) {
        struct witness_row row = witnesses_row(rows, i);
        struct witness_sync sync = {0};
        struct error failed = {0};
        bool is_done = status_is_ok(
            witnesses_sync(session->log, &session->state, &row, now_s, &sync, &failed));
        report(cli, &row, &sync, is_done ? nullptr : &failed, all);
        if (!is_done && status_is_ok(status)) {
            *err = failed;
            status = (status_t){failed.code};
        } else if (!is_done && !cli->json) {
            (void)cli_error(cli, &failed);
        }
    }
    return status;
}

static status_t sync(const struct cli *cli, struct error *err) {
    struct log_session session;
    CLEANUP(json_freep) struct json *rows = nullptr;
    struct json *all = json_array_new();
    status_t status = log_session_open(&session, err);
    if (!status_is_ok(status)) {
        json_free(all);
        return status;
    }
    status = witnesses_read(&session.state, &rows, err);
    if (status_is_ok(status) && json_array_count(rows) == 0) {
        status = error_set(err, ERROR_WITNESS_UNKNOWN, 0, "this log has no witness");
        error_hint(err, "Add one: airlock log witness add NAME VKEY URL");
    }
    if (status_is_ok(status)) {
        status = sync_all(cli, &session, rows, all, err);
    }
    log_session_close(&session);
    if (cli->json && json_array_count(all) > 0) {
        struct json *object = json_object_new();
        json_set(object, "witnesses", all);
        print_json(object);
    } else {
        json_free(all);
    }
    return status;
}

status_t log_witness(const struct cli *cli, const struct log_request *request, int count,
                     char **operands, struct error *err) {
    const char *what = count > 0 ? operands[0] : "";
    if (count == 1 && strcmp(what, "sync") == 0) {
        return sync(cli, err);
    }
    bool is_add = count == 4 && strcmp(what, "add") == 0;
    bool is_list = count == 1 && strcmp(what, "list") == 0;
    bool is_remove = count == 2 && strcmp(what, "remove") == 0;
    if (!is_add && !is_list && !is_remove) {
        return error_set(err, ERROR_USAGE, 0,
                         "log witness takes add NAME VKEY URL, list, remove NAME, or sync");
    }
    struct state state;
    TRY(state_open(&state, err));
    status_t status = is_add    ? add(&state, request, operands + 1, err)
                      : is_list ? list(cli, &state, err)
                                : witnesses_remove(&state, operands[1], err);
    state_close(&state);
    return status;
}
