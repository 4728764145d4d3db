/* SPDX-License-Identifier: Apache-2.0
 *
 * The user's own terminal while a payload has a pty. There is one per process, so this is the one
 * module with state of its own.
 */
#pragma once

#include "base/error.h"

/* Makes the terminal on stdin raw and remembers how it was; a fatal signal from here on puts it
 * back before the process dies. */
status_t terminal_enter_raw(struct error *err);
/* Puts the terminal back as it was; fine when it was never changed. */
void terminal_restore(void);
/* What is sent to stdout whenever the terminal is put back, also on a fatal signal; a constant.
 * nullptr: nothing. */
void terminal_set_farewell(const char *text);
/* Raw again after a restore (job control). */
void terminal_resume_raw(void);
/* The size of the terminal on stdout; false when it has none. */
bool terminal_size(unsigned *ret_rows, unsigned *ret_columns);
/* Gives the pty the size of the terminal on stdout. */
void terminal_copy_size(int pty_fd);

/* Whether the terminal on `fd` reads bytes as UTF-8. The locale says so (LC_ALL, LC_CTYPE, LANG);
 * where it names no character set, the terminal's own setting does (IUTF8, termios(3)). */
bool terminal_is_utf8(int fd);
/* The same with its sources handed in; texts may be nullptr. */
bool terminal_charset_is_utf8(const char *lc_all, const char *lc_ctype, const char *lang,
                              bool terminal_says_so);
