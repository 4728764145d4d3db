/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates for tests, good and bad, in files of a folder of their own.
 */
#pragma once

#include <fcntl.h>
#include <ftw.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proxy/certificate.h"

struct made {
    X509 *certificate;
    EVP_PKEY *key;
};

struct made_options {
    const char *key;       /* "EC:P-256", "RSA:1024", "ML-DSA-65", ...; nullptr: EC:P-256 */
    const struct made *by; /* nullptr: self-signed */
    bool is_authority;
    int64_t from_s, until_s; /* from now; 0: an hour ago, 90 days */
    const char *names;       /* nullptr: DNS:localhost; "": none */
    const char *subject;     /* its common name; nullptr: one of its own */
    const char *use;         /* extendedKeyUsage; nullptr: none */
};

static char made_folder[64];

/* A folder for files of the test, until made_folder_close(). */
static inline bool made_folder_open(void) {
    (void)snprintf(made_folder, sizeof made_folder, "/tmp/made_XXXXXX");
    return mkdtemp(made_folder) != nullptr;
}

static inline int made_remove(const char *path, const struct stat *status, int kind,
                              struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

static inline int made_folder_close(void) {
    return nftw(made_folder, made_remove, 8, FTW_DEPTH | FTW_PHYS);
}

static inline const char *made_path(const char *name) {
    static char paths[8][160];
    static unsigned turn;
    char *path = paths[turn++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", made_folder, name);
    return path;
}

static inline EVP_PKEY *make_key(const char *kind) {
    if (kind == nullptr) {
        return EVP_EC_gen("P-256");
    }
    if (strncmp(kind, "EC:", 3) == 0) {
        return EVP_EC_gen(kind + 3);
    }
    if (strncmp(kind, "RSA:", 4) == 0) {
        return EVP_RSA_gen((unsigned)strtoul(kind + 4, nullptr, 10));
    }
    return EVP_PKEY_Q_keygen(nullptr, nullptr, kind);
}

static inline struct made make(const struct made_options *options) {
    static int number;
    char name[32];
    struct made made = {.key = make_key(options->key)};
    (void)snprintf(name, sizeof name, "test %d", number++);
    int64_t until = options->until_s != 0 ? options->until_s : 90 * 86400;
    made.certificate =
        certificate_new(made.key, options->subject != nullptr ? options->subject : name, until);
    X509 *issuer = options->by != nullptr ? options->by->certificate : made.certificate;
    EVP_PKEY *issuer_key = options->by != nullptr ? options->by->key : made.key;
    if (options->from_s != 0) {
        (void)X509_gmtime_adj(X509_getm_notBefore(made.certificate), options->from_s);
    }
    const char *names = options->names != nullptr ? options->names : "DNS:localhost";
    if (names[0] != '\0') {
        (void)certificate_extend(made.certificate, issuer, NID_subject_alt_name, names);
    }
    if (options->is_authority) {
        (void)certificate_extend(made.certificate, issuer, NID_basic_constraints,
                                 "critical,CA:TRUE");
    }
    if (options->use != nullptr) {
        (void)certificate_extend(made.certificate, issuer, NID_ext_key_usage, options->use);
    }
    (void)X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer));
    bool has_digest = EVP_PKEY_is_a(issuer_key, "EC") || EVP_PKEY_is_a(issuer_key, "RSA");
    (void)X509_sign(made.certificate, issuer_key, has_digest ? EVP_sha256() : nullptr);
    return made;
}

static inline void made_free(struct made *made) {
    X509_free(made->certificate);
    EVP_PKEY_free(made->key);
}

static inline const char *write_certificates(const char *name, const struct made *all,
                                             size_t count) {
    const char *path = made_path(name);
    FILE *file = fopen(path, "we");
    for (size_t i = 0; i < count; i++) {
        (void)PEM_write_X509(file, all[i].certificate);
    }
    (void)fclose(file);
    return path;
}

static inline const char *write_key(const char *name, EVP_PKEY *key, const char *passphrase) {
    const char *path = made_path(name);
    FILE *file = fopen(path, "we");
    (void)PEM_write_PrivateKey(file, key, passphrase != nullptr ? EVP_aes_128_cbc() : nullptr,
                               nullptr, 0, nullptr, (void *)(uintptr_t)passphrase);
    (void)fclose(file);
    (void)chmod(path, 0600);
    return path;
}

static inline const char *write_bytes(const char *name, const void *bytes, size_t size) {
    const char *path = made_path(name);
    FILE *file = fopen(path, "we");
    (void)fwrite(bytes, 1, size, file);
    (void)fclose(file);
    return path;
}
