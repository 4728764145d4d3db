/* SPDX-License-Identifier: Apache-2.0 */
#include "base/names.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

enum { ERRNO_MAX = 133 }; /* EHWPOISON, on every machine that Airlock knows */

const char *names_errno(int number) {
    return number > 0 && number <= ERRNO_MAX ? strerror(number) : nullptr;
}

const char *names_signal(int number) {
    static const char *const names[] = {
        [SIGHUP] = "HUP",   [SIGINT] = "INT",       [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
        [SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",     [SIGBUS] = "BUS",   [SIGFPE] = "FPE",
        [SIGKILL] = "KILL", [SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
        [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",     [SIGTERM] = "TERM", [SIGSTKFLT] = "STKFLT",
        [SIGCHLD] = "CHLD", [SIGCONT] = "CONT",     [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",
        [SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",     [SIGURG] = "URG",   [SIGXCPU] = "XCPU",
        [SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH",
        [SIGPOLL] = "POLL", [SIGPWR] = "PWR",       [SIGSYS] = "SYS",
    };
    bool is_known = number > 0 && (size_t)number < sizeof names / sizeof names[0];
    return is_known ? names[number] : nullptr;
}
