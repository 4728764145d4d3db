/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs while Airlock is built: reads the table of system calls and writes the BPF programs of both
 * profiles as C arrays, so that nothing is computed when a sandbox starts.
 *
 * Form: check the architecture, load the number, then a binary tree over ranges of numbers that
 * share one action. The kernel emulates a filter once for every system call when it is installed,
 * so that a linear list of a few hundred comparisons costs more than the rest of a sandbox; the
 * tree needs about eight. Numbers at and above 0x40000000 (x32) fall into the last range.
 *
 * Arguments are compared in their low 32 bits, because that is what the kernel reads of those
 * tested here: a filter that compared all 64 would be passed by setting a high bit.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "sandbox/seccomp.h"

enum action {
    MISSING,
    ALLOW,
    REFUSE,
    CLONE,
    UNSHARE,
    IOCTL,
    SOCKET,
    SOCKETPAIR,
    PERSONALITY,
    MKNOD,
    MKNODAT,
    SETUID1, /* 1 to 3 arguments, each the own id or -1 */
    SETUID2,
    SETUID3,
    SETGID1,
    SETGID2,
    SETGID3,
    PRLIMIT,
};

enum { NUMBER_COUNT = 1024, CODE_COUNT_MAX = 4096, X32_BIT = 0x40000000 };

#define NAMESPACES                                                                                \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET)
#define NEWTIME 0x80u

static const struct {
    const char *name;
    enum action action[2];
} table[] = {
#define SYSCALL(name, standard, strict) {#name, {standard, strict}},
#include "seccomp.def"
#undef SYSCALL
};

struct code {
    struct sock_filter line[CODE_COUNT_MAX];
    unsigned count;
};

struct range {
    unsigned start;
    enum action action;
};

static void emit(struct code *code, unsigned operation, unsigned jump_true, unsigned jump_false,
                 unsigned k) {
    if (code->count == CODE_COUNT_MAX || jump_true > 255 || jump_false > 255) {
        fprintf(stderr, "seccomp_gen: the filter is too long\n");
        exit(1);
    }
    code->line[code->count++] = (struct sock_filter){
        (unsigned short)operation, (unsigned char)jump_true, (unsigned char)jump_false, k};
}

static void emit_return(struct code *code, unsigned value) {
    emit(code, BPF_RET | BPF_K, 0, 0, value);
}

static void emit_allow(struct code *code) {
    emit_return(code, SECCOMP_RET_ALLOW);
}

static void emit_errno(struct code *code, unsigned number) {
    emit_return(code, SECCOMP_RET_ERRNO | number);
}

static void emit_load(struct code *code, unsigned argument) {
    unsigned offset = (unsigned)offsetof(struct seccomp_data, args) + 8 * argument;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    offset += 4;
#endif
    emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

/* Refused when the argument has one of these bits. */
static void emit_refuse_bits(struct code *code, unsigned argument, unsigned bits) {
    emit_load(code, argument);
    emit(code, BPF_JMP | BPF_JSET | BPF_K, 1, 0, bits);
    emit_allow(code);
    emit_errno(code, EPERM);
}

/* Refused when the masked argument is one of these values. */
static void emit_refuse_values(struct code *code, unsigned argument, unsigned mask,
                               const unsigned *values, unsigned count) {
    emit_load(code, argument);
    emit(code, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
    for (unsigned i = 0; i < count; i++) {
        emit(code, BPF_JMP | BPF_JEQ | BPF_K, count - i, 0, values[i]);
    }
    emit_allow(code);
    emit_errno(code, EPERM);
}

/* Allowed only when the argument is one of these values. */
static void emit_allow_values(struct code *code, unsigned argument, const unsigned *values,
                              unsigned count) {
    emit_load(code, argument);
    for (unsigned i = 0; i < count; i++) {
        emit(code, BPF_JMP | BPF_JEQ | BPF_K, count - i, 0, values[i]);
    }
    emit_errno(code, EPERM);
    emit_allow(code);
}

/* AF_UNIX, AF_INET, AF_INET6, and the route family of netlink, which may only be read: writing
 * needs a capability that no payload has. */
static void emit_socket(struct code *code) {
    emit_load(code, 0);
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 6, 0, AF_UNIX);
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 5, 0, AF_INET);
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 4, 0, AF_INET6);
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, AF_NETLINK);
    emit_load(code, 2);
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0);
    emit_errno(code, EPERM);
    emit_allow(code);
}

/* Libraries reset their ids to those they have (posix_spawn of make does); nothing else may be set.
 * The id is put in when the filter is installed. */
static void emit_own_id(struct code *code, unsigned count, unsigned marker) {
    for (unsigned argument = 0; argument < count; argument++) {
        emit_load(code, argument);
        emit(code, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, marker);
        emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0xffffffffu);
        emit_errno(code, EPERM);
    }
    emit_allow(code);
}

/* The limits of other processes may be read, not set: our init has the payload's uid, so that
 * nothing else keeps a payload from taking its file descriptors away, and with them its eyes for
 * disk and memory. Both halves of the pointer are compared. */
