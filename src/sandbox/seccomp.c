/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/seccomp.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seccomp_filters.h"

static_assert(sizeof filter_standard / sizeof filter_standard[0] <= SECCOMP_LINES_MAX);
static_assert(sizeof filter_strict / sizeof filter_strict[0] <= SECCOMP_LINES_MAX);

size_t seccomp_filter(enum seccomp_profile profile, uint32_t uid, uint32_t gid,
                      struct sock_filter ret_lines[static SECCOMP_LINES_MAX]) {
    bool is_strict = profile == SECCOMP_STRICT;
    const struct sock_filter *lines = is_strict ? filter_strict : filter_standard;
    size_t size = is_strict ? sizeof filter_strict : sizeof filter_standard;
    size_t count = size / sizeof *lines;
    for (size_t i = 0; i < count; i++) {
        ret_lines[i] = lines[i];
        if (ret_lines[i].k == SECCOMP_MARKER_UID) {
            ret_lines[i].k = uid;
        } else if (ret_lines[i].k == SECCOMP_MARKER_GID) {
            ret_lines[i].k = gid;
        }
    }
    return count;
}

bool seccomp_install(enum seccomp_profile profile, uint32_t uid, uint32_t gid) {
    struct sock_filter lines[SECCOMP_LINES_MAX];
    struct sock_fprog program = {
        .len = (unsigned short)seccomp_filter(profile, uid, gid, lines),
        .filter = lines,
    };
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

const char *seccomp_profile_text(enum seccomp_profile profile) {
    return profile == SECCOMP_STANDARD ? "standard" : "strict";
}
