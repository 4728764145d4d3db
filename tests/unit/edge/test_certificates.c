/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificate files that are wrong, each with what is said; then the good ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "certificate_maker.h"
#include "edge/certificates.h"

static struct made good;

static struct edge_tls tls_of(const char *certificate, const char *key) {
    return (struct edge_tls){.is_there = true,
                             .certificate_file = certificate,
                             .key_file = key,
                             .ca_file = "",
                             .server_name = ""};
}

static void refused(const struct edge_tls *tls, const char *message, const char *hint) {
    struct certificates *certificates = nullptr;
    struct error err = {};
    status_t status = certificates_load(tls, true, &certificates, &err);
    if (status_is_ok(status) || err.code != ERROR_PROXY_CERTIFICATE ||
        strstr(err.message, message) == nullptr || strstr(err.hint, hint) == nullptr) {
        fail_msg("wanted: %s\n got: %s\n hint: %s", message, err.message, err.hint);
    }
    assert_null(certificates);
}

static void refused_certificate(const char *path, const char *message, const char *hint) {
    const struct edge_tls tls = tls_of(path, write_key("key", good.key, nullptr));
    refused(&tls, message, hint);
}

static void refused_key(const char *path, const char *message, const char *hint) {
    const struct edge_tls tls = tls_of(write_certificates("good", &good, 1), path);
    refused(&tls, message, hint);
}

/* A certificate of its own, which is wrong. */
static void refused_made(const struct made_options *options, const char *message,
                         const char *hint) {
    struct made made = make(options);
    const struct edge_tls tls =
        tls_of(write_certificates("bad", &made, 1), write_key("bad.key", made.key, nullptr));
    refused(&tls, message, hint);
    made_free(&made);
}

static void files_that_are_no_certificate(void **state) {
    (void)state;
    static const char DAMAGED[] = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    static const char REQUEST[] =
        "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";
    unsigned char *der = nullptr;
    int size = i2d_X509(good.certificate, &der);
    refused_certificate(made_path("none"), "cannot read the certificate", "airlock proxy init");
    refused_certificate(made_folder, "it is no regular file", "PEM");
    refused_certificate(write_bytes("empty", "", 0), "it is empty", "renewal");
    refused_certificate(write_bytes("der", der, (size_t)size), "it is in DER, not in PEM",
                        "openssl x509 -inform DER");
    refused_certificate(write_key("swapped", good.key, nullptr),
                        "it holds a private key, no certificate", "under key:");
    refused_certificate(write_bytes("request", REQUEST, sizeof REQUEST - 1),
                        "it holds a request for a certificate", "sign it");
    refused_certificate(write_bytes("damaged", DAMAGED, sizeof DAMAGED - 1),
                        "a certificate in it is damaged", "openssl x509 -noout");
    refused_certificate(write_bytes("text", "hello\n", 6), "it holds no certificate", "BEGIN");
    OPENSSL_free(der);
}

static void files_that_are_no_key(void **state) {
    (void)state;
    static const char DAMAGED[] = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
    static const char PUBLIC[] = "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n";
    struct made other = make(&(struct made_options){});
    refused_key(made_path("none"), "cannot read the key", "Put it there");
    refused_key(write_bytes("empty.key", "", 0), "it is empty", "");
    refused_key(write_bytes("der.key", "\x30\x01\x00", 3), "it is in DER, not in PEM",
                "openssl pkey -inform DER");
    refused_key(write_certificates("swapped.key", &good, 1), "it holds a certificate, no private",
                "under cert:");
    refused_key(write_bytes("public.key", PUBLIC, sizeof PUBLIC - 1), "it holds a public key", "");
    refused_key(write_bytes("damaged.key", DAMAGED, sizeof DAMAGED - 1), "is damaged", "");
    refused_key(write_bytes("text.key", "hello\n", 6), "it holds no private key", "BEGIN");
    refused_key(write_key("locked.key", good.key, "secret"), "the key in it is encrypted",
                "openssl pkey -in");
    refused_key(write_key("other.key", other.key, nullptr),
                "the key does not belong to the certificate in", "made together");
    made_free(&other);
}

