/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "proxy/certificate.h"

enum { CA_BYTES_MAX = 4096, LIFE_S = 30 * 86400 };

/* The authority of this run; its name shows whose it is in a program's error. */
static X509 *make_authority(EVP_PKEY *key) {
    X509 *authority = certificate_new(key, "Airlock egress proxy of one run", LIFE_S);
    if (authority == nullptr ||
        !certificate_extend(authority, authority, NID_basic_constraints,
                            "critical,CA:TRUE,pathlen:0") ||
        !certificate_extend(authority, authority, NID_key_usage, "critical,keyCertSign") ||
        !certificate_extend(authority, authority, NID_subject_key_identifier, "hash") ||
        !certificate_sign(authority, authority, key)) {
        X509_free(authority);
        return nullptr;
    }
    return authority;
}

struct authority {
    X509 *certificate;
    EVP_PKEY *key;
};

static bool certify(const struct authority *authority, const char *host, SSL_CTX *context) {
    char name[HOST_TEXT_BYTES + 8];
    struct host parsed;
    bool is_address =
        host_parse(slice_of_string(host), false, &parsed) == nullptr && parsed.is_address;
    (void)snprintf(name, sizeof name, is_address ? "IP:%s" : "DNS:%s", host);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate =
        key != nullptr ? certificate_new(key, "Airlock egress proxy", LIFE_S) : nullptr;
    X509 *issuer = authority->certificate;
    bool is_made =
        certificate != nullptr &&
        certificate_extend(certificate, issuer, NID_subject_alt_name, name) &&
        certificate_extend(certificate, issuer, NID_ext_key_usage, "serverAuth") &&
        certificate_extend(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
        certificate_extend(certificate, issuer, NID_authority_key_identifier, "keyid") &&
        certificate_sign(certificate, issuer, authority->key) &&
        SSL_CTX_use_certificate(context, certificate) == 1 &&
        SSL_CTX_use_PrivateKey(context, key) == 1;
    X509_free(certificate);
    EVP_PKEY_free(key);
    return is_made;
}

/* A program that asks for another name in a tunnel to this host gets an alert. */
static int on_server_name(SSL *ssl, int *alert, void *host) {
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    return name == nullptr || strcasecmp(name, host) == 0 ? SSL_TLSEXT_ERR_OK
                                                          : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void set_modes(SSL_CTX *context) {
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
}

static SSL_CTX *make_served(const struct authority *authority, char *host) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_num_tickets(context, 0) != 1 || !certify(authority, host, context)) {
        SSL_CTX_free(context);
        return nullptr;
    }
    set_modes(context);
    SSL_CTX_set_tlsext_servername_callback(context, on_server_name);
    SSL_CTX_set_tlsext_servername_arg(context, host);
    return context;
}

static bool load_trusted(SSL_CTX *context, const char *file) {
    return file[0] != '\0' ? SSL_CTX_load_verify_file(context, file) == 1
                           : certificate_trust_system(SSL_CTX_get_cert_store(context));
}

/* TLS 1.3 alone, and the hybrid post-quantum group first; a server without it gets a classical
 * one. */
static status_t make_upstream(const struct egress_config *config, SSL_CTX **ret_context,
                              struct error *err) {
    static const unsigned char HTTP_1_1[] = "\x08http/1.1";
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set1_groups_list(context, "X25519MLKEM768:X25519:secp256r1") != 1 ||
        SSL_CTX_set_alpn_protos(context, HTTP_1_1, sizeof HTTP_1_1 - 1) != 0) {
        SSL_CTX_free(context);
        return error_set(err, ERROR_INTERNAL, 0, "cannot prepare TLS");
    }
    if (!load_trusted(context, config->ca_file)) {
        SSL_CTX_free(context);
        return error_set(err, ERROR_IO, 0, "cannot read the certificates to trust%s%.200s",
                         config->ca_file[0] != '\0' ? " in " : "", config->ca_file);
    }
    set_modes(context);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    *ret_context = context;
    return STATUS_OK;
}

static bool make_all(const struct egress_config *config, struct tls *tls) {
    struct authority authority = {.key = EVP_EC_gen("P-256")};
    authority.certificate = authority.key != nullptr ? make_authority(authority.key) : nullptr;
    bool is_made =
        authority.certificate != nullptr && certificate_write(authority.certificate, &tls->ca);
    for (uint32_t i = 0; is_made && i < config->inject_count; i++) {
        if (config->injects[i].is_tls) {
            char *host = strdup(config->injects[i].host); /* as long as the context */
            tls->served[i] = host != nullptr ? make_served(&authority, host) : nullptr;
            is_made = tls->served[i] != nullptr;
        }
    }
    X509_free(authority.certificate);
    EVP_PKEY_free(authority.key); /* wiped: nothing more is ever signed */
    return is_made;
}

status_t tls_prepare(const struct egress_config *config, struct tls *ret_tls, struct error *err) {
    const uint64_t options = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;
    bool is_needed = false;
    *ret_tls = (struct tls){};
    builder_init(&ret_tls->ca, CA_BYTES_MAX);
    for (uint32_t i = 0; i < config->inject_count; i++) {
        is_needed |= config->injects[i].is_tls;
    }
    if (!is_needed) {
        return STATUS_OK;
    }
    if (OPENSSL_init_ssl(options, nullptr) != 1) {
        return error_set(err, ERROR_INTERNAL, 0, "cannot prepare TLS");
    }
    TRY(make_upstream(config, &ret_tls->upstream, err));
    return make_all(config, ret_tls)
               ? STATUS_OK
               : error_set(err, ERROR_INTERNAL, 0, "cannot make the certificates of the run");
}

SSL_CTX *tls_served(const struct tls *tls, const struct egress_config *config, const char *host,
                    uint16_t port) {
    for (uint32_t i = 0; i < config->inject_count; i++) {
        const struct egress_inject *inject = &config->injects[i];
        if (tls->served[i] != nullptr && inject->port == port && strcmp(inject->host, host) == 0) {
            return tls->served[i];
        }
    }
    return nullptr;
}

SSL *tls_accept(SSL_CTX *served, int fd) {
    SSL *ssl = SSL_new(served);
    if (ssl != nullptr && SSL_set_fd(ssl, fd) == 1) {
        SSL_set_accept_state(ssl);
        return ssl;
    }
    SSL_free(ssl);
    return nullptr;
}

SSL *tls_connect(const struct tls *tls, const char *host, int fd) {
    struct host parsed;
    SSL *ssl = SSL_new(tls->upstream);
    bool is_set = ssl != nullptr && host_parse(slice_of_string(host), false, &parsed) == nullptr;
    if (is_set) {
        X509_VERIFY_PARAM *checks = SSL_get0_param(ssl);
        X509_VERIFY_PARAM_set_hostflags(checks, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        is_set = parsed.is_address
                     ? X509_VERIFY_PARAM_set1_ip_asc(checks, host) == 1
                     : SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
    }
    if (!is_set || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return nullptr;
    }
    SSL_set_connect_state(ssl);
    return ssl;
}

enum tls_step tls_shake(SSL *ssl) {
    ERR_clear_error();
    int result = SSL_do_handshake(ssl);
    if (result == 1) {
        return TLS_DONE;
    }
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return TLS_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WRITE;
    default:
        return TLS_FAILED;
    }
}

const char *tls_reason(const SSL *ssl) {
    long verified = SSL_get_verify_result(ssl);
    const char *text = verified != X509_V_OK ? X509_verify_cert_error_string(verified)
                                             : ERR_reason_error_string(ERR_peek_error());
    return text != nullptr ? text : "the connection ended";
}
