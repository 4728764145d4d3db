/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "edge/siphash.h"

/* The paper's example: key 00 01 .. 0f, message 00 01 .. 0e. */
static void the_paper_s_example(void **state) {
    (void)state;
    uint8_t message[15];
    for (uint8_t i = 0; i < sizeof message; i++) {
        message[i] = i;
    }
    struct siphash_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
    assert_int_equal(siphash(&key, slice_of(message, sizeof message)),
                     UINT64_C(0xa129ca6149be45e5));
}

/* Of every length up to 64 bytes, what another implementation makes of it. */
static void as_libcrypto_has_it(void **state) {
    (void)state;
    uint8_t raw[16];
    uint8_t message[64];
    for (uint8_t i = 0; i < sizeof message; i++) {
        raw[i % 16] = (uint8_t)(i * 7 + 3);
        message[i] = (uint8_t)(i * 31 + 250);
    }
    struct siphash_key key = {};
    for (size_t i = 0; i < 8; i++) {
        key.k0 |= (uint64_t)raw[i] << (8 * i);
        key.k1 |= (uint64_t)raw[8 + i] << (8 * i);
    }
    EVP_MAC *mac = EVP_MAC_fetch(nullptr, "SIPHASH", nullptr);
    assert_non_null(mac);
    for (size_t size = 0; size <= sizeof message; size++) {
        EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
        size_t out_size = 8;
        OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &out_size),
                                   OSSL_PARAM_construct_end()};
        uint8_t out[8];
        assert_int_equal(EVP_MAC_init(context, raw, sizeof raw, parameters), 1);
        assert_int_equal(EVP_MAC_update(context, message, size), 1);
        assert_int_equal(EVP_MAC_final(context, out, &out_size, sizeof out), 1);
        EVP_MAC_CTX_free(context);
        uint64_t expected = 0;
        for (size_t i = 0; i < 8; i++) {
            expected |= (uint64_t)out[i] << (8 * i);
        }
        assert_int_equal(siphash(&key, slice_of(message, size)), expected);
    }
    EVP_MAC_free(mac);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_paper_s_example),
        cmocka_unit_test(as_libcrypto_has_it),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