/* Root reads everything, so it becomes nobody meanwhile. */
static void a_file_that_may_not_be_read(void **state) {
    (void)state;
    const struct edge_tls tls =
        tls_of(write_certificates("closed", &good, 1), write_key("key", good.key, nullptr));
    bool is_root = geteuid() == 0;
    assert_int_equal(chmod(tls.certificate_file, 0), 0);
    if (is_root && seteuid(65534) != 0) {
        skip();
    }
    struct certificates *certificates = nullptr;
    struct error err = {};
    status_t status = certificates_load(&tls, true, &certificates, &err);
    assert_true(!is_root || seteuid(0) == 0);
    assert_int_equal(status.code, ERROR_PROXY_CERTIFICATE);
    assert_non_null(strstr(err.message, "cannot read the certificate"));
    assert_non_null(strstr(err.hint, "chgrp"));
}

static void certificates_that_peers_would_refuse(void **state) {
    (void)state;
    refused_made(&(struct made_options){.from_s = -1000000, .until_s = -60}, "it expired at 20",
                 "Renew it");
    refused_made(&(struct made_options){.from_s = 86400}, "it is not valid before 20", "clock");
    refused_made(&(struct made_options){.key = "RSA:1024"},
                 "its RSA key has 1024 bits, at least 2048 are needed", "new key");
    refused_made(&(struct made_options){.key = "EC:secp256k1"},
                 "TLS 1.3 has no signatures on the curve secp256k1", "new key");
    refused_made(&(struct made_options){.use = "clientAuth"}, "it is not for servers",
                 "extendedKeyUsage");
}

static void a_key_that_evidence_is_not_signed_with(void **state) {
    (void)state;
    struct made made = make(&(struct made_options){.key = "EC:P-384"});
    struct edge_tls tls =
        tls_of(write_certificates("attest", &made, 1), write_key("attest.key", made.key, nullptr));
    tls.attest = true;
    refused(&tls, "evidence is signed with ES256", "P-256");
    made_free(&made);
}

static void a_leaf_that_is_not_first(void **state) {
    (void)state;
    struct made authority = make(&(struct made_options){.is_authority = true});
    struct made leaf = make(&(struct made_options){.by = &authority});
    const struct made turned[] = {authority, leaf};
    const struct edge_tls tls =
        tls_of(write_certificates("turned", turned, 2), write_key("leaf.key", leaf.key, nullptr));
    refused(&tls, "its chain is in the wrong order: the key is that of certificate 2", "first");
    made_free(&leaf);
    made_free(&authority);
}

static void authorities_that_are_none(void **state) {
    (void)state;
    struct made leaf = make(&(struct made_options){});
    struct edge_tls tls =
        tls_of(write_certificates("c", &good, 1), write_key("k", good.key, nullptr));
    X509_set_version(leaf.certificate, X509_VERSION_3);
    (void)certificate_extend(leaf.certificate, leaf.certificate, NID_basic_constraints, "CA:FALSE");
    (void)X509_sign(leaf.certificate, leaf.key, EVP_sha256());
    tls.ca_file = write_certificates("ca", &leaf, 1);
    refused(&tls, "a certificate in it is no authority's", "pin its key");
    tls.ca_file = made_path("none");
    refused(&tls, "cannot read the authorities", "");
    made_free(&leaf);
}

static struct certificates *loaded(const struct edge_tls *tls, bool is_server) {
    struct certificates *certificates = nullptr;
    struct error err = {};
    if (!status_is_ok(certificates_load(tls, is_server, &certificates, &err))) {
        fail_msg("%s", err.message);
    }
    return certificates;
}

static void what_works_but(void **state) {
    (void)state;
    struct made root = make(&(struct made_options){.is_authority = true});
    struct made soon = make(&(struct made_options){.by = &root, .until_s = 86400, .names = ""});
    const struct made chain[] = {soon, good, root};
    struct edge_tls tls =
        tls_of(write_certificates("soon", chain, 3), write_key("soon.key", soon.key, nullptr));
    assert_int_equal(chmod(tls.key_file, 0644), 0);
    struct certificates *certificates = loaded(&tls, true);
    static const char *const WANTED[] = {"others can read the key", "expires in ",
                                         "no subjectAltName", "did not issue the one before it"};
    assert_int_equal(certificates->warning_count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_non_null(strstr(certificates->warnings[i], WANTED[i]));
    }
    certificates_free(certificates);
    made_free(&soon);
    made_free(&root);
}

