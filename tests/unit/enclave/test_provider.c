/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_kit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "enclave/provider.h"

static char folder[64];

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/provider.XXXXXX");
    assert_non_null(mkdtemp(folder));
    return 0;
}

static void path_of(const char *name, char *ret, size_t size) {
    (void)snprintf(ret, size, "%s/%s", folder, name);
}

static int tear_down(void **state) {
    (void)state;
    char path[128];
    path_of("attestation_type", path, sizeof path);
    (void)unlink(path);
    path_of(PROVIDER_SIMULATION, path, sizeof path);
    (void)unlink(path);
    assert_int_equal(rmdir(folder), 0);
    return 0;
}

static void say(const char *type) {
    char path[128];
    path_of("attestation_type", path, sizeof path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, type, strlen(type)), (ssize_t)strlen(type));
    (void)close(fd);
}

static void types_that_are_not_known_are_errors(void **state) {
    (void)state;
    static const char *const TYPES[] = {"",     "dcap",       "epid", "none\n",
                                        "NONE", "simulation", "\xff", "airlock-simulation\n"};
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
        struct provider_socket socket_;
        struct evidence_provider provider;
        struct error err = {};
        say(TYPES[i]);
        assert_false(status_is_ok(provider_open(folder, &socket_, &provider, &err)));
        assert_int_equal(err.code, ERROR_ENCLAVE_QUOTE);
    }
}

static void nothing_there_is_none(void **state) {
    (void)state;
    struct provider_socket socket_;
    struct evidence_provider provider;
    struct error err = {};
    assert_true(status_is_ok(provider_open(folder, &socket_, &provider, &err)));
    assert_int_equal(provider.type, EVIDENCE_TYPE_NONE);
    say("none");
    assert_true(status_is_ok(provider_open(folder, &socket_, &provider, &err)));
    assert_int_equal(provider.type, EVIDENCE_TYPE_NONE);
}

/* Answers one connection with what it was sent, twice. */
static void *serve(void *listener) {
    uint8_t report[EVIDENCE_REPORT_BYTES];
    int fd = accept(*(int *)listener, nullptr, nullptr);
    if (recv(fd, report, sizeof report, MSG_WAITALL) == (ssize_t)sizeof report) {
        (void)!write(fd, report, sizeof report);
        (void)!write(fd, report, sizeof report);
    }
    (void)close(fd);
    return nullptr;
}

static void a_simulation_is_asked_over_its_socket(void **state) {
    (void)state;
    struct provider_socket socket_;
    struct evidence_provider provider;
    struct error err = {};
    struct builder quote;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t report[EVIDENCE_REPORT_BYTES];
    pthread_t thread;
    memset(report, 'r', sizeof report);
    say(PROVIDER_SIMULATION);
    builder_init(&quote, QUOTE_BYTES_MAX);
    assert_true(status_is_ok(provider_open(folder, &socket_, &provider, &err)));
    assert_int_equal(provider.type, EVIDENCE_TYPE_SIMULATION);
    assert_false(status_is_ok(provider.quote(provider.context, report, &quote, &err)));
    path_of(PROVIDER_SIMULATION, address.sun_path, sizeof address.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(pthread_create(&thread, nullptr, serve, &listener), 0);
    assert_true(status_is_ok(provider.quote(provider.context, report, &quote, &err)));
    assert_int_equal(pthread_join(thread, nullptr), 0);
    assert_int_equal(quote.size, 2 * sizeof report);
    assert_memory_equal(quote.data + sizeof report, report, sizeof report);
    (void)close(listener);
    builder_deinit(&quote);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(types_that_are_not_known_are_errors),
        ROW(nothing_there_is_none),
        ROW(a_simulation_is_asked_over_its_socket),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
