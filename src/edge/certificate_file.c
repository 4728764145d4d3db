/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/certificate_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "sys/fd.h"

enum { DER_SEQUENCE = 0x30 };

[[gnu::format(printf, 4, 5)]]
static status_t refuse(const struct certificate_file *file, const char *why, struct error *err,
                       const char *hint, ...);

static status_t refuse(const struct certificate_file *file, const char *why, struct error *err,
                       const char *hint, ...) {
    char text[ERROR_HINT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, hint);
    (void)vsnprintf(text, sizeof text, hint, arguments);
    va_end(arguments);
    (void)error_set(err, ERROR_PROXY_CERTIFICATE, 0, "cannot use %.300s: %s", file->path, why);
    error_hint(err, "%s", text);
    return (status_t){ERROR_PROXY_CERTIFICATE};
}

static status_t refuse_unread(const struct certificate_file *file, const char *what,
                              struct error *err) {
    int why = errno;
    (void)error_set(err, ERROR_PROXY_CERTIFICATE, why, "cannot read %s %.300s", what, file->path);
    if (why == ENOENT) {
        error_hint(err, "Put it there, or correct its path; a relative one counts from the folder "
                        "of the configuration. For a try: airlock proxy init");
    } else if (why == EACCES || why == EPERM) {
        error_hint(err, "Make it readable for the user that the proxy runs as: chgrp GROUP %.300s",
                   file->path);
    }
    return (status_t){ERROR_PROXY_CERTIFICATE};
}

static status_t read_text(struct certificate_file *file, const char *what, struct error *err) {
    struct stat status;
    CLEANUP(fd_closep) int fd = open(file->path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        return refuse_unread(file, what, err);
    }
    if (!S_ISREG(status.st_mode)) {
        return refuse(file, "it is no regular file", err, "Name a PEM file.");
    }
    if (status.st_size == 0) {
        return refuse(file, "it is empty", err,
                      "Write it again from where it came; a renewal may have failed halfway.");
    }
    if (status.st_size > LIMIT_EDGE_PEM_BYTES) {
        limit_hit(LIMIT_ID_EDGE_PEM_BYTES);
        return refuse(file, "it is too large", err, "Name a PEM file with certificates alone.");
    }
    file->mode = status.st_mode & 07777;
    return fd_read_to_end(fd, file->path, &file->text, err);
}

status_t certificate_file_read(const char *path, const char *what,
                               struct certificate_file *ret_file, struct error *err) {
    struct certificate_file file = {.path = path};
    builder_init(&file.text, LIMIT_EDGE_PEM_BYTES);
    status_t status = read_text(&file, what, err);
    if (status_is_ok(status)) {
        *ret_file = file;
    } else {
        certificate_file_deinit(&file);
    }
    return status;
}

void certificate_file_deinit(struct certificate_file *file) {
    if (file->text.data != nullptr) {
        explicit_bzero(file->text.data, file->text.capacity);
    }
    builder_deinit(&file->text);
}

static bool holds(const struct certificate_file *file, const char *text) {
    return memmem(file->text.data, file->text.size, text, strlen(text)) != nullptr;
}

/* Why there is no certificate in a file that was read. */
static status_t refuse_no_certificate(const struct certificate_file *file, struct error *err) {
    if (holds(file, "-----BEGIN CERTIFICATE-----") ||
        holds(file, "-----BEGIN TRUSTED CERTIFICATE-----")) {
        return refuse(file, "a certificate in it is damaged", err,
                      "Write it again from where it came; see: openssl x509 -noout -text -in "
                      "%.250s",
                      file->path);
    }
    if (holds(file, "PRIVATE KEY-----")) {
        return refuse(file, "it holds a private key, no certificate", err,
                      "Name the certificate's file here and the key's under key:");
    }
    if (holds(file, "-----BEGIN CERTIFICATE REQUEST-----") ||
        holds(file, "-----BEGIN NEW CERTIFICATE REQUEST-----")) {
        return refuse(file, "it holds a request for a certificate, which nobody has signed", err,
                      "Have an authority sign it, and name what comes back.");
    }
    if (file->text.data[0] == DER_SEQUENCE) {
        return refuse(file, "it is in DER, not in PEM", err,
                      "Convert it: openssl x509 -inform DER -in %.150s -out %.150s.pem", file->path,
                      file->path);
    }
    return refuse(file, "it holds no certificate", err,
                  "A PEM file has a line -----BEGIN CERTIFICATE-----.");
}

