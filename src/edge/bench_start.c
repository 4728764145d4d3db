/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/error_report.h"
#include "edge/bench.h"
#include "edge/development.h"
#include "edge/edge.h"
#include "proxy/address.h"
#include "sys/fd.h"

enum { READY_TRIES = 1000, READY_STEP_NS = 5000000, PORT_COUNT = 2 };

#define CONFIG_NAME "proxy.yaml"
#define CERTIFICATE_NAME "cert.pem"
#define KEY_NAME "key.pem"
static const char CONFIG[] = "version: 1\n"
                             "workers: 1\n"
                             "drain: 0s\n"
                             "listeners:\n"
                             "- name: through\n"
                             "  bind: tcp://127.0.0.1:%u\n"
                             "  mode: terminate\n"
                             "  tls: {cert: " CERTIFICATE_NAME ", key: " KEY_NAME "}\n"
                             "  routes: [{to: service}]\n"
                             "- name: handshakes\n"
                             "  bind: tcp://127.0.0.1:%u\n"
                             "  mode: echo\n"
                             "  tls: {cert: " CERTIFICATE_NAME ", key: " KEY_NAME "}\n"
                             "  limits: {handshake_budget: 1m}\n"
                             "upstreams: [{name: service, servers: [{addr: \"%s\"}]}]\n";

static status_t failed(const char *what, struct error *err) {
    return error_set(err, ERROR_IO, errno, "cannot %s", what);
}

/* A listening socket on a free port of the loopback. */
static status_t listen_anywhere(int *ret_fd, struct sockaddr_storage *ret_address,
                                struct error *err) {
    const struct host_address loopback = {4, {127, 0, 0, 1}};
    socklen_t size = address_to_socket(&loopback, 0, ret_address);
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)ret_address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)ret_address, &size) != 0 || listen(fd, 16) != 0) {
        return failed("listen on the loopback", err);
    }
    *ret_fd = fd_take(&fd);
    return STATUS_OK;
}

