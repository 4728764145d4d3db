/* SPDX-License-Identifier: Apache-2.0
 *
 * Asking a person, for what no program may agree to. There is no --yes for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/policy_commands.h"

enum { ANSWER_BYTES = 64 };

status_t policy_person_check(const char *what, struct error *err) {
    const char *run = getenv("AIRLOCK_RUN");
    if (run != nullptr && run[0] != '\0') {
        (void)error_set(err, ERROR_POLICY_REVIEW, 0, "%s is not done from inside a run", what);
        error_detail(err, "AIRLOCK_RUN is set: a program must not play the person");
        error_hint(err, "Run the command at a terminal outside of the sandbox.");
        return (status_t){ERROR_POLICY_REVIEW};
    }
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
        (void)error_set(err, ERROR_POLICY_REVIEW, 0, "%s needs a person at a terminal", what);
        error_detail(err, "standard input or standard error is no terminal");
        error_hint(err, "Run the command at a terminal; there is no option that answers for you.");
        return (status_t){ERROR_POLICY_REVIEW};
    }
    return STATUS_OK;
}

bool policy_person_types(const char *phrase) {
    char answer[ANSWER_BYTES] = "";
    ssize_t size;
    (void)fflush(stderr);
    do {
        size = read(STDIN_FILENO, answer, sizeof answer - 1);
    } while (size < 0 && errno == EINTR);
    answer[strcspn(answer, "\r\n")] = '\0';
    return size > 0 && strcmp(answer, phrase) == 0;
}

status_t policy_person_declined(const char *what, struct error *err) {
    (void)error_set(err, ERROR_POLICY_REVIEW, 0, "%s", what);
    error_detail(err, "the answer was no");
    error_hint(err, "Nothing was changed; run the command again to be asked again.");
    return (status_t){ERROR_POLICY_REVIEW};
}
