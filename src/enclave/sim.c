/* SPDX-License-Identifier: Apache-2.0
 *
 * Two processes: this one holds the key that signs quotes and waits; the program is the first
 * process of its own namespaces, as it is the first one in Gramine. What it needs of its parent
 * (the ids it has in its user namespace) and what its parent needs of it (whether it could be
 * started) goes over two pipes. The network is the host's, as it is with Gramine.
 */
#include "enclave/sim.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "enclave/es256.h"
#include "enclave/quote.h"
#include "enclave/sim_inside.h"
#include "sys/fd.h"
#include "sys/userns.h"

enum { PATIENCE_S = 2, SIGNAL_STATUS = 128 };

struct sim {
    const struct sim_plan *plan;
    EVP_PKEY *root;
    int listener;
    int go[2], failed[2]; /* pipes: the parent's word, the child's error */
    int signals;
    pid_t child;
    bool was_terminated;
};

/* Says why the program was not started; its parent reads it. */
[[noreturn]] static void give_up(const struct sim *sim, const struct error *err) {
    struct error ignored;
    (void)!status_is_ok(
        fd_write_all(sim->failed[1], slice_of(err, sizeof *err), "a pipe", &ignored));
    _exit(1);
}

[[noreturn]] static void run_child(const struct sim *sim) {
    char go = 0;
    struct error err = {};
    sigset_t none;
    (void)sigemptyset(&none);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (read(sim->go[0], &go, 1) != 1) {
        _exit(1); /* the parent says itself why */
    }
    (void)setpgid(0, 0);
    if (!status_is_ok(sim_root_enter(sim->plan, sim->listener, &err))) {
        give_up(sim, &err);
    }
    /* Nothing that whoever started this left open is the program's. */
    (void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    (void)sigprocmask(SIG_SETMASK, &none, nullptr);
    if (!status_is_ok(sim_calls_limit(sim->plan, &err))) {
        give_up(sim, &err);
    }
    (void)execve(sim->plan->entrypoint, (char *const *)(uintptr_t)sim->plan->argv,
                 (char *const *)(uintptr_t)sim->plan->environment);
    (void)error_set(&err, ERROR_ENCLAVE_PROGRAM, errno, "cannot execute %s inside",
                    sim->plan->entrypoint);
    error_hint(&err, "Is everything it is made of in the manifest? See: airlock enclave manifest");
    give_up(sim, &err);
}

static status_t start_child(struct sim *sim, struct error *err) {
    const unsigned long flags =
        CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD;
    const struct userns_map map = {
        .uid = sim->plan->uid,
        .gid = sim->plan->gid,
        .host_uid = geteuid(),
        .host_gid = getegid(),
    };
    sim->child = (pid_t)syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr);
    if (sim->child == 0) {
        run_child(sim);
    }
    if (sim->child < 0) {
        return error_set(err,
                         errno == EPERM ? ERROR_SANDBOX_USERNS_DENIED : ERROR_SANDBOX_NAMESPACE,
                         errno, "cannot make the namespaces of a simulation");
    }
    if (!userns_map_write(sim->child, &map) || write(sim->go[1], "g", 1) != 1) {
        return error_set(err, ERROR_SANDBOX_USERNS_DENIED, errno,
                         "cannot give the program its user");
    }
    return STATUS_OK;
}

/* Waits until the program is executed, or says why not. */
static status_t wait_started(struct sim *sim, struct error *err) {
    struct error inside;
    size_t size = 0;
    fd_closep(&sim->failed[1]);
    while (size < sizeof inside) {
        ssize_t got = read(sim->failed[0], (char *)&inside + size, sizeof inside - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
    }
    if (size == sizeof inside) {
        *err = inside;
        return (status_t){inside.code};
    }
    return STATUS_OK;
}

/* One connection, one quote. Whatever is wrong with it is the program's loss. */
static void serve_quote(const struct sim *sim) {
    uint8_t report_data[EVIDENCE_REPORT_BYTES];
    struct error ignored;
    struct builder quote;
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    CLEANUP(fd_closep) int fd = accept4(sim->listener, nullptr, nullptr, SOCK_CLOEXEC);
    builder_init(&quote, QUOTE_BYTES_MAX);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) == 0 &&
        recv(fd, report_data, sizeof report_data, MSG_WAITALL) == (ssize_t)sizeof report_data &&
        status_is_ok(
            quote_simulate(sim->root, &sim->plan->measurement, report_data, &quote, &ignored))) {
        (void)send(fd, quote.data, quote.size, MSG_NOSIGNAL);
    }
    builder_deinit(&quote);
}

