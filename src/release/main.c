/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-release: checks that a release is what its makers signed. `airlock release` becomes it; a
 * program of its own, because ML-DSA-65 comes from libcrypto, which `airlock` does without.
 *
 * It needs nothing of an installed Airlock: copied alone to another machine it does the same.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/error_report.h"
#include "codec/text.h"
#include "release/check.h"
#include "sys/fd.h"

static const char HELP[] =
    "airlock release: check that a release is what its makers signed\n"
    "\n"
    "usage: airlock release verify FOLDER|FILE --key FILE [OPTION...]\n"
    "\n"
    "options:\n"
    "  -k, --key FILE           the makers' public keys; never from the release itself\n"
    "      --provenance FILE    the signed statement; else provenance.dsse.json beside the files\n"
    "      --json               answer as JSON\n"
    "      --help               show this text\n"
    "\n"
    "examples:\n"
    "  airlock release verify dist --key release.pub\n"
    "  airlock release verify dist/airlock-0.1.0-amd64.tar.gz --key release.pub\n";

enum { ANSWER_BYTES_MAX = 1 << 20 };
enum { OPTION_JSON = 1, OPTION_PROVENANCE, OPTION_HELP };

struct command {
    struct release_request request;
    bool json;
    bool help;
    struct json *problems; /* owned */
};

static status_t usage(const char *what, struct error *err) {
    (void)error_set(err, ERROR_USAGE, 0, "%s", what);
    error_hint(err, "See the options with: airlock release --help");
    return (status_t){ERROR_USAGE};
}

static status_t parse(int argc, char **argv, struct command *command, struct error *err) {
    static const struct option OPTIONS[] = {
        {"key", required_argument, nullptr, 'k'},
        {"provenance", required_argument, nullptr, OPTION_PROVENANCE},
        {"json", no_argument, nullptr, OPTION_JSON},
        {"help", no_argument, nullptr, OPTION_HELP},
        {},
    };
    char what[128];
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":k:h", OPTIONS, nullptr)) != -1) {
        switch (option) {
        case 'k':
            command->request.keys = optarg;
            break;
        case OPTION_PROVENANCE:
            command->request.provenance = optarg;
            break;
        case OPTION_JSON:
            command->json = true;
            break;
        case 'h':
        case OPTION_HELP:
            command->help = true;
            break;
        case ':':
            (void)snprintf(what, sizeof what, "%.80s takes a value", argv[optind - 1]);
            return usage(what, err);
        default:
            (void)snprintf(what, sizeof what, "airlock release has no option %.80s",
                           argv[optind - 1]);
            return usage(what, err);
        }
    }
    if (command->help) {
        return STATUS_OK;
    }
    if (optind + 2 != argc || strcmp(argv[optind], "verify") != 0) {
        return usage("release takes: verify, and one folder or file", err);
    }
    if (command->request.keys == nullptr) {
        return usage("the makers' keys are missing: --key FILE", err);
    }
    command->request.path = argv[optind + 1];
    return STATUS_OK;
}

static void on_problem(void *context, const struct release_problem *problem) {
    struct command *command = context;
    if (!command->json) {
        (void)printf("  %-11s %s\n", problem->what, problem->file);
        return;
    }
    struct json *row = json_object_new();
    json_set_text(row, "file", problem->file);
    json_set_text(row, "problem", problem->what);
    json_append(command->problems, row);
}

static const char *bundle_text(enum release_bundle bundle) {
    switch (bundle) {
    case RELEASE_BUNDLE_ABSENT:
        return "absent";
    case RELEASE_BUNDLE_SAME:
        return "unchecked";
    case RELEASE_BUNDLE_VERIFIED:
        return "verified";
    }
    return "";
}

static void print_json(const struct command *command, const struct release_result *result,
                       bool is_valid) {
    CLEANUP(json_freep) struct json *answer = json_object_new();
    struct builder text;
    json_set_bool(answer, "valid", is_valid);
    json_set(answer, "problems", json_clone(command->problems));
    if (is_valid) {
        struct json *signatures = json_array_new();
        json_append_text(signatures, release_kind_name(RELEASE_KIND_ED25519));
        json_append_text(signatures, release_kind_name(RELEASE_KIND_MLDSA65));
        json_set(answer, "signatures", signatures);
        json_set_integer(answer, "files", (int64_t)result->file_count);
        json_set_text(answer, "source", result->statement.source);
        json_set_text(answer, "builder", result->statement.builder);
        json_set_text(answer, "sigstore", bundle_text(result->bundle));
    }
    builder_init(&text, ANSWER_BYTES_MAX);
    json_write_canonical(answer, &text);
    (void)printf("%s\n", builder_c_string(&text));
    builder_deinit(&text);
}

static void print_text(const struct release_result *result) {
    (void)printf("OK  the release is what its makers signed\n");
    (void)printf("  files      %zu, all as signed, and no other\n", result->file_count);
    (void)printf("  signed by  Ed25519 and ML-DSA-65\n");
    if (result->bundle != RELEASE_BUNDLE_ABSENT) {
        (void)printf("  sigstore   %s\n",
                     result->bundle == RELEASE_BUNDLE_VERIFIED
                         ? "the same statement, signed by ECDSA P-256"
                         : "the same statement; no key to check its signature with");
    }
    (void)printf("  source     %s\n", result->statement.source);
    (void)printf("  builder    %s\n", result->statement.builder);
}

static status_t run(struct command *command, struct error *err) {
    static struct release_result result; /* large */
    status_t status = release_check(&command->request, on_problem, command, &result, err);
    bool is_valid = status_is_ok(status);
    if (command->json && (is_valid || err->code == ERROR_RELEASE_UNVERIFIED)) {
        print_json(command, &result, is_valid);
    } else if (is_valid) {
        print_text(&result);
    }
    release_result_deinit(&result);
    if (is_valid && (fflush(stdout) != 0 || ferror(stdout) != 0)) {
        return error_set(err, ERROR_IO, 0, "cannot write to standard output");
    }
    return status;
}

int main(int argc, char **argv, char **environment) {
    struct command command = {.problems = json_array_new()};
    struct error err;
    if (!fd_open_standard()) {
        return EXIT_FAILURE;
    }
    status_t status = parse(argc, argv, &command, &err);
    if (status_is_ok(status) && command.help) {
        (void)fputs(HELP, stdout);
    } else if (status_is_ok(status)) {
        status = run(&command, &err);
    }
    json_free(command.problems);
    const struct error_report how = {.json = command.json,
                                     .color = error_report_color(STDERR_FILENO, environment)};
    return status_is_ok(status) ? EXIT_SUCCESS : error_report(&how, &err);
}
