/* SPDX-License-Identifier: Apache-2.0
 *
 * refuse_calls NAME=ERRNO... -- CMD...: runs a command under a filter that answers these calls with
 * that error, as a container's profile or a kernel without the feature does.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { REFUSED_MAX = 16 };

static int number_of(const char *name, size_t size) {
    static const struct {
        const char *name;
        int number;
    } rows[] = {
        {"unshare", SYS_unshare}, {"clone3", SYS_clone3},
        {"seccomp", SYS_seccomp}, {"landlock_create_ruleset", SYS_landlock_create_ruleset},
        {"fsopen", SYS_fsopen},   {"mount_setattr", SYS_mount_setattr},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strlen(rows[i].name) == size && strncmp(rows[i].name, name, size) == 0) {
            return rows[i].number;
        }
    }
    return -1;
}

int main(int argc, char **argv) {
    struct sock_filter lines[2 * REFUSED_MAX + 2];
    unsigned short count = 0;
    lines[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                  (unsigned)offsetof(struct seccomp_data, nr));
    int i = 1;
    for (; i < argc && strcmp(argv[i], "--") != 0 && i <= REFUSED_MAX; i++) {
        size_t size = strcspn(argv[i], "=");
        int number = number_of(argv[i], size);
        long error = argv[i][size] == '=' ? strtol(argv[i] + size + 1, nullptr, 10) : 0;
        if (number < 0 || error <= 0) {
            (void)fprintf(stderr, "refuse_calls: what is %s?\n", argv[i]);
            return 2;
        }
        lines[count++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1);
        lines[count++] =
            (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error);
    }
    lines[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = count, .filter = lines};
    if (i + 1 >= argc || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        (void)fputs("refuse_calls: usage, or no filter can be had\n", stderr);
        return 2;
    }
    (void)execvp(argv[i + 1], argv + i + 1);
    perror(argv[i + 1]);
    return 127;
}
