/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs while Airlock is built: writes a table of calls (SECCOMP_TABLE, a seccomp.def) as a filter,
 * an array in C: seccomp_gen FILE NAME. Each program that is confined by one has its own.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "sys/filter_build.h"

enum action { KILL, ALLOW, NO_EXEC, INTERNET, SOCKETS, THREAD, OWN, ABSENT };

static const struct {
    const char *name;
    enum action action;
} table[] = {
#define SYSCALL(name, action) {#name, action},
#include SECCOMP_TABLE
#undef SYSCALL
};

static void emit_action(struct filter_code *code, unsigned action) {
    switch ((enum action)action) {
    case KILL:
        filter_emit_return(code, SECCOMP_RET_KILL_PROCESS);
        break;
    case ALLOW:
        filter_emit_return(code, SECCOMP_RET_ALLOW);
        break;
    case NO_EXEC: /* the protection is the third argument of both calls */
        filter_emit_load(code, 2);
        filter_emit(code, BPF_JMP | BPF_JSET | BPF_K, 1, 0, PROT_EXEC);
        filter_emit_return(code, SECCOMP_RET_ALLOW);
        filter_emit_return(code, SECCOMP_RET_KILL_PROCESS);
        break;
    case INTERNET: /* the family is the first argument */
        filter_emit_load(code, 0);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, AF_INET);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AF_INET6);
        filter_emit_return(code, SECCOMP_RET_KILL_PROCESS);
        filter_emit_return(code, SECCOMP_RET_ALLOW);
        break;
    case SOCKETS: /* the same, and of this machine's */
        filter_emit_load(code, 0);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 3, 0, AF_INET);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, AF_INET6);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AF_UNIX);
        filter_emit_return(code, SECCOMP_RET_KILL_PROCESS);
        filter_emit_return(code, SECCOMP_RET_ALLOW);
        break;
    case THREAD: /* the flags are the first argument of clone(2) */
        filter_emit_load(code, 0);
        filter_emit(code, BPF_JMP | BPF_JSET | BPF_K, 1, 0, CLONE_THREAD);
        filter_emit_return(code, SECCOMP_RET_KILL_PROCESS);
        filter_emit_return(code, SECCOMP_RET_ALLOW);
        break;
    case OWN: /* whose process it is about is the first argument; 0 is the caller's */
        filter_emit_load(code, 0);
        filter_emit(code, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0);
        filter_emit_return(code, SECCOMP_RET_KILL_PROCESS);
        filter_emit_return(code, SECCOMP_RET_ALLOW);
        break;
    case ABSENT: /* the C library does without */
        filter_emit_return(code, SECCOMP_RET_ERRNO | ENOSYS);
        break;
    }
}

int main(int argc, char **argv) {
    static struct filter_code code;
    static unsigned actions[FILTER_NUMBER_COUNT];
    FILE *out = argc == 3 ? fopen(argv[1], "we") : nullptr;
    if (out == nullptr) {
        (void)fprintf(stderr, "usage: seccomp_gen FILE NAME\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int number = seccomp_syscall_resolve_name(table[i].name);
        if (number >= 0 && number < FILTER_NUMBER_COUNT) {
            actions[number] = table[i].action;
        }
    }
    filter_build(&code, actions, KILL, emit_action);
    (void)fprintf(out, "/* Made by src/keys/seccomp_gen.c from %s. */\n", SECCOMP_TABLE);
    filter_print(out, argv[2], &code);
    return fclose(out) == 0 ? 0 : 1;
}
