/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate for development.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edge/certificates.h"
#include "edge/development.h"

static char folder[64], certificate[96], key[96];

static void touch(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
}

static void nothing_is_overwritten(void **state) {
    (void)state;
    enum development_made made = DEVELOPMENT_MADE;
    struct error err = {};
    struct stat status;
    touch(certificate);
    assert_int_equal(development_make(certificate, key, &made, &err).code, ERROR_PROXY_CERTIFICATE);
    assert_non_null(strstr(err.hint, "beside it"));
    assert_int_equal(access(key, F_OK), -1);
    touch(key);
    assert_int_equal(development_make(certificate, key, &made, &err).code, 0);
    assert_int_equal(made, DEVELOPMENT_THERE);
    assert_int_equal(stat(certificate, &status), 0);
    assert_int_equal(status.st_size, 0);
    assert_int_equal(unlink(certificate), 0);
    assert_int_equal(development_make(certificate, key, &made, &err).code, ERROR_PROXY_CERTIFICATE);
    assert_int_equal(unlink(key), 0);
}

static void a_link_that_leads_nowhere_counts_as_there(void **state) {
    (void)state;
    enum development_made made = DEVELOPMENT_THERE;
    struct error err = {};
    assert_int_equal(symlink("nowhere", key), 0);
    assert_int_equal(development_make(certificate, key, &made, &err).code, ERROR_PROXY_CERTIFICATE);
    assert_int_equal(unlink(key), 0);
}

static void a_folder_that_is_not_there(void **state) {
    (void)state;
    enum development_made made = DEVELOPMENT_THERE;
    struct error err = {};
    assert_int_equal(development_make("nowhere/c", "nowhere/k", &made, &err).code, ERROR_IO);
    assert_int_equal(made, DEVELOPMENT_THERE);
}

static void what_is_made_serves(void **state) {
    (void)state;
    enum development_made made = DEVELOPMENT_THERE;
    struct certificates *certificates = nullptr;
    struct error err = {};
    struct stat status;
    struct builder names;
    builder_init(&names, 256);
    assert_int_equal(development_make(certificate, key, &made, &err).code, 0);
    assert_int_equal(made, DEVELOPMENT_MADE);
    assert_int_equal(stat(key, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    const struct edge_tls tls = {.is_there = true,
                                 .certificate_file = certificate,
                                 .key_file = key,
                                 .ca_file = certificate,
                                 .server_name = ""};
    for (int is_server = 0; is_server < 2; is_server++) {
        assert_int_equal(certificates_load(&tls, is_server == 1, &certificates, &err).code, 0);
        assert_int_equal(certificates->warning_count, 0);
        if (is_server == 0) {
            certificate_names(certificates->leaf, &names);
        }
        certificates_free(certificates);
    }
    assert_string_equal(builder_c_string(&names), DEVELOPMENT_NAMES);
    builder_deinit(&names);
}

static uint32_t told_count;
static void told(const struct edge_tls *tls) {
    assert_true(tls->dev);
    told_count++;
}

static void only_what_says_dev_is_made(void **state) {
    (void)state;
    char other[128];
    struct error err = {};
    (void)snprintf(other, sizeof other, "%s/other", folder);
    (void)unlink(certificate);
    (void)unlink(key);
    struct edge_tls mine = {
        .is_there = true, .dev = true, .certificate_file = certificate, .key_file = key};
    struct edge_tls real = {.is_there = true, .certificate_file = other, .key_file = other};
    const struct edge_listener listeners[] = {{.tls = real}, {.tls = mine}, {.tls = mine}};
    const struct edge_config config = {.listeners = listeners, .listener_count = 3};
    assert_int_equal(development_make_all(&config, told, &err).code, 0);
    assert_int_equal(told_count, 1);
    assert_int_equal(access(other, F_OK), -1);
}

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "edge-development-XXXXXX");
    if (mkdtemp(folder) == nullptr) {
        return -1;
    }
    (void)snprintf(certificate, sizeof certificate, "%s/cert", folder);
    (void)snprintf(key, sizeof key, "%s/key", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlink(certificate);
    (void)unlink(key);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(a_link_that_leads_nowhere_counts_as_there),
        cmocka_unit_test(a_folder_that_is_not_there),
        cmocka_unit_test(what_is_made_serves),
        cmocka_unit_test(only_what_says_dev_is_made),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
