/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "kernel/kernel.h"

bool cli_answer_is_yes(void) {
    char answer[16] = "";
    ssize_t length;
    do {
        length = read(STDIN_FILENO, answer, sizeof answer - 1);
    } while (length < 0 && errno == EINTR);
    answer[strcspn(answer, "\r\n")] = '\0';
    return length > 0 && (strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0);
}

/* A yes is about everything, so everything is shown: what is not could be what matters.
 * LIMIT_REVIEW_PATHS bounds the list; the kernel does not ask about more. */
static bool ask(const struct cli *cli, const struct kernel_review_item *items, size_t count,
                const char *question) {
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
        return false;
    }
    (void)fprintf(stderr, "%sto be looked at first:%s\n", cli_color(cli->color_err, CLI_YELLOW),
                  cli_color(cli->color_err, CLI_PLAIN));
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(stderr, "  %s  %s%s%s\n", items[i].path, cli_color(cli->color_err, CLI_DIM),
                      items[i].reason, cli_color(cli->color_err, CLI_PLAIN));
    }
    (void)fprintf(stderr, "%s [y/N] ", question);
    (void)fflush(stderr);
    return cli_answer_is_yes();
}

bool cli_ask_review(void *context, const struct kernel_review_item *items, size_t count) {
    return ask(context, items, count, "apply them too?");
}

bool cli_ask_discard(void *context, const struct kernel_review_item *items, size_t count) {
    return ask(context, items, count, "discard it?");
}

bool cli_ask_patch(void *context, const struct kernel_review_item *items, size_t count) {
    return ask(context, items, count, "stage it?");
}

/* Signals for the payload are blocked by now; those that end us are let through while we wait. */
bool cli_ask_run(void *context, const struct kernel_review_item *items, size_t count) {
    sigset_t ending;
    sigset_t before;
    (void)sigemptyset(&ending);
    (void)sigaddset(&ending, SIGINT);
    (void)sigaddset(&ending, SIGQUIT);
    (void)sigaddset(&ending, SIGTERM);
    (void)sigaddset(&ending, SIGHUP);
    (void)sigprocmask(SIG_UNBLOCK, &ending, &before);
    bool agreed = ask(context, items, count, "run it?");
    (void)sigprocmask(SIG_SETMASK, &before, nullptr);
    return agreed;
}
