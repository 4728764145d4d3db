/* SPDX-License-Identifier: Apache-2.0
 *
 * What a ClientHello offers, and what comes of it: libssl calls here once it has read one, before
 * it does anything for it.
 */
#include <openssl/ssl.h>
#include <openssl/tls1.h>
#include <stdio.h>
#include <string.h>

#include "crypto/hash.h"
#include "edge/tls_internal.h"
#include "enclave/evidence.h"

enum { VERSION_1_3 = 0x0304, HOST_NAME = 0 };

static struct slice extension(SSL *tls, unsigned type) {
    const unsigned char *data = nullptr;
    size_t size = 0;
    return SSL_client_hello_get0_ext(tls, type, &data, &size) == 1 ? slice_of(data, size)
                                                                   : (struct slice){};
}

/* False: not one list of groups, with at least one in it. */
static bool read_offers(struct slice groups, uint32_t *ret_offers) {
    struct cursor cursor = cursor_of(groups);
    uint32_t offers = 0;
    uint16_t size = cursor_u16_be(&cursor);
    bool is_list = cursor_is_ok(&cursor) && size == cursor_remaining(&cursor) && size % 2 == 0;
    while (is_list && cursor_remaining(&cursor) > 0) {
        offers |= 1u << edge_group_of_code(cursor_u16_be(&cursor));
    }
    *ret_offers = offers;
    return offers != 0;
}

static bool knows_1_3(struct slice versions) {
    struct cursor cursor = cursor_of(versions);
    (void)cursor_u8(&cursor);
    while (cursor_remaining(&cursor) >= 2) {
        if (cursor_u16_be(&cursor) == VERSION_1_3) {
            return true;
        }
    }
    return false;
}

/* Bytes that are no name of a host stand for none, as libssl does not judge them. */
static void read_name(struct slice names, char ret_name[static HOST_TEXT_BYTES]) {
    struct cursor cursor = cursor_of(names);
    struct host host;
    (void)cursor_u16_be(&cursor);
    uint8_t type = cursor_u8(&cursor);
    struct slice name = cursor_bytes(&cursor, cursor_u16_be(&cursor));
    bool is_name = cursor_is_ok(&cursor) && type == HOST_NAME &&
                   host_parse(name, false, &host) == nullptr && !host.is_address;
    (void)snprintf(ret_name, HOST_TEXT_BYTES, "%s", is_name ? host.text : "");
}

static struct slice alpn_list(struct slice extension) {
    struct cursor cursor = cursor_of(extension);
    return cursor_bytes(&cursor, cursor_u16_be(&cursor));
}

bool tls_alpn_has(struct slice list, struct slice protocol) {
    struct cursor cursor = cursor_of(list);
    while (cursor_remaining(&cursor) > 0) {
        struct slice one = cursor_bytes(&cursor, cursor_u8(&cursor));
        if (!cursor_is_ok(&cursor)) {
            return false;
        }
        if (slice_equal(one, protocol)) {
            return true;
        }
    }
    return false;
}

static bool name_fits(const char *pattern, const char *name) {
    if (pattern[0] == '\0') {
        return true;
    }
    if (strncmp(pattern, "*.", 2) != 0) {
        return strcmp(pattern, name) == 0;
    }
    const char *dot = strchr(name, '.');
    return dot != nullptr && dot != name && strcmp(pattern + 1, dot) == 0;
}

bool edge_route_find(const struct edge_listener *listener, const char *sni, struct slice alpn,
                     uint32_t *ret_route) {
    for (uint32_t i = 0; i < listener->route_count; i++) {
        const struct edge_route *route = &listener->routes[i];
        if (name_fits(route->sni, sni) &&
            (route->alpn[0] == '\0' || tls_alpn_has(alpn, slice_of_string(route->alpn)))) {
            *ret_route = i;
            return true;
        }
    }
    return false;
}

static bool upstream_speaks(const struct edge_upstream *upstream, const char *protocol) {
    for (uint32_t i = 0; i < upstream->alpn_count; i++) {
        if (strcmp(upstream->alpn[i], protocol) == 0) {
            return true;
        }
    }
    return false;
}

