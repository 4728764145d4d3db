/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/certificate.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "sys/random.h"

enum { BACKDATED_S = 3600 };

static const char *const SYSTEM_FILES[] = {"/etc/ssl/certs/ca-certificates.crt",
                                           "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"};

bool certificate_extend(X509 *certificate, X509 *issuer, int nid, const char *value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    bool is_added = extension != nullptr && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return is_added;
}

X509 *certificate_new(EVP_PKEY *key, const char *name, int64_t life_s) {
    X509 *certificate = X509_new();
    uint64_t serial;
    random_fill(&serial, sizeof serial);
    bool is_made =
        certificate != nullptr && X509_set_version(certificate, X509_VERSION_3) == 1 &&
        ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1) == 1 &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATED_S) != nullptr &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), life_s) != nullptr &&
        X509_set_pubkey(certificate, key) == 1 &&
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                   (const unsigned char *)name, -1, -1, 0) == 1;
    if (!is_made) {
        X509_free(certificate);
        return nullptr;
    }
    return certificate;
}

bool certificate_sign(X509 *certificate, X509 *issuer, EVP_PKEY *issuer_key) {
    return X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
           X509_sign(certificate, issuer_key, EVP_sha256()) > 0;
}

bool certificate_write(X509 *certificate, struct builder *out) {
    BIO *memory = BIO_new(BIO_s_mem());
    char *text = nullptr;
    bool is_written = memory != nullptr && PEM_write_bio_X509(memory, certificate) == 1;
    long size = is_written ? BIO_get_mem_data(memory, &text) : 0;
    builder_bytes(out, slice_of(text, (size_t)size));
    BIO_free(memory);
    return is_written && builder_is_ok(out);
}

bool certificate_trust_system(X509_STORE *store) {
    for (size_t i = 0; i < sizeof SYSTEM_FILES / sizeof SYSTEM_FILES[0]; i++) {
        if (X509_STORE_load_file(store, SYSTEM_FILES[i]) == 1) {
            return true;
        }
    }
    return false;
}
