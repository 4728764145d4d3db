/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole edge in a process of its own, asked about a connection by the verifier that users have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "certificate_maker.h"

#include <arpa/inet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "edge/edge.h"
#include "edge/source_limits.h"
#include "enclave/attest.h"
#include "enclave/client.h"

/* Between what signs and what charges stands this test (see the link arguments). */
struct seen {
    _Atomic uint32_t answers;       /* that were signed */
    _Atomic uint32_t charged_after; /* and then what that took was charged */
};
static struct seen *seen; /* shared with the edge's process */
static _Thread_local bool is_signed;

enum attest_result __real_attest_answer(struct slice received, const struct attest_context *context,
                                        struct builder *ret_response);
enum attest_result __wrap_attest_answer(struct slice received, const struct attest_context *context,
                                        struct builder *ret_response);
void __real_source_handshake_charged(struct source_limits *limits, const struct source_key *key,
                                     uint32_t us_per_s, uint64_t used_us);
void __wrap_source_handshake_charged(struct source_limits *limits, const struct source_key *key,
                                     uint32_t us_per_s, uint64_t used_us);

enum attest_result __wrap_attest_answer(struct slice received, const struct attest_context *context,
                                        struct builder *ret_response) {
    enum attest_result result = __real_attest_answer(received, context, ret_response);
    is_signed = result == ATTEST_ANSWERED;
    seen->answers += is_signed ? 1 : 0;
    return result;
}

void __wrap_source_handshake_charged(struct source_limits *limits, const struct source_key *key,
                                     uint32_t us_per_s, uint64_t used_us) {
    seen->charged_after += is_signed && key->is_limited && used_us > 1 ? 1 : 0;
    is_signed = false;
    __real_source_handshake_charged(limits, key, us_per_s, used_us);
}

static struct made leaf;
static char target[32];
static uint8_t nonce[32] = {1, 2, 3};

/* A port that nobody has at this moment. */
static uint16_t free_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

static int set_up(void **state) {
    (void)state;
    seen = mmap(nullptr, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(seen, MAP_FAILED);
    (void)snprintf(made_folder, sizeof made_folder, "/tmp/attestation.XXXXXX");
    assert_non_null(mkdtemp(made_folder));
    leaf = make(&(struct made_options){});
    (void)write_certificates("cert.pem", &leaf, 1);
    (void)write_key("key.pem", leaf.key, nullptr);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    made_free(&leaf);
    (void)unlink(made_path("cert.pem"));
    (void)unlink(made_path("key.pem"));
    (void)unlink(made_path("proxy.yaml"));
    (void)munmap(seen, sizeof *seen);
    return rmdir(made_folder);
}

/* An echo that attests, or not; its process. */
static pid_t serve(const char *engine, const char *attest, struct digest *ret_config) {
    char text[1024];
    uint16_t port = free_port();
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", port);
    (void)snprintf(text, sizeof text,
                   "version: 1\nengine: %s\nworkers: 1\nlisteners:\n  - name: e\n    bind: "
                   "\"tcp://%s\"\n    mode: echo\n    tls: { cert: %s, key: %s, attest: %s }\n",
                   engine, target, made_path("cert.pem"), made_path("key.pem"), attest);
    sha256_of(slice_of_string(text), ret_config);
    const struct edge_options options = {
        .file = write_bytes("proxy.yaml", text, strlen(text)),
        .log_fd = -1,
    };
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct error err = {};
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!status_is_ok(edge_run(&options, &err))) {
            (void)fprintf(stderr, "# %s: %s\n", err.message, err.detail);
            _exit(1);
        }
        _exit(0);
    }
    return pid;
}

