/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/certificates.h"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "crypto/hash.h"
#include "edge/certificate_check.h"
#include "edge/certificate_file.h"
#include "proxy/certificate.h"

enum { OTHERS_MODE = 077 };

static status_t load_leaf(struct certificates *certificates, const char *path, struct error *err) {
    CLEANUP(certificate_file_deinit) struct certificate_file file = {};
    TRY(certificate_file_read(path, "the certificate", &file, err));
    TRY(certificate_file_certificates(&file, &certificates->chain, err));
    certificates->leaf = sk_X509_shift(certificates->chain);
    return certificate_spki(certificates->leaf, certificates->spki)
               ? STATUS_OK
               : error_set(err, ERROR_NO_MEMORY, 0, "cannot read %.300s", path);
}

static status_t load_key(struct certificates *certificates, const char *path, struct error *err) {
    CLEANUP(certificate_file_deinit) struct certificate_file file = {};
    TRY(certificate_file_read(path, "the key", &file, err));
    TRY(certificate_file_key(&file, &certificates->key, err));
    if ((file.mode & OTHERS_MODE) != 0) {
        certificate_warn(certificates, "others can %s the key %.150s (mode %04o): chmod 600",
                         (file.mode & 044) != 0 ? "read" : "reach", path, file.mode);
    }
    return STATUS_OK;
}

static status_t trust_all(struct certificates *certificates, STACK_OF(X509) * all, const char *path,
                          struct error *err) {
    for (int i = 0; i < sk_X509_num(all); i++) {
        X509 *authority = sk_X509_value(all, i);
        TRY(certificate_check_authority(certificates, authority, path, err));
        if (X509_STORE_add_cert(certificates->trusted, authority) != 1) {
            return error_set(err, ERROR_NO_MEMORY, 0, "cannot read %.300s", path);
        }
    }
    return STATUS_OK;
}

static status_t trust_file(struct certificates *certificates, const char *path, struct error *err) {
    CLEANUP(certificate_file_deinit) struct certificate_file file = {};
    STACK_OF(X509) *all = nullptr;
    TRY(certificate_file_read(path, "the authorities", &file, err));
    TRY(certificate_file_certificates(&file, &all, err));
    status_t status = trust_all(certificates, all, path, err);
    sk_X509_pop_free(all, X509_free);
    return status;
}

static status_t load_trusted(struct certificates *certificates, const struct edge_tls *tls,
                             bool is_server, struct error *err) {
    bool is_system = tls->ca_file[0] == '\0';
    if (is_system && (is_server || tls->pin_count > 0)) {
        return STATUS_OK;
    }
    certificates->trusted = X509_STORE_new();
    if (certificates->trusted == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot load certificates");
    }
    if (!is_system) {
        return trust_file(certificates, tls->ca_file, err);
    }
    if (certificate_trust_system(certificates->trusted)) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_PROXY_CERTIFICATE, 0, "this system trusts no authorities");
    error_hint(err, "Install them (Debian: apt install ca-certificates), or name some under ca:");
    return (status_t){ERROR_PROXY_CERTIFICATE};
}

static status_t load(struct certificates *certificates, const struct edge_tls *tls, bool is_server,
                     struct error *err) {
    if (tls->certificate_file[0] != '\0') {
        TRY(load_leaf(certificates, tls->certificate_file, err));
        TRY(load_key(certificates, tls->key_file, err));
        TRY(certificate_check(certificates, tls, is_server, err));
    }
    certificates->pins = tls->pins;
    certificates->pin_count = tls->pin_count;
    return load_trusted(certificates, tls, is_server, err);
}

status_t certificates_load(const struct edge_tls *tls, bool is_server,
                           struct certificates **ret_certificates, struct error *err) {
    CLEANUP(certificates_freep) struct certificates *certificates = calloc(1, sizeof *certificates);
    if (certificates == nullptr ||
        OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT, nullptr) != 1) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot load certificates");
    }
    TRY(load(certificates, tls, is_server, err));
    *ret_certificates = TAKE(certificates);
    return STATUS_OK;
}

void certificates_free(struct certificates *certificates) {
    if (certificates == nullptr) {
        return;
    }
    X509_free(certificates->leaf);
    sk_X509_pop_free(certificates->chain, X509_free);
    EVP_PKEY_free(certificates->key);
    X509_STORE_free(certificates->trusted);
    free(certificates);
}

void certificates_freep(struct certificates **certificates) {
    certificates_free(*certificates);
    *certificates = nullptr;
}

bool certificate_spki(const X509 *certificate, uint8_t ret_spki[static EDGE_SPKI_BYTES]) {
    unsigned char *der = nullptr;
    struct digest digest;
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    if (size <= 0) {
        return false;
    }
    sha256_of(slice_of(der, (size_t)size), &digest);
    OPENSSL_free(der);
    memcpy(ret_spki, digest.bytes, EDGE_SPKI_BYTES);
    return true;
}

bool certificates_is_pinned(const struct certificates *certificates, const X509 *peer) {
    uint8_t spki[EDGE_SPKI_BYTES];
    if (certificates->pin_count == 0 || !certificate_spki(peer, spki)) {
        return false;
    }
    for (uint32_t i = 0; i < certificates->pin_count; i++) {
        if (memcmp(certificates->pins[i].bytes, spki, sizeof spki) == 0) {
            return true;
        }
    }
    return false;
}

static void write_asn1(const ASN1_STRING *text, struct builder *out) {
    text_escape(slice_of(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text)), out);
}

static bool write_name(const GENERAL_NAME *name, bool is_first, struct builder *out) {
    char text[INET6_ADDRSTRLEN] = "";
    int type = 0;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    bool is_address = type == GEN_IPADD;
    if (is_address) {
        int size = ASN1_STRING_length(value);
        (void)inet_ntop(size == 4 ? AF_INET : AF_INET6,
                        size == 4 || size == 16 ? ASN1_STRING_get0_data(value) : (uint8_t[16]){},
                        text, sizeof text);
    } else if (type != GEN_DNS) {
        return false;
    }
    builder_text(out, is_first ? "" : ", ");
    if (is_address) {
        builder_text(out, text);
    } else {
        write_asn1(value, out);
    }
    return true;
}

void certificate_names(const X509 *certificate, struct builder *out) {
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr);
    bool has_one = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        has_one = write_name(sk_GENERAL_NAME_value(names, i), !has_one, out) || has_one;
    }
    GENERAL_NAMES_free(names);
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int place = has_one ? -1 : X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (place >= 0) {
        write_asn1(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, place)), out);
    }
}
