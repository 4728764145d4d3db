/* SPDX-License-Identifier: Apache-2.0
 *
 * The terminal as a whole screen, in plain ANSI: the alternate screen, no cursor, no line wrap.
 * Built on terminal.h, so it is put back on every way out, also on a fatal signal.
 */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum screen_key : uint8_t {
    SCREEN_KEY_CHARACTER,
    SCREEN_KEY_UP,
    SCREEN_KEY_DOWN,
    SCREEN_KEY_PAGE_UP,
    SCREEN_KEY_PAGE_DOWN,
    SCREEN_KEY_HOME,
    SCREEN_KEY_END,
    SCREEN_KEY_RESIZE, /* the size changed: draw again */
    SCREEN_KEY_SIGNAL, /* a signal that ends us; `signal` says which */
    SCREEN_KEY_GONE,   /* the terminal went away */
    SCREEN_KEY_OTHER,
};

struct screen_event {
    enum screen_key key;
    char character;
    int signal;
};

struct screen {
    unsigned columns, rows;
    int signal_fd; /* owned; -1 while closed */
};

status_t screen_open(struct screen *screen, struct error *err);
/* Back to the lines above; signals are as before. Fine when it is not open. */
void screen_close(struct screen *screen);
/* Waits for a key or a signal. */
struct screen_event screen_wait(struct screen *screen);
/* Shows these bytes from the top left on. */
void screen_draw(const struct builder *frame);

/* The escape sequences of a line's end and of what comes below it. */
#define SCREEN_LINE_END "\033[m\033[K\r\n"
#define SCREEN_REST "\033[m\033[J"