static void stop(pid_t pid) {
    int status = 0;
    (void)kill(pid, SIGTERM);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Asks until the server listens. */
static status_t ask(struct attested *attested, struct error *err) {
    const struct timespec step = {.tv_nsec = 50000000};
    status_t status = {};
    for (unsigned i = 0; i < 200; i++) {
        status = client_ask(target, slice_of(nonce, sizeof nonce), attested, err);
        if (status_is_ok(status) || err->code != ERROR_ENCLAVE_UNREACHABLE) {
            break;
        }
        (void)nanosleep(&step, nullptr);
    }
    return status;
}

static enum evidence_result judge(const struct attested *attested, const struct digest *config) {
    struct evidence_facts facts;
    const struct clock clock = clock_system();
    const struct evidence_expectation expected = {
        .binding =
            {
                .kind = EVIDENCE_KIND_CONNECTION,
                .nonce = slice_of(nonce, sizeof nonce),
                .exporter = slice_of(attested->exporter, sizeof attested->exporter),
                .spki_hash = slice_of(attested->spki.bytes, DIGEST_BYTES),
                .group = attested->group,
                .config_hash = slice_of(config->bytes, DIGEST_BYTES),
            },
        .leaf = attested->leaf,
        .now_s = clock_wall_ms(&clock) / 1000,
        .allow_simulation = true,
    };
    return evidence_verify(builder_slice(&attested->jwt), &expected, &facts);
}

/* Outside of an enclave there is no quote; everything before it holds, for each connection its
 * own. */
static void a_connection_is_told_about_itself(void **state) {
    (void)state;
    static const char *const ENGINES[] = {"epoll", "auto"};
    for (size_t i = 0; i < sizeof ENGINES / sizeof ENGINES[0]; i++) {
        struct attested one = {};
        struct attested other = {};
        struct digest config;
        struct digest another = {};
        struct error err = {};
        pid_t pid = serve(ENGINES[i], "true", &config);
        assert_true(status_is_ok(ask(&one, &err)));
        assert_true(status_is_ok(ask(&other, &err)));
        assert_int_equal(one.group, 0x11ec);
        assert_int_equal(judge(&one, &config), EVIDENCE_NO_QUOTE);
        assert_int_equal(judge(&other, &config), EVIDENCE_NO_QUOTE);
        assert_int_equal(judge(&one, &another), EVIDENCE_CONFIG);
        struct builder kept = one.jwt;
        one.jwt = other.jwt; /* what a relay would pass on */
        assert_int_equal(judge(&one, &config), EVIDENCE_EXPORTER);
        one.jwt = kept;
        attested_deinit(&one);
        attested_deinit(&other);
        stop(pid);
    }
}

/* Whoever asks again and again runs out of it, as with handshakes. */
static void a_signature_is_charged_to_the_network(void **state) {
    (void)state;
    struct digest config;
    pid_t pid = serve("auto", "true", &config);
    for (uint32_t i = 1; i <= 3; i++) {
        struct attested attested = {};
        struct error err = {};
        assert_true(status_is_ok(ask(&attested, &err)));
        attested_deinit(&attested);
        assert_int_equal(seen->answers, i);
    }
    stop(pid);
    assert_int_equal(seen->charged_after, 3);
}

static void without_attest_nobody_answers(void **state) {
    (void)state;
    struct attested attested = {};
    struct digest config;
    struct error err = {};
    pid_t pid = serve("auto", "false", &config);
    assert_false(status_is_ok(ask(&attested, &err)));
    assert_int_equal(err.code, ERROR_ENCLAVE_SERVER);
    stop(pid);
}

static void another_kind_of_key_cannot_attest(void **state) {
    (void)state;
    struct digest config;
    int status = 0;
    struct made ed25519 = make(&(struct made_options){.key = "ED25519"});
    (void)write_certificates("cert.pem", &ed25519, 1);
    (void)write_key("key.pem", ed25519.key, nullptr);
    made_free(&ed25519);
    pid_t pid = serve("auto", "true", &config);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_connection_is_told_about_itself),
        ROW(a_signature_is_charged_to_the_network),
        ROW(without_attest_nobody_answers),
        ROW(another_kind_of_key_cannot_attest),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
