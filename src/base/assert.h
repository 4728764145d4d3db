/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Prints where and what to standard error and aborts. Never returns. */
[[noreturn]] void assert_failed(const char *expression, const char *file, int line);

/* Checks what only a mistake of the programmer can break. Stays on in production: a wrong program
 * stops before it does harm. Never used on data from outside; that gets an error. */
#define ASSERT(expression) ((expression) ? (void)0 : assert_failed(#expression, __FILE__, __LINE__))
