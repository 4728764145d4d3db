/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/udp_batch.h"

#include <netinet/in.h>
#include <string.h>

#include "base/assert.h"

bool udp_batch_receive(struct udp_batch *batch, int fd) {
    for (unsigned i = 0; i < UDP_BATCH; i++) {
        batch->parts[i] = (struct iovec){batch->data[i], UDP_DATAGRAM_BYTES};
        batch->messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &batch->names[i],
                                                          .msg_namelen = sizeof batch->names[i],
                                                          .msg_iov = &batch->parts[i],
                                                          .msg_iovlen = 1}};
    }
    int count = recvmmsg(fd, batch->messages, UDP_BATCH, MSG_DONTWAIT, nullptr);
    batch->count = count > 0 ? (unsigned)count : 0;
    for (unsigned i = 0; i < batch->count; i++) {
        batch->parts[i].iov_len = batch->messages[i].msg_len;
    }
    return count > 0;
}

struct slice udp_batch_datagram(const struct udp_batch *batch, unsigned index) {
    ASSERT(index < batch->count);
    return slice_of(batch->parts[index].iov_base, batch->parts[index].iov_len);
}

bool udp_batch_is_cut(const struct udp_batch *batch, unsigned index) {
    ASSERT(index < batch->count);
    return (batch->messages[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}

struct session_key udp_batch_client(const struct udp_batch *batch, unsigned index) {
    const struct sockaddr_storage *client = &batch->names[index];
    struct session_key key = {};
    if (client->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)client;
        key.address[10] = key.address[11] = 0xff;
        memcpy(key.address + 12, &v4->sin_addr, sizeof v4->sin_addr);
        key.port = v4->sin_port;
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)client;
        memcpy(key.address, &v6->sin6_addr, sizeof v6->sin6_addr);
        key.port = v6->sin6_port;
        key.scope = v6->sin6_scope_id;
    }
    return key;
}

void udp_batch_move(struct udp_batch *batch, unsigned from, unsigned to) {
    ASSERT(to <= from && from < batch->count);
    batch->parts[to] = batch->parts[from]; /* its bytes stay where they are */
}

void udp_batch_address(struct udp_batch *batch, unsigned first, unsigned count,
                       const struct sockaddr_storage *name, socklen_t size) {
    ASSERT(first <= batch->count && count <= batch->count - first);
    for (unsigned i = first; i < first + count; i++) {
        struct msghdr *message = &batch->messages[i].msg_hdr;
        message->msg_name = size == 0 ? nullptr : (void *)(uintptr_t)name; /* only read */
        message->msg_namelen = size;
    }
}

unsigned udp_batch_send(struct udp_batch *batch, int fd, unsigned first, unsigned count) {
    ASSERT(first <= batch->count && count <= batch->count - first);
    unsigned sent = 0;
    while (sent < count) {
        int done =
            sendmmsg(fd, batch->messages + first + sent, count - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done <= 0) {
            break;
        }
        sent += (unsigned)done;
    }
    return sent;
}
