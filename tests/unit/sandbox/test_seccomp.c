/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the compiled filters in a small BPF machine, so that every answer can be asked for without
 * being filtered oneself.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "sandbox/seccomp.h"

enum { UID = 1234, GID = 5678 };

static unsigned own_architecture(void) {
#ifdef __x86_64__
    return AUDIT_ARCH_X86_64;
#else
    return AUDIT_ARCH_AARCH64;
#endif
}

static unsigned run(enum seccomp_profile profile, const struct seccomp_data *data) {
    static struct sock_filter lines[SECCOMP_LINES_MAX];
    size_t count = seccomp_filter(profile, UID, GID, lines);
    uint32_t accumulator = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sock_filter *line = &lines[i];
        switch (line->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            memcpy(&accumulator, (const char *)data + line->k, 4);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            accumulator &= line->k;
            break;
        case BPF_JMP | BPF_JA:
            i += line->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            i += accumulator == line->k ? line->jt : line->jf;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            i += accumulator >= line->k ? line->jt : line->jf;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            i += (accumulator & line->k) != 0 ? line->jt : line->jf;
            break;
        case BPF_RET | BPF_K:
            return line->k;
        default:
            fail_msg("line %zu has the unknown code %x", i, line->code);
        }
    }
    fail_msg("the filter does not end");
    return 0;
}

static unsigned ask(enum seccomp_profile profile, long number, uint64_t a, uint64_t b, uint64_t c) {
    struct seccomp_data data = {.nr = (int)number, .arch = own_architecture(), .args = {a, b, c}};
    return run(profile, &data);
}

#define ALLOWED(...) assert_int_equal(ask(SECCOMP_STANDARD, __VA_ARGS__), SECCOMP_RET_ALLOW)
#define REFUSED(...) assert_int_equal(ask(SECCOMP_STANDARD, __VA_ARGS__), SECCOMP_RET_ERRNO | EPERM)
#define UNSUPPORTED(...) \
    assert_int_equal(ask(SECCOMP_STANDARD, __VA_ARGS__), SECCOMP_RET_ERRNO | EPROTONOSUPPORT)
#define PRETENDED(...) assert_int_equal(ask(SECCOMP_STANDARD, __VA_ARGS__), SECCOMP_RET_ERRNO)
#define MISSING(...) \
    assert_int_equal(ask(SECCOMP_STANDARD, __VA_ARGS__), SECCOMP_RET_ERRNO | ENOSYS)

static void test_plain_calls(void **state) {
    (void)state;
    ALLOWED(SYS_read, 0, 0, 0);
    ALLOWED(SYS_execve, 0, 0, 0);
    ALLOWED(SYS_ptrace, 0, 0, 0);
    REFUSED(SYS_mount, 0, 0, 0);
    REFUSED(SYS_bpf, 0, 0, 0);
    REFUSED(SYS_io_uring_setup, 0, 0, 0);
    REFUSED(SYS_chroot, 0, 0, 0);
    REFUSED(SYS_setns, 0, 0, 0);
    MISSING(SYS_clone3, 0, 0, 0);
    MISSING(500, 0, 0, 0);
    MISSING(1023, 0, 0, 0);
    MISSING(0x3fffffff, 0, 0, 0);
}

static void test_other_architectures(void **state) {
    (void)state;
    struct seccomp_data data = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};
    assert_int_equal(run(SECCOMP_STANDARD, &data), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(run(SECCOMP_STRICT, &data), SECCOMP_RET_KILL_PROCESS);
    REFUSED(0x40000000 + SYS_read, 0, 0, 0); /* x32 */
    REFUSED(0x40000000, 0, 0, 0);
    REFUSED(-1, 0, 0, 0);
}

static void test_namespaces(void **state) {
    (void)state;
    static const unsigned flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                     CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
    ALLOWED(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, 0, 0);
    ALLOWED(SYS_clone, 17, 0, 0);
    ALLOWED(SYS_unshare, CLONE_FS | CLONE_FILES, 0, 0);
    REFUSED(SYS_unshare, 0x80 /* CLONE_NEWTIME */, 0, 0);
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        REFUSED(SYS_clone, flags[i] | 17, 0, 0);
        REFUSED(SYS_clone, 0x100000000u | flags[i], 0, 0);
        REFUSED(SYS_unshare, flags[i], 0, 0);
    }
}

