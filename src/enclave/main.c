/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-enclave: what `airlock enclave` is. It makes and checks manifests for Gramine,
 * runs what one says without an enclave, and verifies evidence of one. It has no state folder and
 * writes no log.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "codec/nearest.h"
#include "enclave/commands.h"
#include "enclave/report.h"
#include "sys/fd.h"

static void print_help(void) {
    (void)printf("airlock enclave: run the proxy in an enclave, and see what runs in one\n\n"
                 "usage: airlock enclave VERB [OPTION...] [ARGUMENT...]\n\nverbs:\n"
                 "  manifest  write the manifest for Gramine, with the hash of every file\n"
                 "  lint      look for what is wrong with a manifest\n"
                 "  sim       run what a manifest says, without an enclave\n"
                 "  verify    ask a server for evidence, and judge it\n\n"
                 "every verb takes --help and --json; in this order:\n"
                 "  airlock enclave manifest -c proxy.yaml -o proxy.manifest\n"
                 "  airlock enclave lint proxy.manifest\n"
                 "  airlock enclave sim -m proxy.manifest\n"
                 "  airlock enclave verify localhost:8443 --allow-simulation\n");
}

static const char *const VERBS[] = {"manifest", "lint", "sim", "verify"};

static int run(int argc, char **argv, char **environment) {
    const char *verb = argc > 1 ? argv[1] : "--help";
    if (strcmp(verb, "manifest") == 0) {
        return command_manifest(argc - 1, argv + 1);
    }
    if (strcmp(verb, "lint") == 0) {
        return command_lint(argc - 1, argv + 1);
    }
    if (strcmp(verb, "sim") == 0) {
        return command_sim(argc - 1, argv + 1, environment);
    }
    if (strcmp(verb, "verify") == 0) {
        return command_verify(argc - 1, argv + 1);
    }
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) {
        print_help();
        return argc > 1 ? 0 : error_exit_status(ERROR_USAGE);
    }
    struct error err = {};
    const char *nearest = text_nearest(verb, VERBS, sizeof VERBS / sizeof VERBS[0]);
    (void)error_set(&err, ERROR_USAGE, 0, "airlock enclave has no \"%.80s\"", verb);
    error_hint(&err,
               nearest != nullptr ? "Did you mean: airlock enclave %s"
                                  : "See: airlock enclave --help%s",
               nearest != nullptr ? nearest : "");
    return report_error(&err, false);
}

int main(int argc, char **argv, char **environment) {
    report_init(environment);
    int status = fd_open_standard() ? run(argc, argv, environment) : 1;
    if (fflush(stdout) == 0 && ferror(stdout) == 0) {
        return status;
    }
    struct error err = {};
    (void)error_set(&err, ERROR_IO, errno, "cannot write to standard output");
    return report_error(&err, false);
}
