/* SPDX-License-Identifier: Apache-2.0
 *
 * A Landlock ruleset to add rules to: what every confined program of ours begins with.
 */
#pragma once

enum { RULESET_ABI_TCP = 4 }; /* the version of Landlock from which on there are rules for ports */

struct ruleset_options {
    bool has_tcp;   /* binding and connecting to TCP ports need rules too */
    bool no_files;  /* files are somebody else's matter: they need no rule */
    bool is_scoped; /* no signal and no abstract Unix socket of others (ABI 6) */
};

/* Handles every access to files that this kernel can forbid, so that what has no rule is forbidden.
 * *ret_fd is owned by the caller; -1 where the kernel has no Landlock, it is switched off, or there
 * is nothing that it could forbid. *ret_abi is its version. False with errno when it failed. */
bool ruleset_open(const struct ruleset_options *options, int *ret_fd, int *ret_abi);
/* Puts it in force for this thread and those it starts; true too when there is none (fd -1). */
bool ruleset_enforce(int fd);
