/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/program.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/nearest.h"
#include "codec/text.h"
#include "codec/units.h"
#include "edge/program_verbs.h"
#include "version.h"

static const char HELP[] =
    "airlock proxy: the network edge: TLS 1.3 with post-quantum key exchange, in front of "
    "anything\n"
    "\n"
    "usage: airlock proxy -c FILE | check -c FILE | health -c FILE | init [DIR] | bench "
    "[OPTION...]\n"
    "\n"
    "With -c alone it serves until SIGTERM; the log goes to standard error, a JSON object a line.\n"
    "\n"
    "verbs:\n"
    "  check                    read the configuration and its certificates, and show what it "
    "means\n"
    "  health                   ask the proxy that serves it whether it is well\n"
    "  init [DIR]               write a proxy.yaml that works at once, and a certificate for it\n"
    "  bench                    measure what a hop through the edge costs on this machine\n"
    "\n"
    "options:\n"
    "  -c, --config FILE        the configuration\n"
    "      --unconfined         keep files and system calls that serving does not need; for "
    "enclaves,\n"
    "                           and containers that forbid giving them up\n"
    "      --to ADDRESS:PORT    bench: a TCP service that echoes, instead of our own\n"
    "      --seconds N          bench: for how long, 1 to 600 (default: 10)\n"
    "      --json               answer as JSON\n"
    "      --version            print the version\n"
    "      --help               show this text\n"
    "\n"
    "examples:\n"
    "  airlock proxy init edge\n"
    "  airlock proxy check -c edge/proxy.yaml\n"
    "  airlock proxy -c edge/proxy.yaml\n";

static const struct {
    const char *name;
    program_verb *run;
    int operands_max;
} VERBS[] = {
    {"check", program_check, 0},
    {"health", program_health, 0},
    {"init", program_init, 1},
    {"bench", program_bench, 0},
};
enum { VERB_COUNT = sizeof VERBS / sizeof VERBS[0] };

enum { JSON_BYTES_MAX = 16 << 20, SECONDS_MAX = 600 };
enum {
    OPTION_JSON = 1,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_TO,
    OPTION_SECONDS,
    OPTION_UNCONFINED,
};

status_t program_usage(struct error *err, const char *what) {
    (void)error_set(err, ERROR_USAGE, 0, "%s", what);
    error_hint(err, "See the options with: airlock proxy --help");
    return (status_t){ERROR_USAGE};
}

void program_print_json(const struct json *value) {
    struct builder text;
    builder_init(&text, JSON_BYTES_MAX);
    json_write_canonical(value, &text);
    (void)printf("%s\n", builder_c_string(&text));
    builder_deinit(&text);
}

void program_set_text(struct json *object, const char *key, const char *text) {
    struct builder escaped;
    builder_init(&escaped, JSON_BYTES_MAX);
    text_escape(slice_of_string(text), &escaped);
    json_set_text(object, key, builder_c_string(&escaped));
    builder_deinit(&escaped);
}

static status_t refuse_verb(const char *verb, struct error *err) {
    const char *names[VERB_COUNT];
    for (size_t i = 0; i < VERB_COUNT; i++) {
        names[i] = VERBS[i].name;
    }
    const char *nearest = text_nearest(verb, names, VERB_COUNT);
    (void)error_set(err, ERROR_USAGE, 0, "airlock proxy has no \"%.80s\"", verb);
    if (nearest != nullptr) {
        error_hint(err, "Did you mean: airlock proxy %s", nearest);
    } else {
        error_hint(err, "See the verbs with: airlock proxy --help");
    }
    return (status_t){ERROR_USAGE};
}

static status_t parse_seconds(const char *text, uint32_t *ret_seconds, struct error *err) {
    return units_parse_count(slice_of_string(text), ret_seconds) == UNITS_OK && *ret_seconds >= 1 &&
                   *ret_seconds <= SECONDS_MAX
               ? STATUS_OK
               : program_usage(err, "--seconds takes a number from 1 to 600");
}

/* What is left to do after the options; nullptr: nothing. */
static status_t parse(int argc, char **argv, struct program_call *call, bool *ret_done,
                      struct error *err) {
    static const struct option OPTIONS[] = {
        {"config", required_argument, nullptr, 'c'},
        {"unconfined", no_argument, nullptr, OPTION_UNCONFINED},
        {"to", required_argument, nullptr, OPTION_TO},
        {"seconds", required_argument, nullptr, OPTION_SECONDS},
        {"json", no_argument, nullptr, OPTION_JSON},
        {"help", no_argument, nullptr, OPTION_HELP},
        {"version", no_argument, nullptr, OPTION_VERSION},
        {},
    };
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, "c:h", OPTIONS, nullptr)) != -1) {
        switch (option) {
        case 'c':
            call->file = optarg;
            break;
        case OPTION_UNCONFINED:
            call->is_unconfined = true;
            break;
        case OPTION_TO:
            call->to = optarg;
            break;
        case OPTION_SECONDS:
            TRY(parse_seconds(optarg, &call->seconds, err));
            break;
        case OPTION_JSON:
            call->report.json = true;
            break;
        case 'h':
        case OPTION_HELP:
            (void)fputs(HELP, stdout);
            *ret_done = true;
            return STATUS_OK;
        case OPTION_VERSION:
            (void)printf("airlock-proxy %s\n", AIRLOCK_VERSION);
            *ret_done = true;
            return STATUS_OK;
        default:
            return program_usage(err, "there is no such option of proxy, or its value is missing");
        }
    }
    call->operand_count = argc - optind;
    call->operands = argv + optind;
    return STATUS_OK;
}

static status_t run_verb(struct program_call *call, int *ret_exit, struct error *err) {
    const char *verb = call->operand_count > 0 ? call->operands[0] : nullptr;
    if (verb == nullptr) {
        return call->file != nullptr ? program_serve(call, ret_exit, err)
                                     : program_usage(err, "proxy needs -c FILE, or a verb");
    }
    call->operands++;
    call->operand_count--;
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(VERBS[i].name, verb) == 0) {
            return call->operand_count <= VERBS[i].operands_max
                       ? VERBS[i].run(call, ret_exit, err)
                       : program_usage(err, "there are too many operands");
        }
    }
    return refuse_verb(verb, err);
}

static status_t run(int argc, char **argv, struct program_call *call, int *ret_exit,
                    struct error *err) {
    bool is_done = false;
    TRY(parse(argc, argv, call, &is_done, err));
    if (!is_done) {
        TRY(run_verb(call, ret_exit, err));
    }
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot write to standard output");
    }
    return STATUS_OK;
}

int edge_program(int argc, char **argv) {
    struct program_call call = {};
    struct error err = {};
    int exit_status = EXIT_SUCCESS;
    /* libcrypto compares times with mktime(3), which looks for the time zone's file unless a zone
     * is known. */
    if (setenv("TZ", "UTC0", 1) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return EXIT_FAILURE;
    }
    tzset();
    status_t status = run(argc, argv, &call, &exit_status, &err);
    return status_is_ok(status) ? exit_status : error_report(&call.report, &err);
}
