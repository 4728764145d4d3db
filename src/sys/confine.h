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
/* What may be done with a path and what is below it. */
struct confine_path {
    const char *path;
    bool has_sockets; /* sockets may be made and removed there, else it is only read */
};
/* No core, no debugger, no way to more privilege, no capability but that of binding ports below
 * 1024; with Landlock no file but these, nothing of them executed, and nobody outside signalled.
 * For this thread and those it starts. *ret_enforced is false where the kernel has no Landlock: the
 * rest holds, and files stay open. False with errno: what every supported kernel can do failed. */
bool confine_files_to(const struct confine_path *paths, size_t count, bool *ret_enforced);
/* Every system call that the filter does not let through ends as it says. Under a sanitizer, whose
 * own calls are no part of the product, nothing happens. */
bool confine_calls_to(const struct sock_filter *lines, size_t count);
/* The same for all threads that the process has already. */
bool confine_all_calls_to(const struct sock_filter *lines, size_t count);
