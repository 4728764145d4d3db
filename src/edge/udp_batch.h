/* SPDX-License-Identifier: Apache-2.0
 *
 * Datagrams by the batch: one recvmmsg(2) takes up to 32, one sendmmsg(2) sends them.
 */
#pragma once

#include <sys/socket.h>

#include "edge/session_table.h"

enum { UDP_BATCH = 32, UDP_DATAGRAM_BYTES = 65536 /* no UDP datagram is longer */ };

struct udp_batch {
    unsigned count;
    struct mmsghdr messages[UDP_BATCH];
    struct iovec parts[UDP_BATCH];
    struct sockaddr_storage names[UDP_BATCH];
    uint8_t data[UDP_BATCH][UDP_DATAGRAM_BYTES]; /* touched no further than datagrams reach */
};

/* Takes what has come, without waiting. False, with errno, when there is nothing. */
bool udp_batch_receive(struct udp_batch *batch, int fd);
struct slice udp_batch_datagram(const struct udp_batch *batch, unsigned index);
/* Who sent it: of IP, `listener` 0. */
struct session_key udp_batch_client(const struct udp_batch *batch, unsigned index);
bool udp_batch_is_cut(const struct udp_batch *batch, unsigned index);
/* Makes the datagram at `from` the one at `to`, before it or the same: to send some of a batch. */
void udp_batch_move(struct udp_batch *batch, unsigned from, unsigned to);
/* Addresses datagrams [first, first + count) that are sent next; without it they go back to where
 * each came from. `size` 0: the socket is connected. */
void udp_batch_address(struct udp_batch *batch, unsigned first, unsigned count,
                       const struct sockaddr_storage *name, socklen_t size);
/* Sends them as they were received. Returns how many the kernel took; errno says why not more. */
unsigned udp_batch_send(struct udp_batch *batch, int fd, unsigned first, unsigned count);