static void choose(struct tls_peer *peer, const char *protocol) {
    peer->alpn_size = (uint8_t)strlen(protocol);
    memcpy(peer->alpn, protocol, peer->alpn_size);
}

/* What the route says, else the first of ours that client and upstream speak. False: the client
 * wants one, and there is none. */
static bool choose_protocol(struct tls_peer *peer, struct slice offered) {
    const struct tls_server *server = peer->server;
    const struct edge_listener *listener = server->listener;
    const struct edge_route *route =
        listener->mode == EDGE_ECHO ? nullptr : &listener->routes[peer->route];
    if (offered.size == 0 || listener->alpn_count == 0) {
        return true;
    }
    for (uint32_t i = 0; i < listener->alpn_count; i++) {
        const char *protocol = listener->alpn[i];
        bool is_meant =
            route == nullptr || route->alpn[0] == '\0' || strcmp(route->alpn, protocol) == 0;
        bool is_spoken = route == nullptr ||
                         upstream_speaks(&server->config->upstreams[route->upstream], protocol);
        if (is_meant && is_spoken && tls_alpn_has(offered, slice_of_string(protocol))) {
            choose(peer, protocol);
            return true;
        }
    }
    return false;
}

static int refuse(struct tls_peer *peer, enum edge_refusal refusal, int *ret_alert, int alert) {
    peer->is_refused = true;
    peer->refusal = refusal;
    *ret_alert = alert;
    return SSL_CLIENT_HELLO_ERROR;
}

