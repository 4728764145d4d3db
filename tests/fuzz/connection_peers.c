/* SPDX-License-Identifier: Apache-2.0 */
#include "connection_peers.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "edge/proxy_protocol.h"

enum { PIECE_BYTES = 16384 };

static const char *const GROUPS[] = {
    "X25519MLKEM768:X25519",
    "X25519:secp256r1",       /* classical */
    "*X25519:X25519MLKEM768", /* has to be asked for the other one */
    "SecP256r1MLKEM768",
};

static void is_true(int result) {
    ASSERT(result == 1);
}

static SSL *speak(SSL_CTX *context) {
    SSL *tls = SSL_new(context);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());
    ASSERT(tls != nullptr && in != nullptr && out != nullptr);
    SSL_set_bio(tls, in, out);
    return tls;
}

void peer_speak_as_client(struct peer *peer, unsigned groups, bool asks_for_evidence) {
    static const uint8_t EVIDENCE[] = "\x10"
                                      "airlock-attest/1";
    struct stage *stage = (struct stage *)((uint8_t *)peer - offsetof(struct stage, client));
    if (!stage_speaks_tls(stage)) {
        return;
    }
    peer->tls = speak(stage->as_client);
    is_true(SSL_set1_groups_list(peer->tls, GROUPS[groups]));
    if (asks_for_evidence) {
        int failed = SSL_set_alpn_protos(peer->tls, EVIDENCE, sizeof EVIDENCE - 1);
        ASSERT(failed == 0);
        stage->is_asked_itself = stage->doors[stage->door].listener->config->tls.attest;
    }
    SSL_set_connect_state(peer->tls);
    peer->is_opaque = false;
    peer_pump(peer);
}

static void hear(struct peer *peer, struct slice bytes) {
    if (!peer->is_opaque) {
        ASSERT(bytes.size <= sizeof peer->heard - peer->heard_size);
        memcpy(peer->heard + peer->heard_size, bytes.data, bytes.size);
        peer->heard_size += bytes.size;
    }
}

/* What the edge sends has to be TLS as long as what it was sent is. */
static void check_failure(const struct peer *peer, int result) {
    unsigned long error = ERR_peek_error();
    int kind = SSL_get_error(peer->tls, result);
    bool is_alert = ERR_GET_REASON(error) >= SSL_AD_REASON_OFFSET;
    ASSERT(kind != SSL_ERROR_SSL || is_alert || peer->is_changed);
}

static void send_pending(struct peer *peer) {
    uint8_t piece[PIECE_BYTES];
    size_t size = 0;
    while (BIO_read_ex(SSL_get_wbio(peer->tls), piece, sizeof piece, &size) == 1) {
        memory_put(peer->end, slice_of(piece, size));
    }
}

void peer_pump(struct peer *peer) {
    uint8_t piece[PIECE_BYTES];
    if (peer->tls == nullptr) {
        return;
    }
    for (int result = 1; result == 1;) {
        size_t size = 0;
        ERR_clear_error();
        result = SSL_is_init_finished(peer->tls)
                     ? SSL_read_ex(peer->tls, piece, sizeof piece, &size)
                     : SSL_do_handshake(peer->tls);
        hear(peer, slice_of(piece, size));
        check_failure(peer, result);
    }
    send_pending(peer);
}

/* Bytes that are nowhere the same: what was lost, doubled or moved is seen. */
static void fill(uint8_t *bytes, size_t from, size_t size) {
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)((from + i) * 2654435761u >> 13);
    }
}

void peer_say(struct peer *peer, size_t size) {
    size_t room = PEER_SAYS_BYTES - peer->said_size;
    size_t written = 0;
    size = size < room ? size : room;
    if (peer->end->has_end || size == 0) {
        return;
    }
    uint8_t *bytes = peer->said + peer->said_size;
    fill(bytes, peer->said_size, size);
    if (peer->tls == nullptr) {
        memory_put(peer->end, slice_of(bytes, size));
        peer->said_size += size;
    } else if (SSL_is_init_finished(peer->tls)) {
        ERR_clear_error();
        peer->said_size += SSL_write_ex(peer->tls, bytes, size, &written) == 1 ? written : 0;
        send_pending(peer);
    }
}

void peer_shut(struct peer *peer) {
    if (peer->tls != nullptr && SSL_is_init_finished(peer->tls) && !peer->end->has_end) {
        ERR_clear_error();
        (void)SSL_shutdown(peer->tls);
        send_pending(peer);
    }
}

void peer_new_keys(struct peer *peer, bool asks_for_others) {
    if (peer->tls != nullptr && SSL_is_init_finished(peer->tls) && !peer->end->has_end) {
        ERR_clear_error();
        (void)SSL_key_update(peer->tls, asks_for_others ? SSL_KEY_UPDATE_REQUESTED
                                                        : SSL_KEY_UPDATE_NOT_REQUESTED);
        (void)SSL_do_handshake(peer->tls);
        send_pending(peer);
    }
}

/* The header that stands before everything; what is behind it. */
static struct slice take_header(struct peer *peer, struct slice bytes) {
    struct proxy_header header;
    size_t before = peer->head_size;
    size_t size = sizeof peer->head - before;
    size = bytes.size < size ? bytes.size : size;
    memcpy(peer->head + before, bytes.data, size);
    peer->head_size += size;
    enum proxy_protocol_result result =
        proxy_protocol_decode(slice_of(peer->head, peer->head_size), &header, &peer->header_size);
    ASSERT(result != PROXY_PROTOCOL_MALFORMED);
    if (result == PROXY_PROTOCOL_MORE) {
        ASSERT(peer->head_size < sizeof peer->head);
        return (struct slice){};
    }
    peer->has_header_to_come = false;
    size = peer->header_size - before;
    return slice_of(bytes.data + size, bytes.size - size);
}

void peer_hear(struct peer *peer, struct slice bytes) {
    if (peer->has_header_to_come) {
        bytes = take_header(peer, bytes);
    }
    if (peer->tls == nullptr) {
        hear(peer, bytes);
    } else if (bytes.size > 0) {
        int written = BIO_write(SSL_get_rbio(peer->tls), bytes.data, (int)bytes.size);
        ASSERT(written == (int)bytes.size);
    }
}

void peer_speak_as_server(struct peer *peer, SSL_CTX *context) {
    peer->is_opaque = true;
    if (!peer->is_raw) {
        peer->tls = speak(context);
        peer->is_opaque = false;
        SSL_set_accept_state(peer->tls);
    }
}

void peer_clear(struct peer *peer) {
    SSL_free(peer->tls);
    peer->tls = nullptr;
    peer->has_header_to_come = peer->is_opaque = peer->is_changed = false;
    peer->header_size = peer->said_size = peer->heard_size = peer->head_size = 0;
}
