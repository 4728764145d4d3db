/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams: the service behind the proxies, and its clients.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "proxy_load.h"

[[noreturn]] void load_serve_datagrams(const char *port) {
    struct sockaddr_in address = load_loopback(port), peer;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        load_fail("bind");
    }
    for (;;) {
        socklen_t size = sizeof peer;
        ssize_t got =
            recvfrom(fd, load_buffer, sizeof load_buffer, 0, (struct sockaddr *)&peer, &size);
        if (got >= 0) {
            (void)sendto(fd, load_buffer, (size_t)got, 0, (struct sockaddr *)&peer, size);
        }
    }
}

/* A window of datagrams; one that is lost is replaced when nothing came for a moment. */
void load_udp(const char *port, int window, double seconds, size_t size) {
    const struct timeval patience = {.tv_usec = 20000};
    struct sockaddr_in address = load_loopback(port);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        load_fail("connect");
    }
    double began = load_now_us(), until = began + seconds * 1e6, done = 0;
    int under_way = 0;
    while (load_now_us() < until) {
        for (; under_way < window; under_way++) {
            (void)send(fd, load_buffer, size, 0);
        }
        double at = load_now_us();
        ssize_t got = recv(fd, load_buffer, sizeof load_buffer, 0);
        under_way = got > 0 ? under_way - 1 : 0;
        done += got > 0;
        if (window == 1 && got > 0) {
            load_add_sample(load_now_us() - at);
        }
    }
    load_report("datagrams", done, (load_now_us() - began) / 1e6);
}

/* Each a client of its own, so many waiting at a time; the oldest is given up when it waits long.
 */
void load_churn(const char *port, int window, double seconds, size_t size) {
    const struct timeval patience = {.tv_usec = 20000};
    struct sockaddr_in address = load_loopback(port);
    int *open = calloc((size_t)window, sizeof *open);
    double began = load_now_us(), until = began + seconds * 1e6, done = 0, asked = 0;
    for (size_t turn = 0; open != nullptr && load_now_us() < until; turn++) {
        int *fd = &open[turn % (size_t)window];
        if (turn >= (size_t)window) {
            done += recv(*fd, load_buffer, sizeof load_buffer, 0) > 0;
            (void)close(*fd);
        }
        *fd = socket(AF_INET, SOCK_DGRAM, 0);
        (void)setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(*fd, (struct sockaddr *)&address, sizeof address) != 0) {
            load_fail("connect");
        }
        asked += send(*fd, load_buffer, size, 0) > 0;
    }
    (void)fprintf(stderr, "%.0f\n", asked - done - window);
    load_report("sessions", done, (load_now_us() - began) / 1e6);
}
