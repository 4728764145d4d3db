/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/tls_server.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "edge/tls_internal.h"

static int verify_mode(enum edge_client_auth client) {
    switch (client) {
    case EDGE_CLIENT_NONE:
        return SSL_VERIFY_NONE;
    case EDGE_CLIENT_REQUEST:
        return SSL_VERIFY_PEER;
    case EDGE_CLIENT_REQUIRE:
        return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

/* The names of the authorities help a client that has several certificates. */
static bool name_authorities(SSL_CTX *context, const char *file) {
    if (file[0] == '\0') {
        return true;
    }
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    SSL_CTX_set_client_CA_list(context, names);
    return names != nullptr;
}

static status_t prepare(struct tls_server *server, struct error *err) {
    const struct edge_listener *listener = server->listener;
    TRY(certificates_load(&listener->tls, true, &server->certificates, err));
    server->context = SSL_CTX_new(TLS_server_method());
    TRY(tls_context_set(server->context, listener->pq, server->certificates, err));
    if (SSL_CTX_set_num_tickets(server->context, 0) != 1 ||
        !name_authorities(server->context, listener->tls.ca_file)) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot prepare TLS");
    }
    SSL_CTX_set_verify(server->context, verify_mode(listener->tls.client), nullptr);
    SSL_CTX_set_client_hello_cb(server->context, tls_on_hello, nullptr);
    SSL_CTX_set_alpn_select_cb(server->context, tls_on_alpn, nullptr);
    return STATUS_OK;
}

status_t tls_server_new(const struct edge_config *config, const struct edge_listener *listener,
                        struct tls_server **ret_server, struct error *err) {
    struct tls_server *server = calloc(1, sizeof *server);
    if (server == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot prepare TLS");
    }
    server->config = config;
    server->listener = listener;
    status_t status = prepare(server, err);
    if (!status_is_ok(status)) {
        tls_server_free(server);
        return status;
    }
    *ret_server = server;
    return STATUS_OK;
}

void tls_server_free(struct tls_server *server) {
    if (server != nullptr) {
        SSL_CTX_free(server->context);
        certificates_free(server->certificates);
        free(server);
    }
}

int64_t tls_server_expiry(const struct tls_server *server) {
    struct tm end;
    bool is_known = ASN1_TIME_to_tm(X509_get0_notAfter(server->certificates->leaf), &end) == 1;
    return is_known ? timegm(&end) : 0;
}

const uint8_t *tls_server_spki(const struct tls_server *server) {
    return server->certificates->spki;
}

EVP_PKEY *tls_server_key(const struct tls_server *server) {
    return server->certificates->key;
}

SSL *tls_server_open(const struct tls_server *server, struct tls_peer *peer) {
    *peer = (struct tls_peer){.server = server};
    SSL *tls = SSL_new(server->context);
    if (tls != nullptr) {
        SSL_set_app_data(tls, peer);
        SSL_set_accept_state(tls);
    }
    return tls;
}

bool tls_peer_finish(SSL *tls, struct tls_peer *peer) {
    X509 *certificate = SSL_get0_peer_certificate(tls);
    peer->has_certificate = certificate != nullptr;
    return certificate == nullptr || certificate_spki(certificate, peer->spki);
}

bool tls_peer_is_unwanted(const struct tls_peer *peer) {
    int reason = ERR_GET_REASON(ERR_peek_last_error());
    return peer->server->listener->tls.client != EDGE_CLIENT_NONE &&
           (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE ||
            reason == SSL_R_CERTIFICATE_VERIFY_FAILED);
}
