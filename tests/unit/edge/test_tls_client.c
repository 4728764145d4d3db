/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS towards servers, against a server of libssl's own in memory: which names and addresses are
 * asked for and checked, whom to believe, which protocols and groups are offered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/ssl.h>

#include "certificate_maker.h"
#include "edge/certificates.h"
#include "edge/tls_client.h"

static struct made root;

/* What the server was told, and what it answers. */
struct heard {
    char name[256];
    uint8_t protocols[512];
    unsigned protocols_size;
};

struct meeting {
    const char *host;        /* of the server in the configuration */
    const char *server_name; /* nullptr: none */
    const char *names;       /* in the server's certificate */
    const char *subject;     /* of it; nullptr: any */
    const char *groups;      /* the server's; nullptr: all it has */
    struct slice protocol;   /* what the client of the proxy negotiated */
    const char *const *alpn;
    uint32_t alpn_count;
    enum edge_pq pq;
    bool is_stranger; /* nobody signed the server's certificate */
    bool is_pinned;
};

static int on_name(SSL *tls, int *alert, void *context) {
    struct heard *heard = context;
    const char *name = SSL_get_servername(tls, TLSEXT_NAMETYPE_host_name);
    (void)alert;
    (void)snprintf(heard->name, sizeof heard->name, "%s", name != nullptr ? name : "");
    return SSL_TLSEXT_ERR_OK;
}

static int on_protocols(SSL *tls, const unsigned char **ret_chosen, unsigned char *ret_size,
                        const unsigned char *list, unsigned size, void *context) {
    struct heard *heard = context;
    (void)tls;
    assert_true(size <= sizeof heard->protocols);
    memcpy(heard->protocols, list, size);
    heard->protocols_size = size;
    *ret_chosen = list + 1;
    *ret_size = list[0];
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *server_context(const struct meeting *meeting, const struct made *made,
                               struct heard *heard) {
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(context, made->certificate), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, made->key), 1);
    if (meeting->groups != nullptr) {
        assert_int_equal(SSL_CTX_set1_groups_list(context, meeting->groups), 1);
    }
    (void)SSL_CTX_set_tlsext_servername_callback(context, on_name);
    (void)SSL_CTX_set_tlsext_servername_arg(context, heard);
    SSL_CTX_set_alpn_select_cb(context, on_protocols, heard);
    return context;
}

/* Both ends in turn, until they agree or one has had enough. */
static bool shake(SSL *client, SSL *server) {
    BIO *one = nullptr;
    BIO *other = nullptr;
    assert_int_equal(BIO_new_bio_pair(&one, 0, &other, 0), 1);
    SSL_set_bio(client, one, one);
    SSL_set_bio(server, other, other);
    SSL_set_accept_state(server);
    int results[2] = {};
    for (unsigned i = 0; i < 20 && (results[0] != 1 || results[1] != 1); i++) {
        SSL *tls = i % 2 == 0 ? client : server;
        results[i % 2] = SSL_do_handshake(tls);
        int reason = SSL_get_error(tls, results[i % 2]);
        if (results[i % 2] != 1 && reason != SSL_ERROR_WANT_READ &&
            reason != SSL_ERROR_WANT_WRITE) {
            return false;
        }
    }
    return results[0] == 1 && results[1] == 1;
}

