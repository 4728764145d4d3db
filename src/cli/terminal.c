/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static struct termios raw;
static volatile sig_atomic_t is_raw;
static bool is_known;
static const char *farewell; /* a constant */

static void say_farewell(void) {
    if (farewell != nullptr) {
        (void)!write(STDOUT_FILENO, farewell, strlen(farewell));
    }
}

void terminal_set_farewell(const char *text) {
    farewell = text;
}

/* tcsetattr, write, strlen, sigaction and raise are async-signal-safe (POSIX.1-2017, 2.4.3). */
static void restore_and_die(int signal_number) {
    if (is_raw) {
        say_farewell();
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    }
    const struct sigaction action = {.sa_handler = SIG_DFL};
    (void)sigaction(signal_number, &action, nullptr);
    (void)raise(signal_number);
}

status_t terminal_enter_raw(struct error *err) {
    static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS, SIGTRAP};
    if (tcgetattr(STDIN_FILENO, &saved) != 0) {
        return error_set(err, ERROR_IO, errno, "cannot read the terminal's settings");
    }
    is_known = true;
    raw = saved;
    cfmakeraw(&raw);
    for (unsigned i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        struct sigaction action = {.sa_handler = restore_and_die};
        (void)sigemptyset(&action.sa_mask);
        (void)sigaction(fatal[i], &action, nullptr);
    }
    /* Restoring from the background must not stop us. */
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGTTOU, &ignore, nullptr);
    terminal_resume_raw();
    return STATUS_OK;
}

void terminal_restore(void) {
    if (is_raw) {
        say_farewell();
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
        is_raw = 0;
    }
}

void terminal_resume_raw(void) {
    if (is_known) {
        is_raw = 1;
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
}

void terminal_copy_size(int pty_fd) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        (void)ioctl(pty_fd, TIOCSWINSZ, &size);
    }
}

bool terminal_size(unsigned *ret_rows, unsigned *ret_columns) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
        return false;
    }
    *ret_rows = size.ws_row;
    *ret_columns = size.ws_col;
    return true;
}

bool terminal_charset_is_utf8(const char *lc_all, const char *lc_ctype, const char *lang,
                              bool terminal_says_so) {
    const char *const sources[] = {lc_all, lc_ctype, lang};
    const char *locale = "";
    for (size_t i = 0; i < 3 && locale[0] == '\0'; i++) { /* as setlocale(3) chooses */
        locale = sources[i] != nullptr ? sources[i] : "";
    }
    if (locale[0] == '\0' || strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0) {
        return terminal_says_so;
    }
    /* One without a character set ("de_DE") has an eight-bit one by default. */
    const char *charset = strchr(locale, '.');
    return charset != nullptr &&
           (strncasecmp(charset, ".utf-8", 6) == 0 || strncasecmp(charset, ".utf8", 5) == 0);
}

bool terminal_is_utf8(int fd) {
    struct termios settings;
    bool says_so = tcgetattr(fd, &settings) == 0 && (settings.c_iflag & IUTF8) != 0;
    return terminal_charset_is_utf8(getenv("LC_ALL"), getenv("LC_CTYPE"), getenv("LANG"), says_so);
}
