/* SPDX-License-Identifier: Apache-2.0
 *
 * Our own helper programs: where they are, how they are started, and how they end.
 *
 * Each gets one end of a connected socket as fd 3, an empty environment, and no more than its
 * options say. The other end is the caller's; that it closes is a program's order to end.
 */
#pragma once

#include <sys/types.h>

#include "base/error.h"
#include "base/limits.h"

enum {
    PROGRAM_FD_SOCKET = 3, /* where a program finds its socket */
    PROGRAM_FD_OTHER = 4,  /* and what program_options.fd names */
};

struct program {
    pid_t pid;
    int socket; /* ours; owned, close-on-exec */
};

struct program_options {
    const char *path;       /* from program_find() */
    const char *argument;   /* its only one; nullptr: none */
    const int *fd;          /* becomes PROGRAM_FD_OTHER, stays the caller's; nullptr: none */
    int buffer_bytes;       /* what waits on the socket, either way; 0: what the system gives */
    enum error_code failed; /* the error when it cannot be started */
    bool has_streams;       /* keeps our fds 0, 1 and 2; else these are /dev/null */
    /* Leads a session of its own with no signal blocked or ignored, so that Ctrl-C in the caller's
     * terminal does not reach it. Else it belongs to the caller's process group. */
    bool has_session;
};

/* Beside the running program (a build folder, or one folder with everything), else in libexec of
 * the same prefix. The path comes from the kernel, not from PATH or the environment. *ret_found is
 * false when it is in neither place. ERROR_IO. */
status_t program_find(const char *name, char ret_path[static LIMIT_PATH_BYTES], bool *ret_found,
                      struct error *err);

/* The same, where it has to be found: else the error `missing`. */
status_t program_require(const char *name, enum error_code missing,
                         char ret_path[static LIMIT_PATH_BYTES], struct error *err);

/* Starts it. The caller ends it with program_end(). Errors: options->failed, ERROR_IO. */
status_t program_start(const struct program_options *options, struct program *ret_program,
                       struct error *err);

/* Closes the socket, if that is still open, and waits until the program has ended. Does nothing
 * to a `struct program` that is {.socket = -1}. */
void program_end(struct program *program);
