/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/certificate_check.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "enclave/es256.h"

enum { RSA_BITS_MIN = 2048 };

/* What signs in TLS 1.3 (RFC 8446, section 4.2.3; ML-DSA: draft-ietf-tls-mldsa). */
static const char *const KEY_TYPES[] = {"RSA",   "RSA-PSS",   "EC",        "ED25519",
                                        "ED448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87"};
static const struct {
    const char *group, *name;
} CURVES[] = {{SN_X9_62_prime256v1, "P-256"}, {SN_secp384r1, "P-384"}, {SN_secp521r1, "P-521"}};

void certificate_warn(struct certificates *certificates, const char *format, ...) {
    if (certificates->warning_count == CERTIFICATE_WARNINGS) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(certificates->warnings[certificates->warning_count++],
                    sizeof certificates->warnings[0], format, arguments);
    va_end(arguments);
}

[[gnu::format(printf, 4, 5)]]
static status_t refuse(const char *file, const char *hint, struct error *err, const char *format,
                       ...) {
    char why[192];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(why, sizeof why, format, arguments);
    va_end(arguments);
    (void)error_set(err, ERROR_PROXY_CERTIFICATE, 0, "cannot use %.250s: %s", file, why);
    error_hint(err, "%s", hint);
    return (status_t){ERROR_PROXY_CERTIFICATE};
}

static const char *curve_of(const EVP_PKEY *key, char group[static 64]) {
    if (EVP_PKEY_get_group_name(key, group, 64, nullptr) != 1) {
        (void)snprintf(group, 64, "with parameters of its own");
    }
    for (size_t i = 0; i < sizeof CURVES / sizeof CURVES[0]; i++) {
        if (strcmp(group, CURVES[i].group) == 0) {
            return CURVES[i].name;
        }
    }
    return nullptr;
}

const char *certificate_key_text(const EVP_PKEY *key,
                                 char text[static CERTIFICATE_KEY_TEXT_BYTES]) {
    char group[64];
    const char *type = EVP_PKEY_get0_type_name(key);
    if (EVP_PKEY_is_a(key, "EC")) {
        const char *curve = curve_of(key, group);
        (void)snprintf(text, CERTIFICATE_KEY_TEXT_BYTES, "ECDSA %.40s",
                       curve != nullptr ? curve : group);
    } else if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
        (void)snprintf(text, CERTIFICATE_KEY_TEXT_BYTES, "%s %d", type, EVP_PKEY_get_bits(key));
    } else {
        (void)snprintf(text, CERTIFICATE_KEY_TEXT_BYTES, "%.40s", type);
    }
    return text;
}

static status_t check_key(const EVP_PKEY *key, const char *file, struct error *err) {
    static const char NEW_KEY[] = "Make a new key: openssl ecparam -name prime256v1 -genkey -noout";
    char group[64];
    bool is_known = false;
    for (size_t i = 0; i < sizeof KEY_TYPES / sizeof KEY_TYPES[0]; i++) {
        is_known = is_known || EVP_PKEY_is_a(key, KEY_TYPES[i]);
    }
    if (!is_known) {
        const char *type = EVP_PKEY_get0_type_name(key);
        return refuse(file, NEW_KEY, err, "TLS 1.3 has no signatures with a key of type %.40s",
                      type != nullptr ? type : "unknown");
    }
    if (EVP_PKEY_is_a(key, "EC") && curve_of(key, group) == nullptr) {
        return refuse(file, NEW_KEY, err,
                      "TLS 1.3 has no signatures on the curve %.40s, but on P-256, P-384 and P-521",
                      group);
    }
    bool is_rsa = EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS");
    return is_rsa && EVP_PKEY_get_bits(key) < RSA_BITS_MIN
               ? refuse(file, NEW_KEY, err, "its RSA key has %d bits, at least %d are needed",
                        EVP_PKEY_get_bits(key), RSA_BITS_MIN)
               : STATUS_OK;
}

static void write_date(const ASN1_TIME *time, char text[static 32]) {
    struct tm date = {};
    if (ASN1_TIME_to_tm(time, &date) != 1 || strftime(text, 32, "%Y-%m-%d %H:%M UTC", &date) == 0) {
        (void)snprintf(text, 32, "a time that is none");
    }
}

int certificate_days(const X509 *certificate) {
    int days = 0, seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1) {
        return -1;
    }
    return seconds < 0 ? days - 1 : days;
}

static status_t check_dates(struct certificates *certificates, const X509 *certificate,
                            const char *file, struct error *err) {
    char date[32];
    if (X509_cmp_current_time(X509_get0_notAfter(certificate)) <= 0) {
        write_date(X509_get0_notAfter(certificate), date);
        return refuse(file, "Renew it; if the date is right, look at this machine's clock: date -u",
                      err, "it expired at %s", date);
    }
    if (X509_cmp_current_time(X509_get0_notBefore(certificate)) > 0) {
        write_date(X509_get0_notBefore(certificate), date);
        return refuse(file, "Wait until then, or look at this machine's clock: date -u", err,
                      "it is not valid before %s", date);
    }
    int days = certificate_days(certificate);
    if (days < CERTIFICATE_SOON_DAYS) {
        if (days == 0) {
            certificate_warn(certificates, "%.150s expires within a day; renew it", file);
        } else {
            certificate_warn(certificates, "%.150s expires in %d day%s; renew it", file, days,
                             days == 1 ? "" : "s");
        }
    }
    return STATUS_OK;
}

