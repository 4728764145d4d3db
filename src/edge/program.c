/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/program.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
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
#include "sys/fd.h"
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

enum {
    OPTION_JSON = 1,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_TO,
    OPTION_SECONDS,
    OPTION_UNCONFINED,
    OPTION_CONFIG,
};
#define BIT(option) (1u << (option))

/* `options`: those that it looks at, beside --json. Nothing is taken without effect. */
struct verb {
    const char *name;
    program_verb *run;
    int operands_max;
    unsigned options;
};
static const struct verb SERVE = {"", program_serve, 0,
                                  BIT(OPTION_CONFIG) | BIT(OPTION_UNCONFINED)};
static const struct verb VERBS[] = {
    {"check", program_check, 0, BIT(OPTION_CONFIG)},
    {"health", program_health, 0, BIT(OPTION_CONFIG)},
    {"init", program_init, 1, 0},
    {"bench", program_bench, 0, BIT(OPTION_TO) | BIT(OPTION_SECONDS)},
};
enum { VERB_COUNT = sizeof VERBS / sizeof VERBS[0] };

enum { JSON_BYTES_MAX = 16 << 20, SECONDS_MAX = 600 };

static const struct option OPTIONS[] = {
    {"config", required_argument, nullptr, OPTION_CONFIG},
    {"unconfined", no_argument, nullptr, OPTION_UNCONFINED},
    {"to", required_argument, nullptr, OPTION_TO},
    {"seconds", required_argument, nullptr, OPTION_SECONDS},
    {"json", no_argument, nullptr, OPTION_JSON},
    {"help", no_argument, nullptr, OPTION_HELP},
    {"version", no_argument, nullptr, OPTION_VERSION},
    {},
};
enum { OPTION_COUNT = sizeof OPTIONS / sizeof OPTIONS[0] - 1 };

status_t program_usage(struct error *err, const char *format, ...) {
    char what[160];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
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

static status_t refuse_option(const char *word, struct error *err) {
    const char *names[OPTION_COUNT];
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        names[i] = OPTIONS[i].name;
    }
    const char *nearest =
        strncmp(word, "--", 2) == 0 ? text_nearest(word + 2, names, OPTION_COUNT) : nullptr;
    (void)program_usage(err, "airlock proxy has no option %.80s", word);
    if (nearest != nullptr) {
        error_hint(err, "Did you mean: --%s", nearest);
    }
    return (status_t){ERROR_USAGE};
}

static status_t refuse_given(const struct verb *verb, unsigned given, struct error *err) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((given & ~verb->options & BIT(OPTIONS[i].val)) != 0) {
            return program_usage(err, "airlock proxy%s%s does not look at --%s",
                                 verb->name[0] == '\0' ? "" : " ", verb->name, OPTIONS[i].name);
        }
    }
    return STATUS_OK;
}

/* What is left to do after the options; nullptr: nothing. */
static status_t parse(int argc, char **argv, struct program_call *call, bool *ret_done,
                      struct error *err) {
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":c:h", OPTIONS, nullptr)) != -1) {
        option = option == 'c' ? OPTION_CONFIG : option == 'h' ? OPTION_HELP : option;
        call->given |= option <= OPTION_CONFIG ? BIT(option) : 0;
        switch (option) {
        case OPTION_CONFIG:
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
        case OPTION_HELP:
            (void)fputs(HELP, stdout);
            *ret_done = true;
            return STATUS_OK;
        case OPTION_VERSION:
            (void)printf("airlock-proxy %s\n", AIRLOCK_VERSION);
            *ret_done = true;
            return STATUS_OK;
        case ':':
            return program_usage(err, "%.80s takes a value", argv[optind - 1]);
        default:
            return refuse_option(argv[optind - 1], err);
        }
    }
    call->operand_count = argc - optind;
    call->operands = argv + optind;
    return STATUS_OK;
}

static status_t run_one(const struct verb *verb, const struct program_call *call, int *ret_exit,
                        struct error *err) {
    if (call->operand_count > verb->operands_max) {
        return program_usage(err, "there is an operand too many: %.80s",
                             call->operands[verb->operands_max]);
    }
    TRY(refuse_given(verb, call->given & ~BIT(OPTION_JSON), err));
    return verb->run(call, ret_exit, err);
}

static status_t run_verb(struct program_call *call, int *ret_exit, struct error *err) {
    const char *verb = call->operand_count > 0 ? call->operands[0] : nullptr;
    if (verb == nullptr) {
        return call->file != nullptr ? run_one(&SERVE, call, ret_exit, err)
                                     : program_usage(err, "proxy needs -c FILE, or a verb");
    }
    call->operands++;
    call->operand_count--;
    for (size_t i = 0; i < VERB_COUNT; i++) {
        if (strcmp(VERBS[i].name, verb) == 0) {
            return run_one(&VERBS[i], call, ret_exit, err);
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

int edge_program(int argc, char **argv, char *const *environment) {
    struct program_call call = {.report.color = error_report_color(STDERR_FILENO, environment)};
    struct error err = {};
    int exit_status = EXIT_SUCCESS;
    /* libcrypto compares times with mktime(3), which looks for the time zone's file unless a zone
     * is known. */
    if (!fd_open_standard() || setenv("TZ", "UTC0", 1) != 0 ||
        signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return EXIT_FAILURE;
    }
    tzset();
    status_t status = run(argc, argv, &call, &exit_status, &err);
    return status_is_ok(status) ? exit_status : error_report(&call.report, &err);
}
