/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/client.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/host.h"
#include "codec/http.h"
#include "codec/text.h"
#include "enclave/dial.h"
#include "enclave/es256.h"
#include "sys/fd.h"

enum { PIECE_BYTES = 4096, GROUP_UNKNOWN_NID = 0x1000000 };

#define GROUPS "X25519MLKEM768:SecP384r1MLKEM1024:SecP256r1MLKEM768:MLKEM1024"

static const struct {
    uint16_t code;
    const char *name;
} NAMES[] = {
    {0x11ec, "X25519MLKEM768"},
    {0x11ed, "SecP384r1MLKEM1024"},
    {0x11eb, "SecP256r1MLKEM768"},
    {0x0202, "MLKEM1024"},
};

struct session {
    SSL_CTX *context;
    SSL *tls;
    int fd;
};

static void session_close(struct session *session) {
    SSL_free(session->tls);
    SSL_CTX_free(session->context);
    fd_closep(&session->fd);
}

static uint64_t now_ms(void) {
    const struct clock clock = clock_system();
    return clock_monotonic_ms(&clock);
}

/* After a call that `result` came of: waits for what libssl needs to make it again. False when it
 * failed, or a step has taken too long: one that comes byte by byte has its end too. */
static bool wait_for(SSL *tls, int result, uint64_t until_ms) {
    int error = SSL_get_error(tls, result);
    struct pollfd one = {.fd = SSL_get_fd(tls),
                         .events = error == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN};
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        return false;
    }
    uint64_t now = now_ms();
    bool is_there = now < until_ms && poll(&one, 1, (int)(until_ms - now)) == 1;
    return !limit_past(!is_there, LIMIT_ID_ATTEST_MS);
}

/* The last thing libssl has to say. */
static const char *tls_reason(void) {
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason != nullptr ? reason : "the server closed the connection";
}

static bool session_prepare(struct session *session, const struct host *host) {
    static const uint8_t ALPN[] = "\x10" EVIDENCE_ALPN;
    const uint64_t options = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT;
    static_assert(sizeof EVIDENCE_ALPN - 1 == 0x10);
    if (OPENSSL_init_ssl(options, nullptr) != 1) {
        return false;
    }
    session->context = SSL_CTX_new(TLS_client_method());
    session->tls = session->context == nullptr ||
                           SSL_CTX_set_min_proto_version(session->context, TLS1_3_VERSION) != 1 ||
                           SSL_CTX_set1_groups_list(session->context, GROUPS) != 1 ||
                           SSL_CTX_set_alpn_protos(session->context, ALPN, sizeof ALPN - 1) != 0
                       ? nullptr
                       : SSL_new(session->context);
    return session->tls != nullptr && fd_set_nonblocking(session->fd, true) &&
           SSL_set_fd(session->tls, session->fd) == 1 &&
           (host->is_address || SSL_set_tlsext_host_name(session->tls, host->text) == 1);
}

/* libssl names a group it has no number of its own for by its code point and a mark. */
static bool group_read(SSL *tls, struct attested *attested) {
    int number = (int)SSL_get_negotiated_group(tls);
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if ((number & GROUP_UNKNOWN_NID) != 0 && (number & 0xffff) == NAMES[i].code) {
            attested->group = NAMES[i].code;
            attested->group_name = NAMES[i].name;
            return true;
        }
    }
    return false;
}

static bool key_read(SSL *tls, struct attested *attested) {
    const X509 *certificate = SSL_get0_peer_certificate(tls);
    EVP_PKEY *key = certificate != nullptr ? X509_get0_pubkey(certificate) : nullptr;
    struct builder spki;
    builder_init(&spki, LIMIT_EVIDENCE_BYTES);
    bool is_read = key != nullptr && es256_spki(key, &spki) && EVP_PKEY_up_ref(key) == 1;
    if (is_read) {
        attested->leaf = key;
        sha256_of(builder_slice(&spki), &attested->spki);
    }
    builder_deinit(&spki);
    return is_read;
}

static bool exporter_read(SSL *tls, struct attested *attested) {
    return SSL_export_keying_material(tls, attested->exporter, sizeof attested->exporter,
                                      EVIDENCE_EXPORTER_LABEL, sizeof EVIDENCE_EXPORTER_LABEL - 1,
                                      (const unsigned char *)"", 0, 1) == 1;
}

static status_t handshake(struct session *session, const char *target, struct attested *attested,
                          struct error *err) {
    const uint8_t *alpn = nullptr;
    unsigned size = 0;
    uint64_t until_ms = now_ms() + LIMIT_ATTEST_MS;
    int result;
    while ((result = SSL_connect(session->tls)) != 1 && wait_for(session->tls, result, until_ms)) {
    }
    if (result != 1) {
        (void)error_set(err, ERROR_ENCLAVE_SERVER, 0,
                        "%s makes no TLS 1.3 connection with a post-quantum key exchange for %s",
                        target, EVIDENCE_ALPN);
        error_detail(err, "%s", now_ms() >= until_ms ? "it took too long" : tls_reason());
        return (status_t){ERROR_ENCLAVE_SERVER};
    }
    SSL_get0_alpn_selected(session->tls, &alpn, &size);
    if (!slice_equal(slice_of(alpn, size), SLICE_LITERAL(EVIDENCE_ALPN))) {
        return error_set(err, ERROR_ENCLAVE_SERVER, 0, "%s does not speak %s", target,
                         EVIDENCE_ALPN);
    }
    if (!group_read(session->tls, attested) || !key_read(session->tls, attested) ||
        !exporter_read(session->tls, attested)) {
        return error_set(err, ERROR_ENCLAVE_SERVER, 0,
                         "%s: this end of the connection cannot tell what it is", target);
    }
    return STATUS_OK;
}

