/* SPDX-License-Identifier: Apache-2.0
 *
 * The services behind the proxies that are measured, and libssl alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxy_load.h"

enum { BATCH = 256, PARTNERS = 1024, SEAL_BYTES = 64 << 10 };

static int listen_at(const char *port) {
    const int on = 1;
    struct sockaddr_in address = load_loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 4096) != 0) {
        load_fail("listen");
    }
    return fd;
}

static void watch(int epoll, int fd, uint32_t events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        load_fail("epoll_ctl");
    }
}

static void serve_echo(int fd) {
    ssize_t size = recv(fd, load_buffer, sizeof load_buffer, 0);
    if (size <= 0) {
        (void)close(fd);
        return;
    }
    for (ssize_t sent = 0; sent < size;) {
        ssize_t part = send(fd, load_buffer + sent, (size_t)(size - sent), MSG_NOSIGNAL);
        if (part < 0 && errno != EAGAIN) {
            (void)close(fd);
            return;
        }
        sent += part > 0 ? part : 0;
    }
}

static void serve_source(int fd) {
    for (int i = 0; i < 8; i++) {
        ssize_t size = send(fd, load_buffer, sizeof load_buffer, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size < 0 && errno != EAGAIN) {
            (void)close(fd);
        }
        if (size < (ssize_t)sizeof load_buffer) {
            return;
        }
    }
}

[[noreturn]] void load_serve(const char *port, bool is_source) {
    const int on = 1;
    int listener = listen_at(port);
    int epoll = epoll_create1(0);
    struct epoll_event batch[BATCH];
    watch(epoll, listener, EPOLLIN);
    for (;;) {
        int count = epoll_wait(epoll, batch, BATCH, -1);
        for (int i = 0; i < count; i++) {
            int fd = batch[i].data.fd;
            if (fd != listener) {
                (is_source ? serve_source : serve_echo)(fd);
                continue;
            }
            int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
            if (client >= 0) {
                (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                watch(epoll, client, is_source ? EPOLLOUT : EPOLLIN);
            }
        }
    }
}

/* Where what comes from one goes; by descriptor. */
static int *partners;

static void relay_accept(int epoll, int listener, const char *back) {
    const int on = 1;
    struct sockaddr_in address = load_loopback(back);
    int client = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    int server = socket(AF_INET, SOCK_STREAM, 0);
    if (client < 0 || client >= PARTNERS || server < 0 || server >= PARTNERS ||
        connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
        load_fail("relay");
    }
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    partners[client] = server;
    partners[server] = client;
    watch(epoll, client, EPOLLIN);
    watch(epoll, server, EPOLLIN);
}

static void relay_pass(int fd) {
    ssize_t size = recv(fd, load_buffer, sizeof load_buffer, MSG_DONTWAIT);
    if (size > 0 || (size < 0 && errno == EAGAIN)) {
        (void)send(partners[fd], load_buffer, size > 0 ? (size_t)size : 0, MSG_NOSIGNAL);
        return;
    }
    (void)close(partners[fd]);
    (void)close(fd);
}

[[noreturn]] void load_relay(const char *port, const char *back) {
    int listener = listen_at(port);
    int epoll = epoll_create1(0);
    struct epoll_event batch[BATCH];
    partners = calloc(PARTNERS, sizeof *partners);
    if (partners == nullptr) {
        load_fail("memory");
    }
    watch(epoll, listener, EPOLLIN);
    for (;;) {
        /* One event at a time: the next may be about what this one closes. */
        int count = epoll_wait(epoll, batch, 1, -1);
        if (count == 1 && batch[0].data.fd == listener) {
            relay_accept(epoll, listener, back);
        } else if (count == 1) {
            relay_pass(batch[0].data.fd);
        }
    }
}

/* Both ends in memory; the server's processor time alone counts. */
static double step_server(SSL *server) {
    struct timespec before, after;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    (void)SSL_do_handshake(server);
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return (double)(after.tv_sec - before.tv_sec) * 1e6 +
           (double)(after.tv_nsec - before.tv_nsec) / 1e3;
}

/* A server's end after its handshake; owned by the caller. */
static SSL *shake_alone(SSL_CTX *server_context, SSL_CTX *client_context) {
    BIO *to_server = nullptr, *to_client = nullptr;
    SSL *server = SSL_new(server_context), *client = SSL_new(client_context);
    (void)BIO_new_bio_pair(&to_server, 1 << 16, &to_client, 1 << 16);
    SSL_set_bio(server, to_client, to_client);
    SSL_set_bio(client, to_server, to_server);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    double us = 0;
    while (SSL_in_init(server) || SSL_in_init(client)) {
        (void)SSL_do_handshake(client);
        us += step_server(server);
    }
    load_add_sample(us);
    SSL_free(client);
    return server;
}

/* The bytes that libssl keeps for a connection, without those of the pair in memory. */
static double memory_of(SSL_CTX *server_context, SSL_CTX *client_context) {
    enum { COUNT = 200 };
    SSL *held[COUNT];
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < COUNT; i++) {
        held[i] = shake_alone(server_context, client_context);
        SSL_set_bio(held[i], nullptr, nullptr);
    }
    double bytes = (double)(mallinfo2().uordblks - before) / COUNT;
    for (int i = 0; i < COUNT; i++) {
        SSL_free(held[i]);
    }
    return bytes;
}

static SSL_CTX *make_server(const char *certificate, const char *key) {
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_file(server, certificate, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(server, key, SSL_FILETYPE_PEM) != 1) {
        load_fail("certificate");
    }
    (void)SSL_CTX_set_num_tickets(server, 0);
    return server;
}

[[noreturn]] void load_seal(const char *port, const char *back, const char *certificate,
                            const char *key) {
    SSL_CTX *context = make_server(certificate, key);
    struct sockaddr_in address = load_loopback(back);
    int listener = listen_at(port);
    (void)fcntl(listener, F_SETFL, 0);
    for (;;) {
        int client = accept4(listener, nullptr, nullptr, 0);
        int server = socket(AF_INET, SOCK_STREAM, 0);
        if (client < 0 || server < 0 ||
            connect(server, (struct sockaddr *)&address, sizeof address) != 0) {
            load_fail("seal");
        }
        SSL *tls = SSL_new(context);
        (void)SSL_set_fd(tls, client);
        bool goes_on = SSL_accept(tls) == 1;
        while (goes_on) {
            ssize_t size = recv(server, load_buffer, SEAL_BYTES, 0);
            goes_on = size > 0 && SSL_write(tls, load_buffer, (int)size) == size;
        }
        SSL_free(tls);
        (void)close(client);
        (void)close(server);
    }
}

void load_alone(const char *certificate, const char *group, int count, const char *key) {
    SSL_CTX *server = make_server(certificate, key);
    if (SSL_CTX_set1_groups_list(server, group) != 1) {
        load_fail("group");
    }
    SSL_CTX *client = load_make_context(group);
    for (int i = 0; i < count; i++) {
        SSL_free(shake_alone(server, client));
    }
    (void)SSL_CTX_set_mode(server, SSL_MODE_RELEASE_BUFFERS);
    (void)fprintf(stderr, "%.0f\n", memory_of(server, client));
    load_report("handshakes", count, 1);
}
