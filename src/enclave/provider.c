/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/provider.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "enclave/quote.h"
#include "sys/fd.h"

enum { TYPE_BYTES_MAX = 64, ANSWER_S = 5 };

/* One connection for one quote: 64 bytes of report data there, the quote back, end. */
static status_t quote_ask(void *context, const uint8_t *report_data, struct builder *ret_quote,
                          struct error *err) {
    const struct provider_socket *socket_ = context;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    static_assert(sizeof address.sun_path == sizeof socket_->path);
    memcpy(address.sun_path, socket_->path, sizeof address.sun_path);
    const struct timeval patience = {.tv_sec = ANSWER_S};
    CLEANUP(fd_closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        return error_set(err, ERROR_ENCLAVE_QUOTE, errno, "cannot reach what makes quotes");
    }
    TRY(fd_write_all(fd, slice_of(report_data, EVIDENCE_REPORT_BYTES), "what makes quotes", err));
    return fd_read_to_end(fd, "what makes quotes", ret_quote, err);
}

static status_t type_read(const char *folder, struct builder *ret_type, struct error *err) {
    char path[EVIDENCE_PATH_BYTES + 32];
    (void)snprintf(path, sizeof path, "%s/attestation_type", folder);
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        builder_text(ret_type, "none");
        return STATUS_OK;
    }
    if (fd < 0) {
        return error_set(err, ERROR_ENCLAVE_QUOTE, errno, "cannot read %s", path);
    }
    return fd_read_to_end(fd, path, ret_type, err);
}

status_t provider_open(const char *folder, struct provider_socket *ret_socket,
                       struct evidence_provider *ret_provider, struct error *err) {
    CLEANUP(builder_deinit) struct builder type;
    struct provider_socket path = {};
    builder_init(&type, TYPE_BYTES_MAX);
    TRY(type_read(folder, &type, err));
    if (slice_equal(builder_slice(&type), SLICE_LITERAL("none"))) {
        *ret_provider = (struct evidence_provider){
            .type = EVIDENCE_TYPE_NONE,
            .clock = clock_system(),
        };
        return STATUS_OK;
    }
    int size = snprintf(path.path, sizeof path.path, "%s/" PROVIDER_SIMULATION, folder);
    if (!slice_equal(builder_slice(&type), SLICE_LITERAL(PROVIDER_SIMULATION)) || size < 0 ||
        (size_t)size >= sizeof path.path) {
        return error_set(err, ERROR_ENCLAVE_QUOTE, 0,
                         "%s names a kind of quote that this version does not make", folder);
    }
    *ret_socket = path;
    *ret_provider = (struct evidence_provider){
        .type = EVIDENCE_TYPE_SIMULATION,
        .quote = quote_ask,
        .context = ret_socket,
        .clock = clock_system(),
    };
    return STATUS_OK;
}