/* The key may belong to another certificate of the file. */
static status_t check_pair(const struct certificates *certificates, const struct edge_tls *tls,
                           struct error *err) {
    if (X509_check_private_key(certificates->leaf, certificates->key) == 1) {
        return STATUS_OK;
    }
    ERR_clear_error();
    for (int i = 0; i < sk_X509_num(certificates->chain); i++) {
        if (X509_check_private_key(sk_X509_value(certificates->chain, i), certificates->key) == 1) {
            return refuse(tls->certificate_file,
                          "Put the certificate of the key first: cat leaf.pem intermediate.pem > "
                          "FILE",
                          err, "its chain is in the wrong order: the key is that of certificate %d",
                          i + 2);
        }
        ERR_clear_error();
    }
    return refuse(
        tls->key_file,
        "Name the two files that were made together; after a renewal that made a new key, "
        "both have to be replaced.",
        err, "the key does not belong to the certificate in %.80s", tls->certificate_file);
}

static status_t check_purpose(const struct certificates *certificates, const char *file,
                              bool is_server, struct error *err) {
    int purpose = is_server ? X509_PURPOSE_SSL_SERVER : X509_PURPOSE_SSL_CLIENT;
    return X509_check_purpose(certificates->leaf, purpose, 0) == 1
               ? STATUS_OK
               : refuse(file, "Have one issued with the right extendedKeyUsage and keyUsage.", err,
                        "it is not for %s: peers would refuse it",
                        is_server ? "servers (serverAuth)" : "clients (clientAuth)");
}

static void warn_of_chain(struct certificates *certificates, const char *file) {
    X509 *before = certificates->leaf;
    for (int i = 0; i < sk_X509_num(certificates->chain); i++) {
        X509 *next = sk_X509_value(certificates->chain, i);
        if (X509_check_issued(next, before) != X509_V_OK) {
            certificate_warn(certificates,
                             "certificate %d of %.150s did not issue the one before it; some "
                             "clients will not find the chain",
                             i + 2, file);
            return;
        }
        if (X509_cmp_current_time(X509_get0_notAfter(next)) <= 0) {
            certificate_warn(certificates, "certificate %d of %.150s has expired", i + 2, file);
        }
        if (X509_self_signed(next, 0) == 1) {
            certificate_warn(certificates,
                             "certificate %d of %.150s is a root, which clients have or do not "
                             "trust: leave it out",
                             i + 2, file);
        }
        before = next;
    }
}

/* What is left is libssl's to judge: its security level, signature algorithms it lacks. */
static status_t check_with_libssl(const struct certificates *certificates, const char *file,
                                  struct error *err) {
    SSL_CTX *context = SSL_CTX_new(TLS_method());
    bool is_taken = context != nullptr &&
                    SSL_CTX_use_cert_and_key(context, certificates->leaf, certificates->key,
                                             certificates->chain, 1) == 1;
    const char *why = is_taken ? nullptr : ERR_reason_error_string(ERR_peek_last_error());
    SSL_CTX_free(context);
    ERR_clear_error();
    return is_taken ? STATUS_OK
                    : refuse(file, "Have another one issued, with a P-256 key and SHA-256.", err,
                             "libssl refuses it: %.100s", why != nullptr ? why : "no reason given");
}

status_t certificate_check(struct certificates *certificates, const struct edge_tls *tls,
                           bool is_server, struct error *err) {
    const char *file = tls->certificate_file;
    if (sk_X509_num(certificates->chain) >= LIMIT_EDGE_CHAIN) {
        limit_hit(LIMIT_ID_EDGE_CHAIN);
        return refuse(file, "Leave the leaf and its intermediates; the rest belongs under ca.", err,
                      "it holds %d certificates", sk_X509_num(certificates->chain) + 1);
    }
    TRY(check_pair(certificates, tls, err));
    TRY(check_key(X509_get0_pubkey(certificates->leaf), file, err));
    if (tls->attest && !es256_is_key(certificates->key)) {
        return refuse(file, "Give the listener an ECDSA key on P-256, or leave attest out.", err,
                      "evidence is signed with ES256, and its key is of another kind");
    }
    TRY(check_dates(certificates, certificates->leaf, file, err));
    TRY(check_purpose(certificates, file, is_server, err));
    if (is_server && X509_get_ext_by_NID(certificates->leaf, NID_subject_alt_name, -1) < 0) {
        certificate_warn(certificates, "%.150s has no subjectAltName; browsers refuse it", file);
    }
    warn_of_chain(certificates, file);
    return check_with_libssl(certificates, file, err);
}

status_t certificate_check_authority(struct certificates *certificates, X509 *authority,
                                     const char *file, struct error *err) {
    if (X509_check_ca(authority) == 0) {
        return refuse(file, "Name the certificate of who issued it, or pin its key under pins.",
                      err, "a certificate in it is no authority's");
    }
    if (X509_cmp_current_time(X509_get0_notAfter(authority)) <= 0) {
        certificate_warn(certificates, "an authority in %.150s has expired: nobody is let in by it",
                         file);
    }
    return STATUS_OK;
}
