/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock-proxy is two programs. By hand it is the network edge: edge/program.h. With --egress it
 * is the one way out of a sandbox that has one: airlock starts it for one run, with a socket as fd
 * 3, and tells it there what may be reached. It reads the two files that names are resolved by,
 * gives up everything but the network, and serves the socket that listens inside the sandbox's
 * network namespace, which has no route. It ends with the run, or with airlock.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "edge/program.h"
#include "proxy/confine.h"
#include "proxy/server.h"
#include "sys/fd.h"
#include "sys/socket.h"

static status_t receive_config(uint8_t *message, struct egress_config *ret_config,
                               struct error *err) {
    size_t size = 0;
    TRY(socket_receive(EGRESS_FD_SOCKET, message, LIMIT_EGRESS_MESSAGE_BYTES, &size, nullptr, err));
    return egress_config_decode(slice_of(message, size), ret_config)
               ? STATUS_OK
               : error_set(err, ERROR_JAIL_PROTOCOL, 0, "airlock sent no configuration");
}

/* What needs files comes before the confinement. */
static status_t prepare(struct egress *egress, struct builder *hosts, struct error *err) {
    TRY(resolve_read_hosts(hosts, err));
    TRY(loop_new(&egress->loop, err));
    TRY(resolver_new(egress->loop, builder_slice(hosts), &egress->resolver, err));
    TRY(tls_prepare(&egress->config, &egress->tls, err));
    return confine(&egress->config, err);
}

static bool answer(const struct egress_ready *ready) {
    CLEANUP(builder_deinit) struct builder message;
    struct error ignored;
    builder_init(&message, LIMIT_EGRESS_MESSAGE_BYTES);
    egress_ready_encode(ready, &message);
    return builder_is_ok(&message) &&
           status_is_ok(socket_send(EGRESS_FD_SOCKET, builder_slice(&message), nullptr, &ignored));
}

static int run_egress(void) {
    static uint8_t message[LIMIT_EGRESS_MESSAGE_BYTES];
    static struct egress egress;
    struct builder hosts = {};
    struct error err = {};
    if (!status_is_ok(receive_config(message, &egress.config, &err))) {
        return 1;
    }
    bool is_ready = status_is_ok(prepare(&egress, &hosts, &err));
    if (answer(&(struct egress_ready){is_ready, err.message, builder_slice(&egress.tls.ca)}) &&
        is_ready) {
        egress_serve(&egress);
    }
    explicit_bzero(message, sizeof message);
    return is_ready ? 0 : 1;
}

int main(int argc, char **argv, char **environment) {
    struct stat socket;
    if (argc < 2 || strcmp(argv[1], "--egress") != 0) {
        return edge_program(argc, argv, environment);
    }
    if (argc != 2 || fstat(EGRESS_FD_SOCKET, &socket) != 0 || !S_ISSOCK(socket.st_mode)) {
        (void)fputs("airlock-proxy --egress is started by airlock, not by hand\n", stderr);
        return 2;
    }
    /* libcrypto compares times with mktime(3), which looks for the time zone's file unless a zone
     * is known. */
    if (setenv("TZ", "UTC0", 1) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return 1;
    }
    tzset();
    return run_egress();
}
