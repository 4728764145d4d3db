/* SPDX-License-Identifier: Apache-2.0
 *
 * What both directions have in common.
 */
#include <openssl/err.h>
#include <openssl/tls1.h>
#include <openssl/x509_vfy.h>

#include "edge/tls_internal.h"

/* A pinned key is accepted whoever signed it, and whatever else its certificate says. */
static int verify_peer(X509_STORE_CTX *store, void *argument) {
    const struct certificates *certificates = argument;
    const X509 *leaf = X509_STORE_CTX_get0_cert(store);
    if (leaf != nullptr && certificates_is_pinned(certificates, leaf)) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    if (certificates->trusted == nullptr) {
        X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_UNTRUSTED);
        return 0;
    }
    return X509_verify_cert(store) == 1 ? 1 : 0;
}

static bool show(SSL_CTX *context, const struct certificates *certificates) {
    return certificates->leaf == nullptr ||
           SSL_CTX_use_cert_and_key(context, certificates->leaf, certificates->key,
                                    certificates->chain, 1) == 1;
}

status_t tls_context_set(SSL_CTX *context, enum edge_pq pq, struct certificates *certificates,
                         struct error *err) {
    bool is_set =
        context != nullptr && SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_ciphersuites(context, TLS_SUITES) == 1 &&
        SSL_CTX_set1_groups_list(context, edge_group_list(pq)) == 1 && show(context, certificates);
    if (!is_set) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot prepare TLS");
    }
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                     SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    if (certificates->trusted != nullptr) {
        if (X509_STORE_up_ref(certificates->trusted) != 1) {
            return error_set(err, ERROR_NO_MEMORY, 0, "cannot prepare TLS");
        }
        SSL_CTX_set_cert_store(context, certificates->trusted);
    }
    SSL_CTX_set_cert_verify_callback(context, verify_peer, certificates);
    return STATUS_OK;
}

const char *tls_why(const SSL *tls) {
    const struct tls_peer *peer = SSL_get_app_data(tls); /* of a client's end alone */
    long verdict = SSL_get_verify_result(tls);
    unsigned long error = ERR_peek_last_error();
    if (peer != nullptr && peer->complaint != nullptr) {
        return peer->complaint;
    }
    if (verdict != X509_V_OK) {
        return X509_verify_cert_error_string(verdict);
    }
    bool is_shell = ERR_GET_REASON(error) == SSL_R_RECORD_LAYER_FAILURE; /* around what it was */
    return ERR_reason_error_string(is_shell ? ERR_peek_error() : error);
}

enum edge_group tls_group(SSL *tls, uint16_t *ret_code) {
    /* A NID, or where there is none the code point with a bit that says so. */
    int number = (int)SSL_get_negotiated_group(tls);
    uint16_t code = 0;
    switch (number) {
    case NID_X25519:
        code = edge_group_row(EDGE_GROUP_X25519)->code;
        break;
    case NID_X9_62_prime256v1:
        code = edge_group_row(EDGE_GROUP_SECP256R1)->code;
        break;
    default:
        code = (number & TLSEXT_nid_unknown) != 0 ? (uint16_t)number : 0;
        break;
    }
    if (ret_code != nullptr) {
        *ret_code = code;
    }
    return edge_group_of_code(code);
}