static void every_kind_of_key_that_tls_1_3_signs_with(void **state) {
    (void)state;
    static const struct {
        const char *key, *text;
    } ROWS[] = {{"EC:P-256", "ECDSA P-256"},
                {"EC:P-384", "ECDSA P-384"},
                {"RSA:2048", "RSA 2048"},
                {"ED25519", "ED25519"},
                {"ML-DSA-65", "ML-DSA-65"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[CERTIFICATE_KEY_TEXT_BYTES];
        struct made made = make(&(struct made_options){.key = ROWS[i].key});
        const struct edge_tls tls =
            tls_of(write_certificates("c", &made, 1), write_key("k", made.key, nullptr));
        struct certificates *certificates = loaded(&tls, true);
        assert_int_equal(certificates->warning_count, 0);
        assert_string_equal(certificate_key_text(certificates->key, text), ROWS[i].text);
        certificates_free(certificates);
        made_free(&made);
    }
}

static void a_certificate_s_facts(void **state) {
    (void)state;
    struct builder names;
    struct made made =
        make(&(struct made_options){.names = "DNS:a.example,IP:127.0.0.1,IP:::1,email:a@b.c"});
    struct made nameless = make(&(struct made_options){.names = ""});
    builder_init(&names, 256);
    certificate_names(made.certificate, &names);
    assert_string_equal(builder_c_string(&names), "a.example, 127.0.0.1, ::1");
    builder_reset(&names);
    certificate_names(nameless.certificate, &names);
    assert_int_equal(strncmp(builder_c_string(&names), "test ", 5), 0);
    assert_in_range(certificate_days(made.certificate), 89, 90);
    (void)X509_gmtime_adj(X509_getm_notAfter(made.certificate), -10);
    assert_int_equal(certificate_days(made.certificate), -1);
    builder_deinit(&names);
    made_free(&made);
    made_free(&nameless);
}

static void whom_an_end_trusts(void **state) {
    (void)state;
    struct made root = make(&(struct made_options){.is_authority = true});
    struct edge_pin pin;
    struct edge_tls tls = tls_of("", "");
    assert_true(certificate_spki(good.certificate, pin.bytes));
    tls.pins = &pin;
    tls.pin_count = 1;
    struct certificates *certificates = loaded(&tls, false);
    assert_null(certificates->trusted); /* nobody but the pinned one */
    assert_null(certificates->leaf);
    assert_true(certificates_is_pinned(certificates, good.certificate));
    assert_false(certificates_is_pinned(certificates, root.certificate));
    certificates_free(certificates);
    tls.pin_count = 0;
    tls.ca_file = write_certificates("root", &root, 1);
    certificates = loaded(&tls, false);
    assert_int_equal(sk_X509_OBJECT_num(X509_STORE_get0_objects(certificates->trusted)), 1);
    assert_false(certificates_is_pinned(certificates, good.certificate));
    certificates_free(certificates);
    made_free(&root);
}

static int set_up(void **state) {
    (void)state;
    good = make(&(struct made_options){});
    return made_folder_open() ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    made_free(&good);
    return made_folder_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_that_are_no_certificate),
        cmocka_unit_test(files_that_are_no_key),
        cmocka_unit_test(a_file_that_may_not_be_read),
        cmocka_unit_test(certificates_that_peers_would_refuse),
        cmocka_unit_test(a_key_that_evidence_is_not_signed_with),
        cmocka_unit_test(a_leaf_that_is_not_first),
        cmocka_unit_test(authorities_that_are_none),
        cmocka_unit_test(what_works_but),
        cmocka_unit_test(every_kind_of_key_that_tls_1_3_signs_with),
        cmocka_unit_test(a_certificate_s_facts),
        cmocka_unit_test(whom_an_end_trusts),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
