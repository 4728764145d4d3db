/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock verify: checks a receipt with a key and nothing else. The key never comes from the file.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "audit/receipt.h"
#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/log_view.h"
#include "codec/text.h"
#include "sys/fd.h"

static const char EXAMPLES[] = "  airlock verify receipt.txt\n"
                               "  airlock verify --key \"$(cat log.vkey)\" receipt.txt\n"
                               "  airlock receipt | airlock verify -\n";

static status_t find_keys(const char **named, struct note_keys *ret_keys, struct error *err) {
    status_t status = log_keys_find(named, ret_keys, err);
    if (!status_is_ok(status) && named == nullptr && err->code == ERROR_KEYS_FAILED) {
        return error_set(err, ERROR_RECEIPT_KEY, 0,
                         "no key was named and this user's log has none");
    }
    return status;
}

static void print_json_result(const struct receipt_result *result) {
    struct builder text;
    builder_init(&text, (size_t)8 * LIMIT_ENTRY_BYTES);
    builder_format(&text,
                   "{\"valid\":true,\"seq\":%" PRIu64 ",\"tree_size\":%" PRIu64
                   ",\"origin\":\"%s\",\"ml_dsa_44\":%s,\"unknown_signatures\":%u,\"entry\":",
                   result->seq, result->tree_size, result->origin,
                   result->has_pq ? "true" : "false", result->unknown);
    json_write_canonical(result->entry, &text);
    builder_text(&text, "}\n");
    log_print(&text);
    builder_deinit(&text);
}

static void print_row(const struct cli *cli, const char *name, const char *value) {
    struct builder text;
    if (value == nullptr) {
        return;
    }
    builder_init(&text, (size_t)8 * LIMIT_ENTRY_BYTES);
    text_escape(slice_of_string(value), &text);
    (void)printf("  %s%-10s%s %s\n", cli_color(cli->color_out, CLI_DIM), name,
                 cli_color(cli->color_out, CLI_PLAIN), builder_c_string(&text));
    builder_deinit(&text);
}

static void print_result(const struct cli *cli, const struct receipt_result *result) {
    char place[96];
    char when[LOG_TIME_BYTES] = "";
    int64_t time_ms;
    struct builder outcome;
    struct builder detail;
    builder_init(&outcome, 4096);
    builder_init(&detail, (size_t)4 * LIMIT_ENTRY_BYTES);
    log_describe(result->entry, &outcome, &detail);
    if (json_get_integer(result->entry, "time_ms", &time_ms)) {
        log_format_time(time_ms, when);
    }
    (void)snprintf(place, sizeof place, "%" PRIu64 " of a log of %" PRIu64 " entries", result->seq,
                   result->tree_size);
    (void)printf("%sOK%s  the receipt is genuine\n", cli_color(cli->color_out, CLI_GREEN),
                 cli_color(cli->color_out, CLI_PLAIN));
    print_row(cli, "log", result->origin);
    print_row(cli, "signed by", result->has_pq ? "Ed25519 and ML-DSA-44" : "Ed25519");
    if (result->unknown > 0) {
        char unknown[64];
        (void)snprintf(unknown, sizeof unknown, "%u signature%s by keys that were not named",
                       result->unknown, result->unknown == 1 ? "" : "s");
        print_row(cli, "unchecked", unknown);
    }
    print_row(cli, "entry", place);
    print_row(cli, "type", json_get_text(result->entry, "type"));
    print_row(cli, "time", when);
    print_row(cli, "run", json_get_text(result->entry, "run"));
    print_row(cli, "outcome", builder_c_string(&outcome));
    print_row(cli, "detail", builder_c_string(&detail));
    builder_deinit(&outcome);
    builder_deinit(&detail);
}

struct request {
    const char **keys;
    bool allow_unknown;
    const char *path;
};

static status_t verify(const struct cli *cli, const struct request *request,
                       struct builder *receipt, struct error *err) {
    struct receipt_result result;
    struct note_keys keys;
    TRY(log_read_file(request->path, receipt, err));
    TRY(find_keys(request->keys, &keys, err));
    TRY(receipt_verify(builder_slice(receipt), &keys, request->allow_unknown, &result, err));
    if (cli->json) {
        print_json_result(&result);
    } else {
        print_result(cli, &result);
    }
    json_free(result.entry);
    return STATUS_OK;
}

int cli_verify(struct cli *cli, int argc, char **argv) {
    struct request request = {0};
    const struct cli_option options[] = {
        {.name = "key",
         .letter = 'k',
         .list = &request.keys,
         .argument = "VKEY",
         .help = "a verifier key of the log; without it, this user's own log's"},
        {.name = "allow-unknown",
         .flag = &request.allow_unknown,
         .help = "pass over lines and signatures this version does not know"},
    };
    struct error err = {0};
    int exit_status;
    if (!cli_begin(cli, &argc, argv, &CLI_FORM(options, EXAMPLES), &exit_status)) {
        return exit_status;
    }
    if (argc != 1) {
        (void)error_set(&err, ERROR_USAGE, 0, "verify takes one file (- is standard input)");
        return cli_error(cli, &err);
    }
    request.path = argv[1];
    struct builder receipt;
    builder_init(&receipt, (size_t)LIMIT_RECEIPT_BYTES);
    status_t status = verify(cli, &request, &receipt, &err);
    builder_deinit(&receipt);
    if (!status_is_ok(status) && err.code == ERROR_LIMIT) {
        limit_hit(LIMIT_ID_RECEIPT_BYTES);
        (void)error_set(&err, ERROR_RECEIPT_MALFORMED, 0, "%s is too long for a receipt",
                        request.path);
    }
    return status_is_ok(status) ? 0 : cli_error(cli, &err);
}