static int route(struct tls_peer *peer, struct slice alpn, int *ret_alert) {
    const struct edge_listener *listener = peer->server->listener;
    if (listener->tls.attest && tls_alpn_has(alpn, SLICE_LITERAL(EVIDENCE_ALPN))) {
        peer->is_attestation = true;
        choose(peer, EVIDENCE_ALPN);
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    if (listener->mode != EDGE_ECHO && !edge_route_find(listener, peer->sni, alpn, &peer->route)) {
        return refuse(peer, EDGE_REFUSED_ROUTE, ret_alert, SSL_AD_UNRECOGNIZED_NAME);
    }
    return choose_protocol(peer, alpn)
               ? SSL_CLIENT_HELLO_SUCCESS
               : refuse(peer, EDGE_REFUSED_ALPN, ret_alert, SSL_AD_NO_APPLICATION_PROTOCOL);
}

static int judge_groups(struct tls_peer *peer, struct slice groups, int *ret_alert) {
    enum edge_pq pq = peer->server->listener->pq;
    const int alert = SSL_AD_HANDSHAKE_FAILURE;
    if (groups.data == nullptr) {
        /* RFC 8446, section 9.2, wants missing_extension, which libssl does not know as early as
         * here; it refuses whoever offers no group, and has none but those of `pq`. */
        peer->complaint = "no supported_groups";
        return SSL_CLIENT_HELLO_SUCCESS;
    }
    if (!read_offers(groups, &peer->offers)) {
        peer->complaint = "malformed supported_groups";
        *ret_alert = SSL_AD_DECODE_ERROR;
        return SSL_CLIENT_HELLO_ERROR;
    }
    if (pq == EDGE_PQ_REQUIRE && (peer->offers & TLS_POST_QUANTUM) == 0) {
        return refuse(peer, EDGE_REFUSED_CLASSICAL, ret_alert, alert);
    }
    if (pq == EDGE_PQ_OFF && (peer->offers & TLS_CLASSICAL) == 0) {
        return refuse(peer, EDGE_REFUSED_GROUP, ret_alert, alert);
    }
    if ((peer->offers & (TLS_POST_QUANTUM | TLS_CLASSICAL)) == 0) {
        return refuse(peer, EDGE_REFUSED_GROUP, ret_alert, alert);
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

static void hash_list(struct sha256 *hash, struct slice list) {
    uint64_t size = list.size;
    sha256_update(hash, slice_of(&size, sizeof size));
    sha256_update(hash, list);
}

/* What has to be in a second ClientHello as it was in the first: RFC 8446, section 4.1.2. */
static void hash_hello(SSL *tls, struct digest *ret_digest) {
    static const uint16_t EXTENSIONS[] = {
        TLSEXT_TYPE_server_name,
        TLSEXT_TYPE_max_fragment_length,
        TLSEXT_TYPE_supported_groups,
        TLSEXT_TYPE_signature_algorithms,
        TLSEXT_TYPE_application_layer_protocol_negotiation,
        TLSEXT_TYPE_supported_versions,
        TLSEXT_TYPE_psk_kex_modes,
        TLSEXT_TYPE_signature_algorithms_cert,
    };
    const unsigned char *data = nullptr;
    struct sha256 hash;
    sha256_init(&hash);
    uint32_t version = SSL_client_hello_get0_legacy_version(tls);
    sha256_update(&hash, slice_of(&version, sizeof version));
    size_t size = SSL_client_hello_get0_random(tls, &data);
    hash_list(&hash, slice_of(data, size));
    size = SSL_client_hello_get0_session_id(tls, &data);
    hash_list(&hash, slice_of(data, size));
    size = SSL_client_hello_get0_ciphers(tls, &data);
    hash_list(&hash, slice_of(data, size));
    for (size_t i = 0; i < sizeof EXTENSIONS / sizeof EXTENSIONS[0]; i++) {
        struct slice one = extension(tls, EXTENSIONS[i]);
        bool is_there = one.data != nullptr;
        sha256_update(&hash, slice_of(&is_there, sizeof is_there));
        hash_list(&hash, one);
    }
    sha256_final(&hash, ret_digest);
}

/* Libssl looks only at the suite that was chosen. Of the rest we have answered some already: the
 * route, the protocol, whether a group is offered that `pq` wants. */
static int judge_second(struct tls_peer *peer, const struct digest *digest, int *ret_alert) {
    if (memcmp(peer->hello.bytes, digest->bytes, sizeof digest->bytes) != 0) {
        peer->complaint = "a second ClientHello that is not the first one";
        *ret_alert = SSL_AD_ILLEGAL_PARAMETER;
        return SSL_CLIENT_HELLO_ERROR;
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

int tls_on_hello(SSL *tls, int *ret_alert, void *unused) {
    struct tls_peer *peer = SSL_get_app_data(tls);
    (void)unused;
    struct digest digest;
    hash_hello(tls, &digest);
    peer->hellos++;
    if (peer->hellos > 1) {
        return judge_second(peer, &digest, ret_alert);
    }
    peer->hello = digest;
    struct slice groups = extension(tls, TLSEXT_TYPE_supported_groups);
    read_name(extension(tls, TLSEXT_TYPE_server_name), peer->sni);
    if (!knows_1_3(extension(tls, TLSEXT_TYPE_supported_versions))) {
        (void)read_offers(groups, &peer->offers);
        return refuse(peer, EDGE_REFUSED_VERSION, ret_alert, SSL_AD_PROTOCOL_VERSION);
    }
    int judged = judge_groups(peer, groups, ret_alert);
    if (judged != SSL_CLIENT_HELLO_SUCCESS) {
        return judged;
    }
    return route(peer,
                 alpn_list(extension(tls, TLSEXT_TYPE_application_layer_protocol_negotiation)),
                 ret_alert);
}

int tls_on_alpn(SSL *tls, const unsigned char **ret_protocol, unsigned char *ret_size,
                const unsigned char *offered, unsigned offered_size, void *unused) {
    struct tls_peer *peer = SSL_get_app_data(tls);
    (void)offered;
    (void)offered_size;
    (void)unused;
    if (peer->alpn_size == 0) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *ret_protocol = peer->alpn;
    *ret_size = peer->alpn_size;
    return SSL_TLSEXT_ERR_OK;
}

enum edge_fallback tls_fallback(const struct tls_peer *peer) {
    if (peer->server->listener->pq == EDGE_PQ_OFF) {
        return EDGE_FALLBACK_OFF;
    }
    return (peer->offers & TLS_POST_QUANTUM) == 0 ? EDGE_FALLBACK_NOT_OFFERED
                                                  : EDGE_FALLBACK_NOT_COMMON;
}
