/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/secret.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct secret *secret_of(size_t size) {
    struct secret *secret = nullptr;
    struct error err;
    assert_true(status_is_ok(secret_new(size, &secret, &err)));
    return secret;
}

/* AddressSanitizer takes mlock(2) for itself and does nothing. */
static void needs_real_mlock(void) {
#ifdef __SANITIZE_ADDRESS__
    skip();
#endif
}

static void new_secrets_are_zero_aligned_and_writable(void **state) {
    (void)state;
    for (size_t size = 1; size <= SECRET_BYTES_MAX; size += 13) {
        struct secret *secret = secret_of(size);
        uint8_t *data = secret_data(secret);
        assert_int_equal(secret_size(secret), size);
        assert_int_equal((uintptr_t)data % 16, 0);
        assert_ptr_equal(data, secret_data_const(secret));
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(data[i], 0);
        }
        memset(data, 0xa5, size);
        secret_free(secret);
    }
    secret_free(nullptr);
}

static bool byte_can_be_read(const uint8_t *address) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    ssize_t wrote = write(ends[1], address, 1);
    assert_true(wrote == 1 || errno == EFAULT);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return wrote == 1;
}

static void pages_around_it_fault(void **state) {
    (void)state;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    struct secret *secret = secret_of(32);
    const uint8_t *data = secret_data(secret);
    assert_true(byte_can_be_read(data));
    assert_true(byte_can_be_read(data + 31));
    assert_false(byte_can_be_read(data + 32));
    assert_false(byte_can_be_read(data + 32 - page - 1));
    secret_free(secret);
}

/* The flags of the mapping that holds an address, from /proc/self/smaps. */
static void flags_of(const void *address, char flags[static 512]) {
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    bool inside = false;
    assert_non_null(file);
    flags[0] = '\0';
    while (fgets(line, sizeof line, file) != nullptr) {
        unsigned long low;
        unsigned long high;
        if (sscanf(line, "%lx-%lx ", &low, &high) == 2) {
            inside = (uintptr_t)address >= low && (uintptr_t)address < high;
        } else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            (void)snprintf(flags, 512, "%s", line);
        }
    }
    (void)fclose(file);
}

static void it_is_locked_and_not_dumped(void **state) {
    (void)state;
    needs_real_mlock();
    char flags[512];
    struct secret *secret = secret_of(32);
    flags_of(secret_data(secret), flags);
    assert_non_null(strstr(flags, " lo"));
    assert_non_null(strstr(flags, " dd"));
    assert_non_null(strstr(flags, " dc"));
    secret_free(secret);
}

static void a_child_has_no_copy(void **state) {
    (void)state;
    struct secret *secret = secret_of(32);
    memset(secret_data(secret), 7, 32);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(byte_can_be_read(secret_data(secret)) ? 1 : 0);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    secret_free(secret);
}

static void without_locked_memory_it_says_so(void **state) {
    (void)state;
    needs_real_mlock();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error err = {0};
        struct secret *secret = nullptr;
        struct rlimit none = {0, 0};
        if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0)) {
            _exit(77);
        }
        bool refused = !status_is_ok(secret_new(32, &secret, &err)) && err.code == ERROR_LIMIT &&
                       strstr(error_effective_hint(&err), "ulimit -l") != nullptr;
        _exit(refused ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_secrets_are_zero_aligned_and_writable),
        cmocka_unit_test(pages_around_it_fault),
        cmocka_unit_test(it_is_locked_and_not_dumped),
        cmocka_unit_test(a_child_has_no_copy),
        cmocka_unit_test(without_locked_memory_it_says_so),
    };
    return cmocka_run_group_tests_name("secret", tests, nullptr, nullptr);
}
