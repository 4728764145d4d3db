/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs while Airlock is built: writes gramine_calls.def as a filter, an array in C: calls_gen FILE.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "sys/filter_build.h"

enum action {
    NOT_THERE,
    ALLOW,
    SOCKET,
    PAIR,
    OPTION,
    SEND_2,
    SEND_3,
    RECEIVE_2,
    RECEIVE_3,
    IOCTL,
};

static const struct {
    const char *name;
    enum action action;
} CALLS[] = {
#define CALL(name, action) {#name, action},
#include "enclave/gramine_calls.def"
#undef CALL
};

static const struct {
    unsigned level, name;
} OPTIONS[] = {
    {SOL_SOCKET, SO_ACCEPTCONN},  {SOL_SOCKET, SO_DOMAIN},         {SOL_SOCKET, SO_TYPE},
    {SOL_SOCKET, SO_PROTOCOL},    {SOL_SOCKET, SO_ERROR},          {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_SNDTIMEO},    {SOL_SOCKET, SO_REUSEADDR},      {SOL_SOCKET, SO_REUSEPORT},
    {SOL_SOCKET, SO_BROADCAST},   {SOL_SOCKET, SO_KEEPALIVE},      {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_RCVBUF},      {SOL_SOCKET, SO_SNDBUF},         {IPPROTO_IPV6, IPV6_V6ONLY},
    {IPPROTO_IPV6, IPV6_RECVERR}, {IPPROTO_IP, IP_RECVERR},        {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_KEEPIDLE},  {IPPROTO_TCP, TCP_KEEPINTVL},    {IPPROTO_TCP, TCP_KEEPCNT},
    {IPPROTO_TCP, TCP_NODELAY},   {IPPROTO_TCP, TCP_USER_TIMEOUT},
};

static const unsigned IOCTLS[] = {FIONBIO, FIONREAD, FIOCLEX, FIONCLEX, TIOCGPGRP, TIOCSPGRP};

enum { TYPE_MASK = 0xf };
#define ANSWER(number) (SECCOMP_RET_ERRNO | (number))

/* Goes on if the value that was loaded is this one; else answers at once. */
static void emit_only(struct filter_code *code, unsigned value, unsigned answer) {
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, value);
    filter_emit_return(code, answer);
}

/* Lets through if the value that was loaded is this one; else goes on. */
static void emit_if(struct filter_code *code, unsigned value) {
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value);
    filter_emit_return(code, SECCOMP_RET_ALLOW);
}

static void emit_options(struct filter_code *code) {
    for (size_t i = 0; i < sizeof OPTIONS / sizeof OPTIONS[0]; i++) {
        filter_emit_load(code, 1);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 3, OPTIONS[i].level);
        filter_emit_load(code, 2);
        emit_if(code, OPTIONS[i].name);
    }
    filter_emit_return(code, ANSWER(ENOPROTOOPT));
}

/* Internet sockets of both types, Unix sockets that are streams. */
static void emit_socket(struct filter_code *code) {
    enum { DATAGRAM_LINES = 10 };
    filter_emit_load(code, 1);
    filter_emit(code, BPF_ALU | BPF_AND | BPF_K, 0, 0, TYPE_MASK);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, DATAGRAM_LINES, 0, SOCK_STREAM);
    emit_only(code, SOCK_DGRAM, ANSWER(EPROTONOSUPPORT));
    filter_emit_load(code, 0);
    filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, AF_UNIX);
    filter_emit_return(code, ANSWER(EPROTONOSUPPORT));
    emit_if(code, AF_INET);
    emit_if(code, AF_INET6);
    filter_emit_return(code, ANSWER(EAFNOSUPPORT));
    filter_emit_load(code, 0); /* a stream */
    emit_if(code, AF_INET);
    emit_if(code, AF_INET6);
    emit_if(code, AF_UNIX);
    filter_emit_return(code, ANSWER(EAFNOSUPPORT));
}

static void emit_flags(struct filter_code *code, unsigned argument, unsigned known) {
    filter_emit_load(code, argument);
    filter_emit(code, BPF_JMP | BPF_JSET | BPF_K, 1, 0, ~known);
    filter_emit_return(code, SECCOMP_RET_ALLOW);
    filter_emit_return(code, ANSWER(EOPNOTSUPP));
}

static void emit_action(struct filter_code *code, unsigned action) {
    const unsigned sending = MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE;
    const unsigned receiving = MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC;
    switch ((enum action)action) {
    case NOT_THERE:
        filter_emit_return(code, ANSWER(ENOSYS));
        break;
    case ALLOW:
        filter_emit_return(code, SECCOMP_RET_ALLOW);
        break;
    case SOCKET:
        emit_socket(code);
        break;
    case PAIR:
        filter_emit_load(code, 1);
        filter_emit(code, BPF_ALU | BPF_AND | BPF_K, 0, 0, TYPE_MASK);
        emit_if(code, SOCK_STREAM);
        filter_emit_return(code, ANSWER(EPROTONOSUPPORT));
        break;
    case OPTION:
        emit_options(code);
        break;
    case SEND_2:
    case SEND_3:
        emit_flags(code, action == SEND_2 ? 2 : 3, sending);
        break;
    case RECEIVE_2:
    case RECEIVE_3:
        emit_flags(code, action == RECEIVE_2 ? 2 : 3, receiving);
        break;
    case IOCTL:
        filter_emit_load(code, 1);
        for (size_t i = 0; i < sizeof IOCTLS / sizeof IOCTLS[0]; i++) {
            emit_if(code, IOCTLS[i]);
        }
        filter_emit_return(code, ANSWER(ENOTTY));
        break;
    }
}

int main(int argc, char **argv) {
    static struct filter_code code;
    static unsigned actions[FILTER_NUMBER_COUNT];
    FILE *out = argc == 2 ? fopen(argv[1], "we") : nullptr;
    if (out == nullptr) {
        (void)fprintf(stderr, "usage: calls_gen FILE\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        int number = seccomp_syscall_resolve_name(CALLS[i].name);
        if (number < 0 || number >= FILTER_NUMBER_COUNT) {
            (void)fprintf(stderr, "there is no system call %s\n", CALLS[i].name);
            return 1;
        }
        actions[number] = CALLS[i].action;
    }
    filter_build(&code, actions, NOT_THERE, emit_action);
    (void)fprintf(out, "/* Made by src/enclave/calls_gen.c from gramine_calls.def. */\n");
    filter_print(out, "gramine", &code);
    return fclose(out) == 0 ? 0 : 1;
}
