/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/screen.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/terminal.h"
#include "sys/fd.h"

#define ENTER "\033[?1049h\033[?25l\033[?7l"
#define LEAVE "\033[m\033[?7h\033[?25h\033[?1049l"
enum { ESCAPE_WAIT_MS = 50, COLUMNS_MIN = 20, ROWS_MIN = 6 };

static sigset_t caught_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
    sigset_t set;
    (void)sigemptyset(&set);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)sigaddset(&set, numbers[i]);
    }
    return set;
}

static void measure(struct screen *screen) {
    struct winsize size;
    bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    screen->columns = known && size.ws_col > COLUMNS_MIN ? size.ws_col : COLUMNS_MIN;
    screen->rows = known && size.ws_row > ROWS_MIN ? size.ws_row : ROWS_MIN;
}

static void send(const char *text) {
    struct error ignored;
    (void)!status_is_ok(fd_write_all(STDOUT_FILENO, slice_of_string(text), "terminal", &ignored));
}

status_t screen_open(struct screen *screen, struct error *err) {
    sigset_t set = caught_signals();
    (void)sigprocmask(SIG_BLOCK, &set, nullptr);
    screen->signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (screen->signal_fd < 0) {
        (void)sigprocmask(SIG_UNBLOCK, &set, nullptr);
        return error_set(err, ERROR_IO, errno, "cannot make a signal descriptor");
    }
    terminal_set_farewell(LEAVE);
    status_t status = terminal_enter_raw(err);
    if (!status_is_ok(status)) {
        screen_close(screen);
        return status;
    }
    measure(screen);
    send(ENTER);
    return STATUS_OK;
}

void screen_close(struct screen *screen) {
    sigset_t set = caught_signals();
    terminal_restore();
    terminal_set_farewell(nullptr);
    if (screen->signal_fd >= 0) {
        fd_closep(&screen->signal_fd);
        (void)sigprocmask(SIG_UNBLOCK, &set, nullptr);
    }
}

/* Stops as any program does, and comes back to its screen. */
static void stop(struct screen *screen) {
    terminal_restore();
    (void)raise(SIGSTOP);
    terminal_resume_raw();
    measure(screen);
    send(ENTER);
}

static struct screen_event take_signal(struct screen *screen) {
    struct signalfd_siginfo info;
    struct screen_event event = {.key = SCREEN_KEY_RESIZE};
    if (read(screen->signal_fd, &info, sizeof info) != sizeof info) {
        return event;
    }
    if (info.ssi_signo == SIGTSTP) {
        stop(screen);
    } else if (info.ssi_signo == SIGWINCH) {
        measure(screen);
    } else {
        event.key = SCREEN_KEY_SIGNAL;
        event.signal = (int)info.ssi_signo;
    }
    return event;
}

/* The rest of an escape sequence, when there is one: "[A", "[5~", "OA". */
static enum screen_key take_escape(void) {
    char sequence[8];
    size_t size = 0;
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    while (size < sizeof sequence && poll(&input, 1, ESCAPE_WAIT_MS) == 1 &&
           read(STDIN_FILENO, sequence + size, 1) == 1) {
        char c = sequence[size++];
        if (size > 1 && ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '~')) {
            break;
        }
    }
    char last = (char)(size >= 2 ? sequence[size - 1] : '\0');
    switch (last) {
    case 'A':
        return SCREEN_KEY_UP;
    case 'B':
        return SCREEN_KEY_DOWN;
    case 'H':
        return SCREEN_KEY_HOME;
    case 'F':
        return SCREEN_KEY_END;
    case '~':
        return sequence[1] == '5'   ? SCREEN_KEY_PAGE_UP
               : sequence[1] == '6' ? SCREEN_KEY_PAGE_DOWN
                                    : SCREEN_KEY_OTHER;
    default:
        return SCREEN_KEY_OTHER;
    }
}

struct screen_event screen_wait(struct screen *screen) {
    for (;;) {
        struct pollfd fds[] = {{.fd = screen->signal_fd, .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};
        if (poll(fds, 2, -1) < 0) {
            continue;
        }
        if ((fds[0].revents & POLLIN) != 0) {
            return take_signal(screen);
        }
        char c = '\0';
        ssize_t size = fds[1].revents != 0 ? read(STDIN_FILENO, &c, 1) : -1;
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size <= 0) {
            return (struct screen_event){.key = SCREEN_KEY_GONE};
        }
        if (c == '\033') {
            return (struct screen_event){.key = take_escape()};
        }
        return (struct screen_event){.key = SCREEN_KEY_CHARACTER, .character = c};
    }
}

void screen_draw(const struct builder *frame) {
    struct error ignored;
    send("\033[H");
    (void)!status_is_ok(
        fd_write_all(STDOUT_FILENO, builder_slice(frame), "the terminal", &ignored));
}
