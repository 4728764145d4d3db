/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls_client.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "edge/tls_internal.h"

enum { ALPN_BYTES_MAX = 16 * 256 };

struct tls_client {
    const struct edge_upstream *upstream;
    struct certificates *certificates; /* owned */
    SSL_CTX *context;                  /* owned */
};

static bool add_protocol(struct builder *list, struct slice protocol) {
    builder_u8(list, (uint8_t)protocol.size);
    builder_bytes(list, protocol);
    return builder_is_ok(list);
}

static status_t prepare(struct tls_client *client, struct error *err) {
    const struct edge_upstream *upstream = client->upstream;
    TRY(certificates_load(&upstream->tls, false, &client->certificates, err));
    client->context = SSL_CTX_new(TLS_client_method());
    TRY(tls_context_set(client->context, upstream->pq, client->certificates, err));
    SSL_CTX_set_verify(client->context, SSL_VERIFY_PEER, nullptr);
    struct builder list;
    builder_init(&list, ALPN_BYTES_MAX);
    bool is_set = true;
    for (uint32_t i = 0; i < upstream->alpn_count; i++) {
        is_set = is_set && add_protocol(&list, slice_of_string(upstream->alpn[i]));
    }
    struct slice all = builder_slice(&list);
    is_set = is_set && (all.size == 0 || SSL_CTX_set_alpn_protos(client->context, all.data,
                                                                 (unsigned)all.size) == 0);
    builder_deinit(&list);
    return is_set ? STATUS_OK : error_set(err, ERROR_NO_MEMORY, 0, "cannot prepare TLS");
}

status_t tls_client_new(const struct edge_upstream *upstream, struct tls_client **ret_client,
                        struct error *err) {
    struct tls_client *client = calloc(1, sizeof *client);
    if (client == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot prepare TLS");
    }
    client->upstream = upstream;
    status_t status = prepare(client, err);
    if (!status_is_ok(status)) {
        tls_client_free(client);
        return status;
    }
    *ret_client = client;
    return STATUS_OK;
}

void tls_client_free(struct tls_client *client) {
    if (client != nullptr) {
        SSL_CTX_free(client->context);
        certificates_free(client->certificates);
        free(client);
    }
}

/* A name is asked for and checked; an address is only checked (RFC 6066 has no name for it). */
static bool set_name(SSL *tls, const char *name) {
    struct host host;
    if (host_parse(slice_of_string(name), false, &host) != nullptr) {
        return false;
    }
    if (host.is_address) {
        return X509_VERIFY_PARAM_set1_ip(SSL_get0_param(tls), host.address.bytes,
                                         host.address.size) == 1;
    }
    /* A name stands among the alternative ones, or nowhere (RFC 9525, section 6.3). */
    SSL_set_hostflags(tls,
                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set_tlsext_host_name(tls, name) == 1 && SSL_set1_host(tls, name) == 1;
}

static bool set_protocol(SSL *tls, struct slice protocol) {
    uint8_t list[256];
    if (protocol.size == 0) {
        return true;
    }
    list[0] = (uint8_t)protocol.size;
    memcpy(list + 1, protocol.data, protocol.size);
    return SSL_set_alpn_protos(tls, list, (unsigned)protocol.size + 1) == 0;
}

SSL *tls_client_open(const struct tls_client *client, const struct edge_server *server,
                     struct slice protocol) {
    const char *name = client->upstream->tls.server_name;
    name = name[0] != '\0' ? name : server->host;
    SSL *tls = SSL_new(client->context);
    if (tls == nullptr || (name[0] != '\0' && !set_name(tls, name)) ||
        !set_protocol(tls, protocol)) {
        SSL_free(tls);
        return nullptr;
    }
    SSL_set_connect_state(tls);
    return tls;
}
