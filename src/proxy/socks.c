/* SPDX-License-Identifier: Apache-2.0
 *
 * SOCKS version 5 (RFC 1928): no authentication, CONNECT only, names and addresses.
 */
#include <string.h>

#include "base/cleanup.h"
#include "proxy/session.h"

enum { VERSION = 5, METHOD_NONE = 0, METHOD_UNACCEPTABLE = 0xff, COMMAND_CONNECT = 1 };
enum { ADDRESS_IPV4 = 1, ADDRESS_NAME = 3, ADDRESS_IPV6 = 4 };

void socks_reply(struct session *session, uint8_t code) {
    /* The bound address says nothing to a client, so it is all zeros. */
    const uint8_t reply[] = {VERSION, code, 0, ADDRESS_IPV4, 0, 0, 0, 0, 0, 0};
    (void)queue_put(&session->out, slice_of(reply, sizeof reply));
}

static void refuse(struct session *session, uint8_t code) {
    socks_reply(session, code);
    session->state = SESSION_FAREWELL;
    session->changed = true;
}

/* True when the greeting was whole. */
static bool greet(struct session *session) {
    struct slice bytes = queue_slice(&session->in);
    if (bytes.size < 2 || bytes.size < (size_t)2 + bytes.data[1]) {
        return false;
    }
    bool offers = memchr(bytes.data + 2, METHOD_NONE, bytes.data[1]) != nullptr;
    const uint8_t answer[] = {VERSION, offers ? METHOD_NONE : METHOD_UNACCEPTABLE};
    (void)queue_put(&session->out, slice_of(answer, sizeof answer));
    queue_drop(&session->in, (size_t)2 + bytes.data[1]);
    session->socks_greeted = offers;
    if (!offers) {
        session->state = SESSION_FAREWELL;
        session->changed = true;
    }
    return offers;
}

/* How long the address is, with its length byte; 0: unknown kind. */
static size_t address_size(struct slice bytes) {
    switch (bytes.data[3]) {
    case ADDRESS_IPV4:
        return 4;
    case ADDRESS_IPV6:
        return 16;
    case ADDRESS_NAME:
        return (size_t)1 + bytes.data[4];
    default:
        return 0;
    }
}

static const char *read_host(struct slice bytes, size_t size, struct host *ret_host) {
    if (bytes.data[3] == ADDRESS_NAME) {
        return host_parse(slice_of(bytes.data + 5, size - 1), false, ret_host);
    }
    struct host_address address = {.size = (uint8_t)size};
    memcpy(address.bytes, bytes.data + 4, size);
    *ret_host = host_of_address(&address);
    return nullptr;
}

/* An address may be written as a name too (socks5h clients do); it is judged as the address. */
static void request(struct session *session) {
    struct slice bytes = queue_slice(&session->in);
    if (bytes.size < 5) {
        return;
    }
    if (bytes.data[0] != VERSION || bytes.data[2] != 0) {
        refuse(session, SOCKS_FAILED);
        return;
    }
    size_t size = address_size(bytes);
    if (size == 0) {
        refuse(session, SOCKS_ADDRESS);
        return;
    }
    if (bytes.size < 4 + size + 2) {
        return;
    }
    if (bytes.data[1] != COMMAND_CONNECT) {
        refuse(session, SOCKS_COMMAND);
        return;
    }
    uint16_t port = (uint16_t)(bytes.data[4 + size] << 8 | bytes.data[4 + size + 1]);
    struct host host;
    const char *wrong = read_host(bytes, size, &host);
    if (wrong == nullptr && port != 0) {
        queue_drop(&session->in, 4 + size + 2);
        wrong = session_judge_tunnel(session, &host, port);
        if (wrong != nullptr) {
            session_deny(session, host.text, port, wrong);
        } else {
            session_dial(session, &host, port);
        }
        return;
    }
    struct builder shown;
    builder_init(&shown, HOST_TEXT_BYTES + 2);
    if (wrong != nullptr) {
        builder_bytes(&shown, slice_of(bytes.data + 5, size - 1));
    }
    session_deny(session, builder_c_string(&shown), port, wrong != nullptr ? wrong : "port 0");
    builder_deinit(&shown);
}

void socks_drive(struct session *session) {
    if (!session_read(session)) {
        session->state = SESSION_OVER;
        return;
    }
    if (session->socks_greeted || greet(session)) {
        request(session);
    }
    if (session->state == SESSION_SOCKS &&
        (session->client_ended || stream_write(&session->client, &session->out) == STREAM_BROKEN)) {
        session->state = SESSION_OVER;
    }
}