static unsigned port_of(const struct sockaddr_storage *address) {
    return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* In a child, which ends with its parent. */
static bool child_begins(pid_t parent) {
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

static void echo_until_end(int fd) {
    static uint8_t bytes[65536];
    struct error ignored = {};
    for (;;) {
        ssize_t size = read(fd, bytes, sizeof bytes);
        if (size <= 0 || !status_is_ok(fd_write_all(fd, slice_of(bytes, (size_t)size), "the client",
                                                    &ignored))) {
            return;
        }
    }
}

/* A process for each connection: there are two at a time. */
static void serve_echo(int listener) {
    const int on = 1;
    pid_t self = getpid();
    (void)signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(listener, nullptr, nullptr);
        if (fd < 0) {
            continue;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fork() == 0) {
            if (child_begins(self)) {
                echo_until_end(fd);
            }
            _exit(0);
        }
        (void)close(fd);
    }
}

static status_t start_service(struct bench_edge *edge, struct error *err) {
    CLEANUP(fd_closep) int listener = -1;
    pid_t self = getpid();
    TRY(listen_anywhere(&listener, &edge->direct, err));
    edge->direct_size = sizeof(struct sockaddr_in);
    edge->service = fork();
    if (edge->service == 0) {
        if (child_begins(self)) {
            serve_echo(listener);
        }
        _exit(1);
    }
    return edge->service < 0 ? failed("start the service", err) : STATUS_OK;
}

static status_t use_service(const char *to, struct bench_edge *edge, struct error *err) {
    struct host host;
    uint16_t port = 0;
    const char *why = host_parse_authority(slice_of_string(to), 0, &host, &port);
    if (why == nullptr && !host.is_address) {
        why = "write an address, since names are not resolved here";
    }
    if (why != nullptr) {
        (void)error_set(err, ERROR_USAGE, 0, "cannot measure to \"%.100s\": %s", to, why);
        error_hint(err, "Name a TCP service that sends back what it gets: --to 127.0.0.1:7");
        return (status_t){ERROR_USAGE};
    }
    edge->direct_size = address_to_socket(&host.address, port, &edge->direct);
    return STATUS_OK;
}

static status_t write_config(const char *folder, const struct bench_edge *edge, const char *service,
                             struct error *err) {
    char path[LIMIT_PATH_BYTES], key[LIMIT_PATH_BYTES], text[sizeof CONFIG + 128];
    enum development_made made;
    (void)snprintf(path, sizeof path, "%s/" CERTIFICATE_NAME, folder);
    (void)snprintf(key, sizeof key, "%s/" KEY_NAME, folder);
    TRY(development_make(path, key, &made, err));
    if (SSL_CTX_load_verify_file(edge->context, path) != 1) {
        return error_set(err, ERROR_INTERNAL, 0, "cannot trust the edge's certificate");
    }
    int size = snprintf(text, sizeof text, CONFIG, port_of(&edge->through),
                        port_of(&edge->handshakes), service);
    (void)snprintf(path, sizeof path, "%s/" CONFIG_NAME, folder);
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return fd < 0 ? failed("write a configuration in /tmp", err)
                  : fd_write_all(fd, slice_of(text, (size_t)size), path, err);
}

/* The ports are free a moment before the edge binds them; whoever takes one in between makes it
 * fail, and says so. */
static status_t choose_ports(struct bench_edge *edge, struct error *err) {
    struct sockaddr_storage *addresses[PORT_COUNT] = {&edge->through, &edge->handshakes};
    int fds[PORT_COUNT] = {-1, -1};
    status_t status = STATUS_OK;
    for (size_t i = 0; i < PORT_COUNT && status_is_ok(status); i++) {
        status = listen_anywhere(&fds[i], addresses[i], err);
    }
    for (size_t i = 0; i < PORT_COUNT; i++) {
        fd_closep(&fds[i]);
    }
    return status;
}

static bool answers(const struct sockaddr_storage *address) {
    CLEANUP(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd >= 0 &&
           connect(fd, (const struct sockaddr *)address, sizeof(struct sockaddr_in)) == 0;
}

static status_t wait_until_ready(struct bench_edge *edge, struct error *err) {
    const struct timespec step = {0, READY_STEP_NS};
    for (int i = 0; i < READY_TRIES; i++) {
        if (answers(&edge->through) && answers(&edge->handshakes)) {
            return STATUS_OK;
        }
        if (waitpid(edge->edge, nullptr, WNOHANG) == edge->edge) {
            edge->edge = -1;
            return error_set(err, ERROR_INTERNAL, 0, "the edge did not begin to serve");
        }
        (void)nanosleep(&step, nullptr);
    }
    return error_set(err, ERROR_INTERNAL, 0, "the edge did not begin to serve in time");
}

static status_t start_edge(struct bench_edge *edge, const char *folder, struct error *err) {
    char path[LIMIT_PATH_BYTES];
    pid_t self = getpid();
    (void)snprintf(path, sizeof path, "%s/" CONFIG_NAME, folder);
    edge->edge = fork();
    if (edge->edge == 0) {
        struct error why = {};
        if (child_begins(self) &&
            !status_is_ok(edge_run(&(struct edge_options){.file = path, .log_fd = -1}, &why))) {
            (void)error_report(&(struct error_report){}, &why);
        }
        _exit(0);
    }
    return edge->edge < 0 ? failed("start the edge", err) : wait_until_ready(edge, err);
}

static status_t start_all(const char *to, struct bench_edge *edge, const char *folder,
                          struct error *err) {
    char service[64];
    if (to == nullptr) {
        TRY(start_service(edge, err));
        (void)snprintf(service, sizeof service, "127.0.0.1:%u", port_of(&edge->direct));
    } else {
        TRY(use_service(to, edge, err));
        (void)snprintf(service, sizeof service, "%s", to);
    }
    TRY(choose_ports(edge, err));
    TRY(write_config(folder, edge, service, err));
    return start_edge(edge, folder, err);
}

static void remove_files(const char *folder) {
    static const char *const NAMES[] = {CONFIG_NAME, CERTIFICATE_NAME, KEY_NAME};
    char path[LIMIT_PATH_BYTES];
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, NAMES[i]);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

status_t bench_start(const char *to, struct bench_edge *ret_edge, struct error *err) {
    char folder[] = "/tmp/airlock-proxy-bench-XXXXXX";
    *ret_edge = (struct bench_edge){.service = -1, .edge = -1};
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr) != 1 ||
        (ret_edge->context = SSL_CTX_new(TLS_client_method())) == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot prepare TLS");
    }
    SSL_CTX_set_verify(ret_edge->context, SSL_VERIFY_PEER, nullptr);
    if (mkdtemp(folder) == nullptr) {
        bench_stop(ret_edge);
        return failed("make a folder in /tmp", err);
    }
    status_t status = start_all(to, ret_edge, folder, err);
    /* The edge has read all of it. */
    remove_files(folder);
    if (!status_is_ok(status)) {
        bench_stop(ret_edge);
    }
    return status;
}

static void stop(pid_t *pid) {
    if (*pid > 0) {
        (void)kill(*pid, SIGKILL);
        (void)waitpid(*pid, nullptr, 0);
    }
    *pid = -1;
}

void bench_stop(struct bench_edge *edge) {
    stop(&edge->edge);
    stop(&edge->service);
    SSL_CTX_free(edge->context);
    edge->context = nullptr;
}