/* True when the program has ended. */
static bool take_signal(struct sim *sim, int *ret_status) {
    struct signalfd_siginfo signal_;
    if (read(sim->signals, &signal_, sizeof signal_) != (ssize_t)sizeof signal_) {
        return false;
    }
    if (signal_.ssi_signo != SIGCHLD) {
        bool is_gentle = sim->plan->may_terminate && !sim->was_terminated;
        sim->was_terminated = true;
        (void)kill(sim->child, is_gentle ? SIGTERM : SIGKILL);
        return false;
    }
    int status = 0;
    if (waitpid(sim->child, &status, WNOHANG) != sim->child) {
        return false;
    }
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_STATUS + WTERMSIG(status);
    sim->child = 0;
    return true;
}

static void stay(struct sim *sim, int *ret_status) {
    struct pollfd waits[] = {
        {.fd = sim->signals, .events = POLLIN},
        {.fd = sim->listener, .events = POLLIN},
    };
    for (;;) {
        if (poll(waits, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        if ((waits[0].revents & POLLIN) != 0 && take_signal(sim, ret_status)) {
            return;
        }
        if ((waits[1].revents & POLLIN) != 0) {
            serve_quote(sim);
        }
    }
}

static void print_hex(FILE *out, const struct digest *digest) {
    struct builder hex;
    builder_init(&hex, 2 * DIGEST_BYTES + 1);
    text_hex(slice_of(digest->bytes, DIGEST_BYTES), &hex);
    (void)fputs(builder_c_string(&hex), out);
    builder_deinit(&hex);
}

static void say_what_it_is(const struct sim *sim, bool as_json) {
    struct builder spki;
    struct digest root;
    builder_init(&spki, 1024);
    (void)es256_spki(sim->root, &spki);
    sha256_of(builder_slice(&spki), &root);
    builder_deinit(&spki);
    (void)fputs(as_json ? "{\"measurement\":\""
                        : "airlock: a simulation, no enclave: nothing vouches for it\n"
                          "  measurement  ",
                stderr);
    print_hex(stderr, &sim->plan->measurement);
    (void)fputs(as_json ? "\",\"root\":\"" : "\n  root         ", stderr);
    print_hex(stderr, &root);
    (void)fputs(as_json ? "\"}\n" : "\n", stderr);
}

static status_t prepare(struct sim *sim, struct error *err) {
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGCHLD);
    sim->root = EVP_EC_gen("P-256");
    sim->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (sim->root == nullptr || sim->listener < 0 || pipe2(sim->go, O_CLOEXEC) != 0 ||
        pipe2(sim->failed, O_CLOEXEC) != 0 || sigprocmask(SIG_BLOCK, &signals, nullptr) != 0 ||
        (sim->signals = signalfd(-1, &signals, SFD_CLOEXEC)) < 0) {
        return error_set(err, ERROR_IO, errno, "cannot prepare a simulation");
    }
    return STATUS_OK;
}

static status_t run(struct sim *sim, bool as_json, int *ret_status, struct error *err) {
    TRY(prepare(sim, err));
    TRY(start_child(sim, err));
    TRY(wait_started(sim, err));
    say_what_it_is(sim, as_json);
    stay(sim, ret_status);
    return STATUS_OK;
}

status_t sim_run(const struct sim_plan *plan, bool as_json, int *ret_status, struct error *err) {
    struct sim sim = {
        .plan = plan,
        .listener = -1,
        .go = {-1, -1},
        .failed = {-1, -1},
        .signals = -1,
    };
    status_t status = run(&sim, as_json, ret_status, err);
    if (sim.child > 0) { /* it was not started, or is of no use */
        (void)kill(sim.child, SIGKILL);
        (void)waitpid(sim.child, nullptr, 0);
    }
    for (size_t i = 0; i < 2; i++) {
        fd_closep(&sim.go[i]);
        fd_closep(&sim.failed[i]);
    }
    fd_closep(&sim.listener);
    fd_closep(&sim.signals);
    EVP_PKEY_free(sim.root);
    return status;
}
