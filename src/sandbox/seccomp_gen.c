/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs while Airlock is built: reads the table of system calls and writes the BPF programs of both
 * profiles as C arrays, so that nothing is computed when a sandbox starts.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "sandbox/seccomp.h"
#include "sys/filter_build.h"

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
    SETRLIMIT,
};

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

static void emit_allow(struct filter_code *code) {
    filter_emit_return(code, SECCOMP_RET_ALLOW);
}

static void emit_errno(struct filter_code *code, unsigned number) {
    filter_emit_return(code, SECCOMP_RET_ERRNO | number);
}

/* Refused when the argument has one of these bits. */
static void emit_refuse_bits(struct filter_code *code, unsigned argument, unsigned bits) {
    filter_emit_load(code, argument);
    filter_emit(code, BPF_JMP | BPF_JSET | BPF_K, 1, 0, bits);
    emit_allow(code);
    emit_errno(code, EPERM);
}

/* Refused when the masked argument is one of these values. */
static void emit_refuse_values(struct filter_code *code, unsigned argument, unsigned mask,
                               const unsigned *values, unsigned count) {
    filter_emit_load(code, argument);
    filter_emit(code, BPF_ALU | BPF_AND | BPF_K, 0, 0, mask);
    for (unsigned i = 0; i < count; i++) {
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, count - i, 0, values[i]);
    }
    emit_allow(code);
    emit_errno(code, EPERM);
}

/* Allowed only when the argument is one of these values. */
static void emit_allow_values(struct filter_code *code, unsigned argument, const unsigned *values,
                              unsigned count) {
    filter_emit_load(code, argument);
    for (unsigned i = 0; i < count; i++) {
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, count - i, 0, values[i]);
    }
    emit_errno(code, EPERM);
    emit_allow(code);
}

/* AF_UNIX; TCP, UDP and ICMP over AF_INET and AF_INET6, because the kernel loads a module for a
 * type or protocol that it does not have; and the route family of netlink, which may only be read:
 * writing needs a capability that no payload has. Each jump names the line it leads to. */
static void emit_socket(struct filter_code *code) {
    filter_emit_load(code, 0);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 17, 0, AF_UNIX); /* allow */
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 5, 0, AF_INET);  /* internet */
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 4, 0, AF_INET6); /* internet */
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, AF_NETLINK);
    filter_emit_load(code, 2);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 12, 0, 0); /* allow */
    emit_errno(code, EPERM);
    filter_emit_load(code, 1); /* internet: the type, without its flags */
    filter_emit(code, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SOCK_STREAM);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 6, SOCK_DGRAM); /* else unsupported */
    filter_emit_load(code, 2);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 5, 0, 0); /* allow, and so on */
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 4, 0, IPPROTO_TCP);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 3, 0, IPPROTO_UDP);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, IPPROTO_ICMP);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, IPPROTO_ICMPV6);
    emit_errno(code, EPROTONOSUPPORT); /* what a kernel without the protocol answers */
    emit_allow(code);
}

/* Libraries reset their ids to those they have (posix_spawn of make does); nothing else may be set.
 * The id is put in when the filter is installed. */
static void emit_own_id(struct filter_code *code, unsigned count, unsigned marker) {
    for (unsigned argument = 0; argument < count; argument++) {
        filter_emit_load(code, argument);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, marker);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0xffffffffu);
        emit_errno(code, EPERM);
    }
    emit_allow(code);
}

/* What happens when a pointer is not null; both its halves are compared. Null is allowed. */
static void emit_null(struct filter_code *code, unsigned argument, unsigned refusal) {
    unsigned pointer = (unsigned)offsetof(struct seccomp_data, args) + 8 * argument;
    filter_emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, pointer);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
    filter_emit(code, BPF_LD | BPF_W | BPF_ABS, 0, 0, pointer + 4);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0);
    emit_errno(code, refusal);
    emit_allow(code);
}

enum { NULL_LINES = 6, PRETEND = 0 };

/* The limits of other processes may be read, not set: our init has the payload's uid, so that
 * nothing else keeps a payload from taking its file descriptors away, and with them its eyes for
 * disk and memory. One's own may be lowered, but for that of core files: it is 1 byte, which is
 * the only value that keeps the kernel from handing a crash to a core_pattern that is a program of
 * the host; with 0 it would. Programs that set it to 0 get what they want and are told so. */
static void emit_prlimit(struct filter_code *code) {
    filter_emit_load(code, 0);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, NULL_LINES, 0, 0);
    emit_null(code, 2, EPERM);
    filter_emit_load(code, 1);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, NULL_LINES, RLIMIT_CORE);
    emit_null(code, 2, PRETEND);
    emit_allow(code);
}

static void emit_setrlimit(struct filter_code *code) {
    filter_emit_load(code, 0);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, RLIMIT_CORE);
    emit_errno(code, PRETEND);
    emit_allow(code);
}

static void emit_action(struct filter_code *code, unsigned action) {
    static const unsigned terminal[] = {TIOCSTI, 0x541c /* TIOCLINUX */, TIOCCONS, TIOCSETD};
    static const unsigned nodes[] = {S_IFCHR, S_IFBLK};
    static const unsigned local[] = {AF_UNIX};
    static const unsigned unchanged[] = {0xffffffffu, 0};
    switch ((enum action)action) {
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
    case SETRLIMIT:
        emit_setrlimit(code);
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

static void print(FILE *out, const char *name, unsigned profile) {
    static struct filter_code code;
    static unsigned actions[FILTER_NUMBER_COUNT];
    for (unsigned i = 0; i < FILTER_NUMBER_COUNT; i++) {
        actions[i] = MISSING;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int number = seccomp_syscall_resolve_name(table[i].name);
        if (number >= 0 && number < FILTER_NUMBER_COUNT) {
            actions[number] = table[i].action[profile];
        }
    }
    filter_build(&code, actions, REFUSE, emit_action);
    filter_print(out, name, &code);
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