status_t certificate_file_certificates(const struct certificate_file *file,
                                       STACK_OF(X509) * *ret_certificates, struct error *err) {
    BIO *memory = BIO_new_mem_buf(file->text.data, (int)file->text.size);
    STACK_OF(X509) *all = sk_X509_new_null();
    X509 *one = nullptr;
    bool is_kept = memory != nullptr && all != nullptr;
    ERR_clear_error();
    while (is_kept && (one = PEM_read_bio_X509_AUX(memory, nullptr, nullptr, nullptr)) != nullptr) {
        is_kept = sk_X509_push(all, one) > 0;
    }
    BIO_free(memory);
    bool is_whole = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    if (is_kept && is_whole && sk_X509_num(all) > 0) {
        *ret_certificates = all;
        return STATUS_OK;
    }
    sk_X509_pop_free(all, X509_free);
    return is_kept ? refuse_no_certificate(file, err)
                   : error_set(err, ERROR_NO_MEMORY, 0, "cannot read %.300s", file->path);
}

/* Nobody is asked for a passphrase: a service starts without anybody there. */
static int no_passphrase(char *buffer, int size, int is_writing, void *was_asked) {
    (void)buffer, (void)size, (void)is_writing;
    *(bool *)was_asked = true;
    return -1;
}

static status_t refuse_no_key(const struct certificate_file *file, bool is_encrypted,
                              struct error *err) {
    if (is_encrypted) {
        return refuse(file, "the key in it is encrypted, and nobody is there to give a passphrase",
                      err, "Decrypt it: (umask 077; openssl pkey -in %.150s -out %.150s.plain)",
                      file->path, file->path);
    }
    if (holds(file, "PRIVATE KEY-----")) {
        return refuse(file, "the key in it is damaged, or of a kind that is unknown here", err,
                      "See: openssl pkey -noout -text -in %.300s", file->path);
    }
    if (holds(file, "-----BEGIN CERTIFICATE-----")) {
        return refuse(file, "it holds a certificate, no private key", err,
                      "Name the key's file here and the certificate's under cert:");
    }
    if (holds(file, "-----BEGIN PUBLIC KEY-----")) {
        return refuse(file, "it holds a public key, no private key", err,
                      "Name the file that was made with it.");
    }
    if (file->text.data[0] == DER_SEQUENCE) {
        return refuse(file, "it is in DER, not in PEM", err,
                      "Convert it: (umask 077; openssl pkey -inform DER -in %.150s -out "
                      "%.150s.pem)",
                      file->path, file->path);
    }
    return refuse(file, "it holds no private key", err,
                  "A PEM file has a line -----BEGIN PRIVATE KEY-----.");
}

status_t certificate_file_key(const struct certificate_file *file, EVP_PKEY **ret_key,
                              struct error *err) {
    bool is_encrypted = false;
    BIO *memory = BIO_new_mem_buf(file->text.data, (int)file->text.size);
    EVP_PKEY *key = memory == nullptr
                        ? nullptr
                        : PEM_read_bio_PrivateKey(memory, nullptr, no_passphrase, &is_encrypted);
    BIO_free(memory);
    ERR_clear_error();
    if (key == nullptr) {
        return refuse_no_key(file, is_encrypted, err);
    }
    *ret_key = key;
    return STATUS_OK;
}
