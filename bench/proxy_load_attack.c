/* SPDX-License-Identifier: Apache-2.0
 *
 * Who keeps a proxy from its work, and the client who wants it done meanwhile.
 *
 * Attackers come from 127.0.7.1, a network of their own. None of them computes more than it has to:
 * a ClientHello is made once and sent over and over, and costs the server a whole handshake.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxy_load.h"

enum { HELLO_BYTES = 4096, HALF_OPEN = 2000, PACED_BYTES = 1024, PATIENCE_MS = 200 };

static uint8_t hello[HELLO_BYTES];
static size_t hello_size;

static void make_hello(SSL_CTX *context) {
    SSL *tls = SSL_new(context);
    BIO *out = BIO_new(BIO_s_mem());
    SSL_set_bio(tls, BIO_new(BIO_s_mem()), out);
    (void)SSL_set_tlsext_host_name(tls, "localhost");
    (void)SSL_connect(tls);
    hello_size = (size_t)BIO_read(out, hello, sizeof hello);
    SSL_free(tls);
}

/* -1: the proxy does not take it now. */
static int dial(const char *port, const char *source) {
    const int on = 1;
    const struct linger now = {.l_onoff = 1};
    const struct timeval patience = {.tv_sec = 2};
    struct sockaddr_in address = load_loopback(port), from = load_loopback("0");
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    from.sin_addr.s_addr = inet_addr(source);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (bind(fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* Waits until the server has done its part, or will not. */
static void say(int fd, size_t size) {
    struct pollfd one = {.fd = fd, .events = POLLIN};
    (void)send(fd, hello, size, MSG_NOSIGNAL);
    (void)poll(&one, 1, PATIENCE_MS);
}

void load_attack(const char *port, SSL_CTX *context, double seconds, const char *kind) {
    static int open[HALF_OPEN];
    bool is_half = strcmp(kind, "half-open") == 0, is_garbage = strcmp(kind, "garbage") == 0;
    double began = load_now_us(), until = began + seconds * 1e6, count = 0;
    make_hello(context);
    if (is_garbage) {
        memset(hello, 'x', hello_size);
    }
    memset(open, -1, sizeof open);
    for (size_t turn = 0; load_now_us() < until; turn++) {
        int fd = dial(port, "127.0.7.1");
        if (fd < 0) {
            (void)usleep(1000);
            continue;
        }
        count++;
        if (!is_half) {
            say(fd, hello_size);
            (void)close(fd);
            continue;
        }
        (void)send(fd, hello, hello_size / 2, MSG_NOSIGNAL);
        int *slot = &open[turn % HALF_OPEN];
        if (*slot >= 0) {
            (void)close(*slot);
        }
        *slot = fd;
    }
    load_report("attacks", count, (load_now_us() - began) / 1e6);
}

/* One byte or a request there and back. */
static bool exchange(SSL *tls, size_t size) {
    if (SSL_write(tls, load_buffer, (int)size) != (int)size) {
        return false;
    }
    for (size_t got = 0; got < size;) {
        int part = SSL_read(tls, load_buffer, (int)(size - got));
        if (part <= 0) {
            return false;
        }
        got += (size_t)part;
    }
    return true;
}

/* nullptr: refused. */
static SSL *shake(const char *port, SSL_CTX *context, int *ret_fd) {
    *ret_fd = dial(port, "127.0.0.1");
    SSL *tls = SSL_new(context);
    (void)SSL_set_fd(tls, *ret_fd);
    (void)SSL_set_tlsext_host_name(tls, "localhost");
    if (*ret_fd >= 0 && SSL_connect(tls) == 1) {
        return tls;
    }
    SSL_free(tls);
    (void)close(*ret_fd);
    return nullptr;
}

static bool connect_once(const char *port, SSL_CTX *context) {
    int fd = -1;
    SSL *tls = shake(port, context, &fd);
    if (tls == nullptr) {
        return false;
    }
    bool is_good = exchange(tls, 1);
    SSL_free(tls);
    (void)close(fd);
    return is_good;
}

void load_paced(const char *port, SSL_CTX *context, double seconds, double rate, bool connects) {
    int fd = -1;
    SSL *tls = connects ? nullptr : shake(port, context, &fd);
    if (!connects && tls == nullptr) {
        load_fail("handshake");
    }
    double began = load_now_us(), until = began + seconds * 1e6, due = began, done = 0, failed = 0;
    for (; due < until; due += 1e6 / rate) {
        double wait_us = due - load_now_us();
        if (wait_us > 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = (long)(wait_us * 1e3)}, nullptr);
        }
        double at = load_now_us();
        bool is_good = connects ? connect_once(port, context) : exchange(tls, PACED_BYTES);
        load_add_sample(load_now_us() - at);
        done += is_good;
        failed += !is_good;
    }
    (void)fprintf(stderr, "%.0f\n", failed);
    load_report("requests", done, (load_now_us() - began) / 1e6);
}
