/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>

#include "sandbox/plan.h"

/* The compiled program of a profile: constant. */
const struct sock_filter *seccomp_filter(enum seccomp_profile profile, size_t *ret_count);
/* Installs it for the calling thread, which must have no_new_privs. False with errno. */
bool seccomp_install(enum seccomp_profile profile);
const char *seccomp_profile_text(enum seccomp_profile profile);
