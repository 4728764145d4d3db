/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/seccomp.h"

#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seccomp_filters.h"

const struct sock_filter *seccomp_filter(enum seccomp_profile profile, size_t *ret_count) {
    switch (profile) {
    case SECCOMP_STANDARD:
        *ret_count = sizeof filter_standard / sizeof filter_standard[0];
        return filter_standard;
    case SECCOMP_STRICT:
        break;
    }
    *ret_count = sizeof filter_strict / sizeof filter_strict[0];
    return filter_strict;
}

bool seccomp_install(enum seccomp_profile profile) {
    size_t count = 0;
    const struct sock_filter *filter = seccomp_filter(profile, &count);
    struct sock_fprog program = {.len = (unsigned short)count};
    /* The kernel's struct has no const, and the program is only read. */
    memcpy(&program.filter, &filter, sizeof program.filter);
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

const char *seccomp_profile_text(enum seccomp_profile profile) {
    return profile == SECCOMP_STANDARD ? "standard" : "strict";
}