static bool send_request(SSL *tls, const char *target, struct slice nonce) {
    struct builder text;
    size_t sent = 0;
    uint64_t until_ms = now_ms() + LIMIT_ATTEST_MS;
    int result = 0;
    builder_init(&text, PIECE_BYTES);
    builder_text(&text, "GET /attestation/quote?nonce=");
    text_hex(nonce, &text);
    builder_format(&text, " HTTP/1.1\r\nHost: %s\r\nUser-Agent: airlock\r\n\r\n", target);
    bool is_whole = builder_is_ok(&text);
    while (is_whole && (result = SSL_write_ex(tls, text.data, text.size, &sent)) != 1 &&
           wait_for(tls, result, until_ms)) {
    }
    builder_deinit(&text);
    return result == 1;
}

/* Until the server's close_notify: a stream that only breaks off is cut short. */
static bool receive_response(SSL *tls, struct builder *ret_response) {
    uint64_t until_ms = now_ms() + LIMIT_ATTEST_MS;
    while (builder_is_ok(ret_response)) {
        uint8_t piece[PIECE_BYTES];
        size_t size = 0;
        int result = SSL_read_ex(tls, piece, sizeof piece, &size);
        builder_bytes(ret_response, slice_of(piece, size));
        if (result != 1 && SSL_get_error(tls, result) == SSL_ERROR_ZERO_RETURN) {
            return true;
        }
        if ((result != 1 && !wait_for(tls, result, until_ms)) ||
            limit_past(now_ms() > until_ms, LIMIT_ID_ATTEST_MS)) {
            return false;
        }
    }
    return false;
}

/* The body of a response with status 200; false when it is none. */
static bool body_read(struct slice response, struct builder *ret_body) {
    static const struct http_options OPTIONS = {.head_bytes_max = PIECE_BYTES};
    struct http_response http;
    struct slice piece;
    http_init(&http, &OPTIONS);
    enum http_result result;
    while ((result = http_feed(&http, false, &response, &piece)) == HTTP_BODY) {
        builder_bytes(ret_body, piece);
    }
    if (result == HTTP_MORE) {
        result = http_end(&http);
    }
    bool is_good = result == HTTP_WHOLE && response.size == 0 && http.status == 200 &&
                   builder_is_ok(ret_body) && ret_body->size > 0;
    http_deinit(&http);
    return is_good;
}

static status_t ask(struct session *session, const char *target, struct slice nonce,
                    struct attested *attested, struct error *err) {
    CLEANUP(builder_deinit) struct builder response;
    builder_init(&response, (size_t)2 * LIMIT_ATTEST_BYTES);
    if (!send_request(session->tls, target, nonce) || !receive_response(session->tls, &response)) {
        (void)error_set(err, ERROR_ENCLAVE_SERVER, 0, "%s did not answer whole", target);
        error_detail(err, "%s", tls_reason());
        return (status_t){ERROR_ENCLAVE_SERVER};
    }
    if (!body_read(builder_slice(&response), &attested->jwt)) {
        (void)error_set(err, ERROR_ENCLAVE_SERVER, 0, "%s has no evidence", target);
        struct builder shown;
        builder_init(&shown, 256);
        text_escape_short(builder_slice(&response), 120, &shown);
        error_detail(err, "it answered: %s", builder_c_string(&shown));
        builder_deinit(&shown);
        return (status_t){ERROR_ENCLAVE_SERVER};
    }
    return STATUS_OK;
}

status_t client_ask(const char *target, struct slice nonce, struct attested *ret_attested,
                    struct error *err) {
    CLEANUP(session_close) struct session session = {.fd = -1};
    struct attested attested = {};
    struct host host;
    uint16_t port = 0;
    const char *why = host_parse_authority(slice_of_string(target), 0, &host, &port);
    if (why != nullptr) {
        (void)error_set(err, ERROR_USAGE, 0, "no HOST:PORT: %s", why);
        error_hint(err, "Name both: airlock enclave verify proxy.example:8443");
        return (status_t){ERROR_USAGE};
    }
    session.fd = dial_host(host.text, port, &why);
    if (session.fd < 0) {
        (void)error_set(err, ERROR_ENCLAVE_UNREACHABLE, 0, "cannot connect to %s", target);
        error_detail(err, "%s", why);
        return (status_t){ERROR_ENCLAVE_UNREACHABLE};
    }
    if (!session_prepare(&session, &host)) {
        return error_set(err, ERROR_INTERNAL, 0, "libssl cannot prepare a connection");
    }
    builder_init(&attested.jwt, LIMIT_EVIDENCE_BYTES);
    status_t status = handshake(&session, target, &attested, err);
    if (status_is_ok(status)) {
        status = ask(&session, target, nonce, &attested, err);
    }
    if (!status_is_ok(status)) {
        attested_deinit(&attested);
        return status;
    }
    (void)SSL_shutdown(session.tls);
    *ret_attested = attested;
    return STATUS_OK;
}

void attested_deinit(struct attested *attested) {
    builder_deinit(&attested->jwt);
    EVP_PKEY_free(attested->leaf);
    *attested = (struct attested){};
}
