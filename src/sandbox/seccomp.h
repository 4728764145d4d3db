/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>

#include "sandbox/plan.h"

/* Stand in the compiled programs where the payload's own ids are put in. */
enum : uint32_t { SECCOMP_MARKER_UID = 0xa1710001, SECCOMP_MARKER_GID = 0xa1710002 };
enum { SECCOMP_LINES_MAX = 1024 };

/* Writes the program of a profile for a payload with these ids; returns its length. */
size_t seccomp_filter(enum seccomp_profile profile, uint32_t uid, uint32_t gid,
                      struct sock_filter ret_lines[static SECCOMP_LINES_MAX]);
/* Installs it for the calling thread, which must have no_new_privs. False with errno. */
bool seccomp_install(enum seccomp_profile profile, uint32_t uid, uint32_t gid);
const char *seccomp_profile_text(enum seccomp_profile profile);
