/* SPDX-License-Identifier: Apache-2.0
 *
 * The client and the service that `make bench-proxy` measures proxies with. Prints one JSON object.
 *
 *   proxy_load echo PORT
 *       a service that sends back what it gets
 *   proxy_load source PORT
 *       a service that sends without end
 *   proxy_load relay PORT BACK
 *       the least that a proxy can be, towards the port BACK
 *   proxy_load seal PORT BACK CERT KEY
 *       the same with TLS towards the client, for one stream
 *   proxy_load handshakes PORT GROUP SECONDS
 *       connects, shakes hands, aborts; over and over
 *   proxy_load connections PORT GROUP SECONDS
 *       the same, with one byte there and back before the end
 *   proxy_load requests PORT GROUP CONNECTIONS SECONDS SIZE
 *       one request after the other on each
 *   proxy_load rate PORT GROUP CONNECTIONS SECONDS SIZE RATE
 *       as many a second as that, come what may
 *   proxy_load bulk PORT GROUP CONNECTIONS SECONDS
 *       reads what a source sends
 *   proxy_load idle PORT GROUP CONNECTIONS
 *       holds them until its standard input ends
 *   proxy_load alone CERT GROUP COUNT KEY
 *       libssl's own part of a server's handshake
 *   proxy_load datagrams PORT
 *       a service that sends datagrams back
 *   proxy_load udp PORT plain WINDOW SECONDS SIZE
 *       so many on their way at a time
 *   proxy_load churn PORT plain WINDOW SECONDS SIZE
 *       each datagram from a socket of its own
 *   proxy_load attack PORT GROUP SECONDS hellos|garbage|half-open
 *       keeps it from its work
 *   proxy_load paced-requests|paced-connections PORT GROUP SECONDS RATE
 *       so many a second, one after the other
 *
 * GROUP "plain": no TLS. All on 127.0.0.1, one thread. With a rate, the time of a request counts
 * from the moment it was due, so that a proxy that stops is not measured by what it let through.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proxy_load.h"

enum { SAMPLES_MAX = 4 << 20, BATCH = 256 };

uint8_t load_buffer[LOAD_BUFFER];
static float *samples; /* microseconds */
static size_t sample_count;

