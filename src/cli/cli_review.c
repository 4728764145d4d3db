/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
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

/* A yes is about every path, so every path is shown: one that is not could be the one that matters.
 * LIMIT_REVIEW_PATHS bounds the list; the kernel does not ask about more. */
bool cli_ask_review(void *context, const struct kernel_review_item *items, size_t count) {
    const struct cli *cli = context;
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
        return false;
    }
    (void)fprintf(stderr, "%sto be looked at first:%s\n", cli_color(cli->color_err, CLI_YELLOW),
                  cli_color(cli->color_err, CLI_PLAIN));
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(stderr, "  %s  %s%s%s\n", items[i].path, cli_color(cli->color_err, CLI_DIM),
                      items[i].reason, cli_color(cli->color_err, CLI_PLAIN));
    }
    (void)fprintf(stderr, "apply them too? [y/N] ");
    (void)fflush(stderr);
    return cli_answer_is_yes();
}
