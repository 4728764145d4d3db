/* SPDX-License-Identifier: Apache-2.0
 *
 * What is written about a session when it is over.
 */
#include "edge/access_log.h"
#include "edge/udp_internal.h"

void udp_log_session(const struct udp *udp, const struct session *session) {
    const struct udp_session *one = session->owner;
    const struct session_record record = {
        .listener = udp->options.listener->name,
        .client = (const struct sockaddr *)&one->client,
        .upstream = udp->options.config->upstreams[udp->upstream].name,
        .server = (const struct sockaddr *)&one->choice.address,
        .total_us = io_now_us(udp->options.io) - one->began_us,
        .datagrams_in = session->datagrams_in,
        .datagrams_out = session->datagrams_out,
        .bytes_in = session->bytes_in,
        .bytes_out = session->bytes_out,
        .end = udp->why,
    };
    if (udp->options.log != nullptr) {
        session_log(udp->options.log, &record);
    }
}
