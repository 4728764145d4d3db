/* SPDX-License-Identifier: Apache-2.0
 *
 * Instead of cipher.c and of the part of libcrypto that SQLCipher encrypts with. SQLCipher calls it
 * once a key was set, and store/database_key.c sets none here, so none of these is ever reached;
 * one that is ends the program.
 */
#include "base/assert.h"
#include "store/cipher.h"

bool cipher_is_linked(void) {
    return false;
}

/* libcrypto's headers are not here: this file stands for functions, whatever they take. */
#define ABSENT(name)                                                       \
    [[noreturn]] void name(void);                                          \
    [[noreturn]] void name(void) {                                         \
        assert_failed("no " #name " in this program", __FILE__, __LINE__); \
    }

ABSENT(ERR_error_string)
ABSENT(ERR_get_error)
ABSENT(EVP_CIPHER_CTX_free)
ABSENT(EVP_CIPHER_CTX_new)
ABSENT(EVP_CIPHER_CTX_set_padding)
ABSENT(EVP_CIPHER_get_block_size)
ABSENT(EVP_CIPHER_get_iv_length)
ABSENT(EVP_CIPHER_get_key_length)
ABSENT(EVP_CIPHER_get_nid)
ABSENT(EVP_CipherFinal_ex)
ABSENT(EVP_CipherInit_ex)
ABSENT(EVP_CipherUpdate)
ABSENT(EVP_MAC_CTX_free)
ABSENT(EVP_MAC_CTX_new)
ABSENT(EVP_MAC_fetch)
ABSENT(EVP_MAC_final)
ABSENT(EVP_MAC_free)
ABSENT(EVP_MAC_init)
ABSENT(EVP_MAC_update)
ABSENT(EVP_MD_get_size)
ABSENT(EVP_aes_256_cbc)
ABSENT(EVP_sha1)
ABSENT(EVP_sha256)
ABSENT(EVP_sha512)
ABSENT(OBJ_nid2sn)
ABSENT(OpenSSL_version)
ABSENT(PKCS5_PBKDF2_HMAC)
ABSENT(RAND_add)
ABSENT(RAND_bytes)
