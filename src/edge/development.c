/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/development.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "proxy/certificate.h"
#include "sys/fd.h"

enum { PEM_BYTES_MAX = 8192 };

static X509 *new_certificate(EVP_PKEY *key) {
    X509 *made = certificate_new(key, "Airlock development", (int64_t)DEVELOPMENT_DAYS * 86400);
    /* CA:TRUE, so that a browser or a tool can be told to trust it. */
    bool is_made =
        made != nullptr &&
        certificate_extend(made, made, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
        certificate_extend(made, made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        certificate_extend(made, made, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
        certificate_extend(made, made, NID_ext_key_usage, "serverAuth,clientAuth") &&
        certificate_extend(made, made, NID_subject_key_identifier, "hash") &&
        certificate_sign(made, made, key);
    if (!is_made) {
        X509_free(made);
        return nullptr;
    }
    return made;
}

static bool write_key(EVP_PKEY *key, struct builder *out) {
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = nullptr;
    bool is_written = memory != nullptr && PEM_write_bio_PrivateKey(memory, key, nullptr, nullptr,
                                                                    0, nullptr, nullptr) == 1;
    long size = is_written ? BIO_get_mem_data(memory, &text) : 0;
    builder_bytes(out, slice_of(text, (size_t)size));
    if (size > 0) {
        explicit_bzero(text, (size_t)size);
    }
    BIO_free(memory);
    return is_written && builder_is_ok(out);
}

static status_t write_new(const char *path, unsigned mode, struct slice bytes, struct error *err) {
    CLEANUP(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot make %s", path);
    }
    status_t status = fd_write_all(fd, bytes, path, err);
    if (!status_is_ok(status)) {
        (void)unlink(path);
    }
    return status;
}

static status_t make(const char *certificate_path, const char *key_path, struct error *err) {
    struct builder key_text, text;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = key == nullptr ? nullptr : new_certificate(key);
    builder_init(&key_text, PEM_BYTES_MAX);
    builder_init(&text, PEM_BYTES_MAX);
    status_t status =
        certificate != nullptr && write_key(key, &key_text) && certificate_write(certificate, &text)
            ? STATUS_OK
            : error_set(err, ERROR_INTERNAL, 0, "cannot make a certificate");
    if (status_is_ok(status)) {
        status = write_new(key_path, 0600, builder_slice(&key_text), err);
    }
    if (status_is_ok(status)) {
        status = write_new(certificate_path, 0644, builder_slice(&text), err);
        if (!status_is_ok(status)) {
            (void)unlink(key_path);
        }
    }
    if (key_text.data != nullptr) {
        explicit_bzero(key_text.data, key_text.capacity);
    }
    builder_deinit(&key_text);
    builder_deinit(&text);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}

/* A link counts as there, wherever it leads. */
static bool is_there(const char *path) {
    return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

status_t development_make(const char *certificate_path, const char *key_path,
                          enum development_made *ret_made, struct error *err) {
    bool has_certificate = is_there(certificate_path), has_key = is_there(key_path);
    if (has_certificate && has_key) {
        *ret_made = DEVELOPMENT_THERE;
        return STATUS_OK;
    }
    if (has_certificate || has_key) {
        (void)error_set(err, ERROR_PROXY_CERTIFICATE, 0, "%s is there, but not %s",
                        has_key ? key_path : certificate_path,
                        has_key ? certificate_path : key_path);
        error_hint(err, "Put the other one beside it, or take it away; then both are made anew.");
        return (status_t){ERROR_PROXY_CERTIFICATE};
    }
    TRY(make(certificate_path, key_path, err));
    *ret_made = DEVELOPMENT_MADE;
    return STATUS_OK;
}

status_t development_make_all(const struct edge_config *config, development_told *told,
                              struct error *err) {
    for (uint32_t i = 0; i < config->listener_count; i++) {
        const struct edge_tls *tls = &config->listeners[i].tls;
        enum development_made made = DEVELOPMENT_THERE;
        if (tls->is_there && tls->dev) {
            TRY(development_make(tls->certificate_file, tls->key_file, &made, err));
        }
        if (made == DEVELOPMENT_MADE) {
            told(tls);
        }
    }
    return STATUS_OK;
}
