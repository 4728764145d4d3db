/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock proxy health -c FILE: asks the proxy that serves this configuration, at the address where
 * it has its metrics. For supervisors that look at an exit status.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "edge/config.h"
#include "edge/program_verbs.h"
#include "sys/fd.h"

enum { ANSWER_BYTES_MAX = 1 << 20, PATIENCE_S = 3 };

static status_t ask(const struct edge_bind *bind, struct builder *ret_answer, struct error *err) {
    static const char REQUEST[] =
        "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    CLEANUP(fd_closep)
    int fd = socket(bind->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) != 0 ||
        connect(fd, (const struct sockaddr *)&bind->address, bind->size) != 0) {
        (void)error_set(err, ERROR_IO, errno, "the proxy does not answer at %.200s", bind->text);
        error_hint(err, "See whether it runs, and whether it was started with this configuration.");
        return (status_t){(int)err->code};
    }
    TRY(fd_write_all(fd, slice_of_string(REQUEST), bind->text, err));
    return fd_read_to_end(fd, bind->text, ret_answer, err);
}

status_t program_health(const struct program_call *call, int *ret_exit, struct error *err) {
    static const char GOOD[] = "HTTP/1.1 200 ";
    CLEANUP(edge_config_freep) struct edge_config *config = nullptr;
    struct builder answer;
    if (call->file == nullptr) {
        return program_usage(err, "health needs the configuration: -c FILE");
    }
    TRY(edge_config_load(call->file, &config, err));
    if (!config->has_metrics) {
        (void)error_set(err, ERROR_PROXY_CONFIG, 0, "the configuration serves no /health");
        error_hint(err, "Add to it: metrics: {bind: \"tcp://127.0.0.1:9443\"}");
        return (status_t){ERROR_PROXY_CONFIG};
    }
    builder_init(&answer, ANSWER_BYTES_MAX);
    status_t status = ask(&config->metrics, &answer, err);
    if (status_is_ok(status)) {
        const char *text = builder_c_string(&answer);
        const char *body = strstr(text, "\r\n\r\n");
        (void)printf("%s", body != nullptr ? body + 4 : ""); /* JSON, and its line end */
        *ret_exit = strncmp(text, GOOD, sizeof GOOD - 1) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    builder_deinit(&answer);
    return status;
}