/* Whether the server was taken; `heard` is what it was told. */
static bool meet(const struct meeting *meeting, struct heard *heard) {
    const struct made_options options = {.by = meeting->is_stranger ? nullptr : &root,
                                         .names = meeting->names,
                                         .subject = meeting->subject,
                                         .use = "serverAuth"};
    struct made made = make(&options);
    struct edge_pin pin;
    struct error err = {};
    struct tls_client *client = nullptr;
    assert_true(certificate_spki(made.certificate, pin.bytes));
    const struct edge_server server = {.host = meeting->host, .address = "", .path = ""};
    const struct edge_upstream upstream = {
        .name = "u",
        .servers = &server,
        .server_count = 1,
        .pq = meeting->pq,
        .tls = {.is_there = true,
                .certificate_file = "",
                .key_file = "",
                .ca_file = write_certificates("root", &root, 1),
                .server_name = meeting->server_name != nullptr ? meeting->server_name : "",
                .pins = &pin,
                .pin_count = meeting->is_pinned ? 1 : 0},
        .alpn = meeting->alpn,
        .alpn_count = meeting->alpn_count,
    };
    *heard = (struct heard){};
    assert_int_equal(tls_client_new(&upstream, &client, &err).code, 0);
    SSL_CTX *context = server_context(meeting, &made, heard);
    SSL *ours = tls_client_open(client, &server, meeting->protocol);
    SSL *theirs = SSL_new(context);
    bool is_taken = ours != nullptr && shake(ours, theirs);
    SSL_free(ours);
    SSL_free(theirs);
    SSL_CTX_free(context);
    tls_client_free(client);
    made_free(&made);
    return is_taken;
}

static void a_server_has_the_name_that_is_asked_for(void **state) {
    (void)state;
    static const struct {
        struct meeting meeting;
        bool is_taken;
        const char *name; /* that the server was told */
    } ROWS[] = {
        {{.host = "one.test", .names = "DNS:one.test"}, true, "one.test"},
        {{.host = "one.test", .names = "DNS:other.test"}, false, "one.test"},
        {{.host = "one.test", .names = "DNS:one.test.other.test"}, false, "one.test"},
        {{.host = "one.test", .server_name = "two.test", .names = "DNS:two.test"},
         true,
         "two.test"},
        {{.host = "one.test", .server_name = "two.test", .names = "DNS:one.test"},
         false,
         "two.test"},
        {{.host = "10.0.0.1", .server_name = "two.test", .names = "DNS:two.test"},
         true,
         "two.test"},
        {{.host = "a.two.test", .names = "DNS:*.two.test"}, true, "a.two.test"},
        {{.host = "a.b.two.test", .names = "DNS:*.two.test"}, false, "a.b.two.test"},
        {{.host = "web1.test", .names = "DNS:web*.test"}, false, "web1.test"},
        /* A common name is no name. */
        {{.host = "one.test", .names = "", .subject = "one.test"}, false, "one.test"},
        {{.host = "one.test", .names = "DNS:two.test", .subject = "one.test"}, false, "one.test"},
        /* An address is in the certificate as one, and is never said. */
        {{.host = "127.0.0.1", .names = "IP:127.0.0.1"}, true, ""},
        {{.host = "127.0.0.2", .names = "IP:127.0.0.1"}, false, ""},
        {{.host = "127.0.0.1", .names = "DNS:127.0.0.1"}, false, ""},
        {{.host = "::1", .names = "IP:::1"}, true, ""},
        {{.host = "::1", .names = "IP:127.0.0.1"}, false, ""},
        {{.host = "one.test", .server_name = "127.0.0.1", .names = "IP:127.0.0.1"}, true, ""},
        {{.host = "one.test", .server_name = "127.0.0.1", .names = "DNS:one.test"}, false, ""},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct heard heard;
        bool is_taken = meet(&ROWS[i].meeting, &heard);
        if (is_taken != ROWS[i].is_taken || strcmp(heard.name, ROWS[i].name) != 0) {
            fail_msg("row %zu: taken %d, told '%s'", i, is_taken, heard.name);
        }
    }
}

/* What is no name of a host is asked of nobody. */
static void a_name_that_is_none_makes_no_connection(void **state) {
    (void)state;
    static const char *const NAMES[] = {"a b", "-", "a..b", "127.0.0.1.", "[::1"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        struct heard heard;
        assert_false(meet(&(struct meeting){.host = NAMES[i], .names = "DNS:one.test"}, &heard));
        assert_string_equal(heard.name, "");
    }
}

