/* SPDX-License-Identifier: Apache-2.0
 *
 * What a program gives up before it reads what it does not trust.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* No core, no debugger, no way to more privilege; with Landlock no file can be opened, and from ABI
 * 4 on no TCP port be used. False: what every supported kernel can do failed. */
bool confine_no_files(void);
/* The same, but that TCP port can be connected to. */
bool confine_no_files_but_port(uint16_t port);
/* Every system call that the filter does not let through ends as it says. Under a sanitizer, whose
 * own calls are no part of the product, nothing happens. */
bool confine_calls_to(const struct sock_filter *lines, size_t count);