static void test_arguments(void **state) {
    (void)state;
    ALLOWED(SYS_ioctl, 0, TCGETS, 0);
    REFUSED(SYS_ioctl, 0, TIOCSTI, 0);
    REFUSED(SYS_ioctl, 0, 0x541c, 0);
    REFUSED(SYS_ioctl, 0, 0x100000000u | TIOCSTI, 0);
    REFUSED(SYS_ioctl, 0, TIOCSETD, 0);
    ALLOWED(SYS_prlimit64, 0, RLIMIT_NOFILE, 0x1000);
    ALLOWED(SYS_prlimit64, 1, RLIMIT_NOFILE, 0);
    REFUSED(SYS_prlimit64, 1, RLIMIT_NOFILE, 0x1000);
    REFUSED(SYS_prlimit64, 1, RLIMIT_NOFILE, 0x700000000u);
    REFUSED(SYS_prlimit64, 0x100000000u | 1, RLIMIT_NOFILE, 0x1000);
    /* The limit of core files stays where it is, and nobody is the wiser. */
    ALLOWED(SYS_prlimit64, 0, RLIMIT_CORE, 0);
    PRETENDED(SYS_prlimit64, 0, RLIMIT_CORE, 0x1000);
    PRETENDED(SYS_prlimit64, 0, RLIMIT_CORE, 0x700000000u);
    PRETENDED(SYS_prlimit64, 0, 0x100000000u | RLIMIT_CORE, 0x1000);
    REFUSED(SYS_prlimit64, 1, RLIMIT_CORE, 0x1000);
#ifdef SYS_setrlimit
    PRETENDED(SYS_setrlimit, RLIMIT_CORE, 0x1000, 0);
    ALLOWED(SYS_setrlimit, RLIMIT_NOFILE, 0x1000, 0);
#endif
    ALLOWED(SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    ALLOWED(SYS_socket, AF_INET, SOCK_STREAM, 0);
    ALLOWED(SYS_socket, AF_INET6, SOCK_DGRAM, 0);
    ALLOWED(SYS_socket, AF_NETLINK, SOCK_RAW, 0);
    REFUSED(SYS_socket, AF_NETLINK, SOCK_RAW, 12);
    REFUSED(SYS_socket, AF_PACKET, SOCK_RAW, 0);
    REFUSED(SYS_socket, AF_VSOCK, SOCK_STREAM, 0);
    REFUSED(SYS_socket, AF_ALG, SOCK_SEQPACKET, 0);
    ALLOWED(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    ALLOWED(SYS_socket, AF_INET6, SOCK_DGRAM, IPPROTO_UDP);
    ALLOWED(SYS_socket, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
    ALLOWED(SYS_socket, AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
    /* What no program needs could load a module of the host's kernel. */
    UNSUPPORTED(SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_SCTP);
    UNSUPPORTED(SYS_socket, AF_INET6, SOCK_DGRAM, IPPROTO_UDPLITE);
    UNSUPPORTED(SYS_socket, AF_INET, SOCK_DCCP, 0);
    UNSUPPORTED(SYS_socket, AF_INET, SOCK_SEQPACKET, 0);
    UNSUPPORTED(SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP);
    ALLOWED(SYS_socketpair, AF_UNIX, 0, 0);
    REFUSED(SYS_socketpair, AF_TIPC, 0, 0);
    ALLOWED(SYS_personality, 0xffffffff, 0, 0);
    REFUSED(SYS_personality, 0x0040000, 0, 0);
    ALLOWED(SYS_mknodat, 0, 0, S_IFIFO | 0600);
    REFUSED(SYS_mknodat, 0, 0, S_IFCHR | 0600);
    REFUSED(SYS_mknodat, 0, 0, S_IFBLK | 0600);
}

static void test_ids(void **state) {
    (void)state;
    ALLOWED(SYS_setuid, UID, 0, 0);
    REFUSED(SYS_setuid, 0, 0, 0);
    REFUSED(SYS_setuid, GID, 0, 0);
    ALLOWED(SYS_setgid, GID, 0, 0);
    REFUSED(SYS_setgid, UID, 0, 0);
    ALLOWED(SYS_setresuid, UID, 0xffffffff, UID);
    REFUSED(SYS_setresuid, UID, UID, 0);
    REFUSED(SYS_setresuid, 0, UID, UID);
    REFUSED(SYS_setgroups, 0, 0, 0);
}

static void test_strict(void **state) {
    (void)state;
    assert_int_equal(ask(SECCOMP_STRICT, SYS_read, 0, 0, 0), SECCOMP_RET_ALLOW);
    assert_int_equal(ask(SECCOMP_STRICT, SYS_socket, AF_UNIX, 0, 0), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(ask(SECCOMP_STRICT, SYS_ptrace, 0, 0, 0), SECCOMP_RET_ERRNO | EPERM);
    /* Nothing that standard refuses is allowed by strict. */
    for (long number = 0; number < 1024; number++) {
        unsigned standard = ask(SECCOMP_STANDARD, number, 0, 0, 0);
        unsigned strict = ask(SECCOMP_STRICT, number, 0, 0, 0);
        if (strict == SECCOMP_RET_ALLOW) {
            assert_int_equal(standard, SECCOMP_RET_ALLOW);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_calls), cmocka_unit_test(test_other_architectures),
        cmocka_unit_test(test_namespaces),  cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_ids),         cmocka_unit_test(test_strict),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