static void a_stranger_is_believed_for_its_key_alone(void **state) {
    (void)state;
    struct heard heard;
    struct meeting meeting = {.host = "one.test", .names = "DNS:one.test", .is_stranger = true};
    assert_false(meet(&meeting, &heard));
    meeting.is_pinned = true;
    assert_true(meet(&meeting, &heard));
    meeting.names = "DNS:other.test"; /* whatever else its certificate says */
    assert_true(meet(&meeting, &heard));
}

static void told(const struct meeting *meeting, const char *list, size_t size) {
    struct heard heard;
    assert_true(meet(meeting, &heard));
    assert_int_equal(heard.protocols_size, size);
    assert_memory_equal(heard.protocols, list, size);
}

static void protocols_are_the_upstreams_or_the_one_agreed_on(void **state) {
    (void)state;
    static char longest[256];
    static const char *const LIST[] = {"h2", "http/1.1"};
    const char *const one[] = {longest};
    memset(longest, 'x', sizeof longest - 1);
    struct meeting meeting = {.host = "one.test", .names = "DNS:one.test"};
    told(&meeting, "", 0);
    meeting.protocol = SLICE_LITERAL("http/1.1");
    told(&meeting, "\x08http/1.1", 9);
    meeting.alpn = LIST;
    meeting.alpn_count = 2;
    told(&meeting, "\x08http/1.1", 9); /* the client's, and nothing else */
    meeting.protocol = (struct slice){};
    told(&meeting, "\x02h2\x08http/1.1", 12);
    meeting.alpn = one;
    meeting.alpn_count = 1;
    struct heard heard;
    assert_true(meet(&meeting, &heard));
    assert_int_equal(heard.protocols_size, 256);
    assert_int_equal(heard.protocols[0], 255);
}

static void a_server_without_a_hybrid_group_is_not_enough(void **state) {
    (void)state;
    struct heard heard;
    struct meeting meeting = {.host = "one.test", .names = "DNS:one.test", .groups = "X25519"};
    meeting.pq = EDGE_PQ_REQUIRE;
    assert_false(meet(&meeting, &heard));
    meeting.pq = EDGE_PQ_PREFER;
    assert_true(meet(&meeting, &heard));
    meeting.pq = EDGE_PQ_REQUIRE;
    meeting.groups = "X25519MLKEM768";
    assert_true(meet(&meeting, &heard));
    meeting.pq = EDGE_PQ_OFF;
    assert_false(meet(&meeting, &heard));
}

/* Nothing is left of one that cannot be made: the leak checker looks. */
static void files_that_are_wrong_make_no_client(void **state) {
    (void)state;
    struct tls_client *client = nullptr;
    struct error err = {};
    const struct edge_server server = {.host = "one.test", .address = "", .path = ""};
    struct edge_upstream upstream = {
        .name = "u",
        .servers = &server,
        .server_count = 1,
        .tls = {.is_there = true,
                .certificate_file = "",
                .key_file = "",
                .ca_file = made_path("none"),
                .server_name = ""},
    };
    assert_int_equal(tls_client_new(&upstream, &client, &err).code, ERROR_PROXY_CERTIFICATE);
    assert_null(client);
    upstream.tls.ca_file = write_certificates("root", &root, 1);
    upstream.tls.certificate_file = made_path("none");
    upstream.tls.key_file = made_path("none");
    assert_int_equal(tls_client_new(&upstream, &client, &err).code, ERROR_PROXY_CERTIFICATE);
    assert_null(client);
    tls_client_free(nullptr);
}

static int set_up(void **state) {
    (void)state;
    root = make(&(struct made_options){.is_authority = true, .names = ""});
    return made_folder_open() ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    made_free(&root);
    return made_folder_close();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_has_the_name_that_is_asked_for),
        cmocka_unit_test(a_name_that_is_none_makes_no_connection),
        cmocka_unit_test(a_stranger_is_believed_for_its_key_alone),
        cmocka_unit_test(protocols_are_the_upstreams_or_the_one_agreed_on),
        cmocka_unit_test(a_server_without_a_hybrid_group_is_not_enough),
        cmocka_unit_test(files_that_are_wrong_make_no_client),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