double load_now_us(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

[[noreturn]] void load_fail(const char *what) {
    (void)fprintf(stderr, "proxy_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

struct sockaddr_in load_loopback(const char *port) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)strtoul(port, nullptr, 10));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static int compare(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

void load_add_sample(double us) {
    if (sample_count < SAMPLES_MAX) {
        samples[sample_count++] = (float)us;
    }
}

static double percentile(double part) {
    return sample_count == 0 ? 0 : (double)samples[(size_t)((double)(sample_count - 1) * part)];
}

void load_report(const char *what, double count, double seconds) {
    qsort(samples, sample_count, sizeof *samples, compare);
    (void)printf("{\"%s\": %.0f, \"seconds\": %.3f, \"per_second\": %.1f, \"p50_us\": %.1f, "
                 "\"p99_us\": %.1f, \"p999_us\": %.1f, \"min_us\": %.1f}\n",
                 what, count, seconds, count / seconds, percentile(0.5), percentile(0.99),
                 percentile(0.999), percentile(0));
}

/* Clients */

SSL_CTX *load_make_context(const char *group) {
    if (strcmp(group, "plain") == 0) {
        return nullptr;
    }
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (SSL_CTX_set1_groups_list(context, group) != 1 ||
        SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) {
        load_fail("groups");
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr); /* its cost is not the proxy's */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

struct client {
    int fd;
    SSL *tls;
    size_t left; /* bytes of the answer */
    double due;  /* when its request was to be sent */
    bool is_busy;
};

static void client_connect(struct client *client, const char *port, SSL_CTX *context) {
    const int on = 1;
    const struct linger now = {.l_onoff = 1};
    struct sockaddr_in address = load_loopback(port);
    client->fd = socket(AF_INET, SOCK_STREAM, 0);
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    if (connect(client->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        load_fail("connect");
    }
    client->tls = nullptr;
    if (context != nullptr) {
        client->tls = SSL_new(context);
        (void)SSL_set_fd(client->tls, client->fd);
        (void)SSL_set_tlsext_host_name(client->tls, "localhost");
        if (SSL_connect(client->tls) != 1) {
            load_fail("handshake");
        }
    }
}

static void client_close(struct client *client) {
    SSL_free(client->tls);
    (void)close(client->fd);
}

static ssize_t client_read(struct client *client) {
    if (client->tls == nullptr) {
        return recv(client->fd, load_buffer, sizeof load_buffer, 0);
    }
    int size = SSL_read(client->tls, load_buffer, sizeof load_buffer);
    if (size > 0) {
        return size;
    }
    errno = SSL_get_error(client->tls, size) == SSL_ERROR_WANT_READ ? EAGAIN : ECONNRESET;
    return -1;
}

static void client_ask(struct client *client, size_t size, double due) {
    ssize_t sent = client->tls == nullptr ? send(client->fd, load_buffer, size, MSG_NOSIGNAL)
                                          : SSL_write(client->tls, load_buffer, (int)size);
    if (sent != (ssize_t)size) {
        load_fail("send");
    }
    client->left = size;
    client->due = due;
    client->is_busy = true;
}

/* Whether the answer is whole. */
static bool take_answer(struct client *client) {
    while (client->left > 0) {
        ssize_t size = client_read(client);
        if (size < 0 && errno == EAGAIN) {
            return false;
        }
        if (size <= 0) {
            load_fail("receive");
        }
        client->left -= (size_t)size < client->left ? (size_t)size : client->left;
    }
    client->is_busy = false;
    return true;
}

static void handshakes(const char *port, SSL_CTX *context, double seconds, bool asks) {
    double began = load_now_us(), until = began + seconds * 1e6, at = began;
    double count = 0;
    while (at < until) {
        struct client client;
        client_connect(&client, port, context);
        if (asks) {
            client_ask(&client, 1, at);
            (void)take_answer(&client);
        }
        client_close(&client);
        double after = load_now_us();
        load_add_sample(after - at);
        at = after;
        count++;
    }
    load_report("handshakes", count, (load_now_us() - began) / 1e6);
}

static struct client *open_clients(const char *port, SSL_CTX *context, int count, int epoll) {
    struct client *clients = calloc((size_t)count, sizeof *clients);
    for (int i = 0; i < count; i++) {
        client_connect(&clients[i], port, context);
        (void)fcntl(clients[i].fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &clients[i]};
        if (epoll >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, clients[i].fd, &event) != 0) {
            load_fail("epoll_ctl");
        }
    }
    return clients;
}

static void requests(int epoll, struct client *clients, int count, double seconds, size_t size) {
    struct epoll_event batch[BATCH];
    double began = load_now_us(), until = began + seconds * 1e6, done = 0;
    for (int i = 0; i < count; i++) {
        client_ask(&clients[i], size, load_now_us());
    }
    while (load_now_us() < until) {
        int ready = epoll_wait(epoll, batch, BATCH, 1000);
        for (int i = 0; i < ready; i++) {
            struct client *client = batch[i].data.ptr;
            if (take_answer(client)) {
                double at = load_now_us();
                load_add_sample(at - client->due);
                done++;
                client_ask(client, size, at);
            }
        }
    }
    load_report("requests", done, (load_now_us() - began) / 1e6);
}

static void rate(int epoll, struct client *clients, int count, const double *given, size_t size) {
    struct epoll_event batch[BATCH];
    double began = load_now_us(), until = began + given[0] * 1e6, step = 1e6 / given[1];
    double due = began, done = 0;
    while (load_now_us() < until) {
        for (int i = 0; i < count && due <= load_now_us(); i++) {
            if (!clients[i].is_busy) {
                client_ask(&clients[i], size, due);
                due += step;
            }
        }
        int ready = epoll_wait(epoll, batch, BATCH, 0);
        for (int i = 0; i < ready; i++) {
            struct client *client = batch[i].data.ptr;
            if (client->is_busy && take_answer(client)) {
                load_add_sample(load_now_us() - client->due);
                done++;
            }
        }
    }
    load_report("requests", done, (load_now_us() - began) / 1e6);
}

static void bulk(int epoll, double seconds) {
    struct epoll_event batch[BATCH];
    double began = load_now_us(), until = began + seconds * 1e6, bytes = 0;
    while (load_now_us() < until) {
        int ready = epoll_wait(epoll, batch, BATCH, 1000);
        for (int i = 0; i < ready; i++) {
            ssize_t size;
            while ((size = client_read(batch[i].data.ptr)) > 0) {
                bytes += (double)size;
            }
            if (errno != EAGAIN) {
                load_fail("receive");
            }
        }
    }
    load_report("bytes", bytes, (load_now_us() - began) / 1e6);
}

static void raise_files(void) {
    struct rlimit files;
    (void)getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

static double number(int argc, char **argv, int index) {
    return index < argc ? strtod(argv[index], nullptr) : 0;
}

static int run_client(int argc, char **argv) {
    const char *mode = argv[1], *port = argv[2];
    if (strcmp(mode, "churn") == 0) {
        load_churn(port, (int)number(argc, argv, 4), number(argc, argv, 5),
                   (size_t)number(argc, argv, 6));
        return 0;
    }
    if (strcmp(mode, "alone") == 0) {
        load_alone(argv[2], argv[3], (int)number(argc, argv, 4), argv[5]);
        return 0;
    }
    if (strcmp(mode, "udp") == 0) {
        load_udp(port, (int)number(argc, argv, 4), number(argc, argv, 5),
                 (size_t)number(argc, argv, 6));
        return 0;
    }
    SSL_CTX *context = load_make_context(argv[3]);
    if (strcmp(mode, "attack") == 0) {
        load_attack(port, context, number(argc, argv, 4), argv[5]);
        return 0;
    }
    if (strncmp(mode, "paced-", 6) == 0) {
        load_paced(port, context, number(argc, argv, 4), number(argc, argv, 5), mode[6] == 'c');
        return 0;
    }
    bool asks = strcmp(mode, "connections") == 0;
    if (asks || strcmp(mode, "handshakes") == 0) {
        handshakes(port, context, number(argc, argv, 4), asks);
        return 0;
    }
    int epoll = epoll_create1(0);
    int count = (int)number(argc, argv, 4);
    double given[2] = {number(argc, argv, 5), number(argc, argv, 7)};
    size_t size = (size_t)number(argc, argv, 6);
    struct client *clients = open_clients(port, context, count, epoll);
    if (strcmp(mode, "requests") == 0) {
        requests(epoll, clients, count, given[0], size);
    } else if (strcmp(mode, "rate") == 0) {
        rate(epoll, clients, count, given, size);
    } else if (strcmp(mode, "bulk") == 0) {
        bulk(epoll, given[0]);
    } else {
        (void)printf("{\"connections\": %d}\n", count);
        (void)fflush(stdout);
        (void)!read(0, load_buffer, 1);
    }
    return 0;
}

int main(int argc, char **argv) {
    (void)signal(SIGPIPE, SIG_IGN);
    raise_files();
    samples = malloc(SAMPLES_MAX * sizeof *samples);
    memset(load_buffer, 'x', sizeof load_buffer);
    if (argc == 3 && (strcmp(argv[1], "echo") == 0 || strcmp(argv[1], "source") == 0)) {
        load_serve(argv[2], argv[1][0] == 's');
    }
    if (argc == 4 && strcmp(argv[1], "relay") == 0) {
        load_relay(argv[2], argv[3]);
    }
    if (argc == 6 && strcmp(argv[1], "seal") == 0) {
        load_seal(argv[2], argv[3], argv[4], argv[5]);
    }
    if (argc == 3 && strcmp(argv[1], "datagrams") == 0) {
        load_serve_datagrams(argv[2]);
    }
    if (argc < 5 || samples == nullptr) {
        (void)fputs("usage: see the head of bench/proxy_load.c\n", stderr);
        return 2;
    }
    return run_client(argc, argv);
}
