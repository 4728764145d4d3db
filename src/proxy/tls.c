/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "sys/random.h"

enum { CA_BYTES_MAX = 4096, BACKDATED_S = 3600, LIFE_S = 30 * 86400 };

static const char *const SYSTEM_CA[] = {"/etc/ssl/certs/ca-certificates.crt",
                                        "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    bool is_added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

/* A certificate for `key` that nobody has signed yet. */
static X509 *new_certificate(EVP_PKEY *key, const char *name) {
    X509 *certificate = X509_new();
    uint64_t serial;
    random_fill(&serial, sizeof serial);
    bool is_made =
        certificate != nullptr && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATED_S) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), LIFE_S) != nullptr &&
        X509_set_pubkey(certificate, key) == 1 &&
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                   (const unsigned char *)name, -1, -1, 0) == 1;
    if (!is_made) {
        X509_free(certificate);
        return nullptr;
    }
    return certificate;
}

static bool sign(X509 *certificate, X509 *issuer, EVP_PKEY *key) {
    return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

/* The authority of this run; its name shows whose it is in a program's error. */
static X509 *make_authority(EVP_PKEY *key) {
    X509 *authority = new_certificate(key, "Airlock egress proxy of one run");
    if (authority == nullptr ||
        !add_extension(authority, authority, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
        !add_extension(authority, authority, NID_key_usage, "critical,keyCertSign") ||
        !add_extension(authority, authority, NID_subject_key_identifier, "hash") ||
        !sign(authority, authority, key)) {
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
    X509 *certificate = key != nullptr ? new_certificate(key, "Airlock egress proxy") : nullptr;
    X509 *issuer = authority->certificate;
    bool is_made = certificate != nullptr &&
                   add_extension(certificate, issuer, NID_subject_alt_name, name) &&
                   add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth") &&
                   add_extension(certificate, issuer, NID_key_usage, "critical,digitalSignature") &&
                   add_extension(certificate, issuer, NID_authority_key_identifier, "keyid") &&
                   sign(certificate, issuer, authority->key) &&
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
    if (file[0] != '\0') {
        return SSL_CTX_load_verify_file(context, file) == 1;
    }
    for (size_t i = 0; i < sizeof SYSTEM_CA / sizeof SYSTEM_CA[0]; i++) {
        if (SSL_CTX_load_verify_file(context, SYSTEM_CA[i]) == 1) {
            return true;
        }
    }
    return false;
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

static bool write_pem(X509 *certificate, struct builder *out) {
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = nullptr;
    bool is_written = memory != nullptr && PEM_write_bio_X509(memory, certificate) == 1;
    long size = is_written ? BIO_get_mem_data(memory, &text) : 0;
    builder_bytes(out, slice_of(text, (size_t)size));
    BIO_free(memory);
    return is_written && builder_is_ok(out);
}

static bool make_all(const struct egress_config *config, struct tls *tls) {
    struct authority authority = {.key = EVP_EC_gen("P-256")};
    authority.certificate = authority.key != nullptr ? make_authority(authority.key) : nullptr;
    bool is_made = authority.certificate != nullptr && write_pem(authority.certificate, &tls->ca);
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