static void emit_prlimit(struct code *code) {
    unsigned pointer = (unsigned)offsetof(struct seccomp_data, args) + 8 * 2;
    emit_load(code, 0);
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 0);
    emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, pointer);
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
    emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, pointer + 4);
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0);
    emit_errno(code, EPERM);
    emit_allow(code);
}

static void emit_action(struct code *code, enum action action) {
    static const unsigned terminal[] = {TIOCSTI, 0x541c /* TIOCLINUX */, TIOCCONS, TIOCSETD};
    static const unsigned nodes[] = {S_IFCHR, S_IFBLK};
    static const unsigned local[] = {AF_UNIX};
    static const unsigned unchanged[] = {0xffffffffu, 0};
    switch (action) {
    case MISSING:
        emit_errno(code, ENOSYS);
        break;
    case ALLOW:
        emit_allow(code);
        break;
    case REFUSE:
        emit_errno(code, EPERM);
        break;
    case CLONE:
        emit_refuse_bits(code, 0, (unsigned)NAMESPACES);
        break;
    case UNSHARE:
        emit_refuse_bits(code, 0, (unsigned)NAMESPACES | NEWTIME);
        break;
    case IOCTL:
        emit_refuse_values(code, 1, 0xffffffffu, terminal, 4);
        break;
    case SOCKET:
        emit_socket(code);
        break;
    case SOCKETPAIR:
        emit_allow_values(code, 0, local, 1);
        break;
    case PERSONALITY:
        emit_allow_values(code, 0, unchanged, 2);
        break;
    case MKNOD:
        emit_refuse_values(code, 1, S_IFMT, nodes, 2);
        break;
    case MKNODAT:
        emit_refuse_values(code, 2, S_IFMT, nodes, 2);
        break;
    case PRLIMIT:
        emit_prlimit(code);
        break;
    case SETUID1:
    case SETUID2:
    case SETUID3:
        emit_own_id(code, action - SETUID1 + 1, SECCOMP_MARKER_UID);
        break;
    case SETGID1:
    case SETGID2:
    case SETGID3:
        emit_own_id(code, action - SETGID1 + 1, SECCOMP_MARKER_GID);
        break;
    }
}

static void emit_tree(struct code *code, const struct range *ranges, unsigned count) {
    if (count == 1) {
        emit_action(code, ranges[0].action);
        return;
    }
    unsigned middle = count / 2;
    /* Below the middle: skip the jump. Else jump over the left half, whose length comes later. */
    emit(code, BPF_JMP | BPF_JGE | BPF_K, 0, 1, ranges[middle].start);
    unsigned jump = code->count;
    emit(code, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_tree(code, ranges, middle);
    code->line[jump].k = code->count - jump - 1;
    emit_tree(code, ranges + middle, count - middle);
}

static unsigned audit_architecture(void) {
#if defined(__x86_64__)
    return AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    return AUDIT_ARCH_AARCH64;
#else
#error "no seccomp table for this architecture"
#endif
}

static void build(struct code *code, unsigned profile) {
    static enum action actions[NUMBER_COUNT];
    static struct range ranges[NUMBER_COUNT + 1];
    for (unsigned i = 0; i < NUMBER_COUNT; i++) {
        actions[i] = MISSING;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int number = seccomp_syscall_resolve_name(table[i].name);
        if (number >= 0 && number < NUMBER_COUNT) {
            actions[number] = table[i].action[profile];
        }
    }
    unsigned count = 0;
    for (unsigned i = 0; i < NUMBER_COUNT; i++) {
        if (i == 0 || actions[i] != actions[i - 1]) {
            ranges[count++] = (struct range){i, actions[i]};
        }
    }
    ranges[count++] = (struct range){X32_BIT, REFUSE};
    emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
    emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, audit_architecture());
    emit_return(code, SECCOMP_RET_KILL_PROCESS);
    emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
    emit_tree(code, ranges, count);
}

static void print(FILE *out, const char *name, unsigned profile) {
    static struct code code;
    code.count = 0;
    build(&code, profile);
    fprintf(out, "static const struct sock_filter filter_%s[] = {\n", name);
    for (unsigned i = 0; i < code.count; i++) {
        fprintf(out, "    {0x%04x, %3u, %3u, 0x%08x},\n", code.line[i].code, code.line[i].jt,
                code.line[i].jf, code.line[i].k);
    }
    fprintf(out, "};\n");
}

int main(int argc, char **argv) {
    FILE *out = argc == 2 ? fopen(argv[1], "we") : nullptr;
    if (out == nullptr) {
        fprintf(stderr, "usage: seccomp_gen FILE\n");
        return 2;
    }
    fprintf(out, "/* Made by src/sandbox/seccomp_gen.c from src/sandbox/seccomp.def. */\n");
    print(out, "standard", 0);
    print(out, "strict", 1);
    return fclose(out) == 0 ? 0 : 1;
}
