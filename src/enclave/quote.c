/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/quote.h"

#include <openssl/x509.h>
#include <string.h>

#include "enclave/block.h"
#include "enclave/es256.h"

static const char MAGIC[] = "airlock-simulation-quote";
enum { VERSION = 1, IS_DEBUG = 1 };

status_t quote_simulate(EVP_PKEY *root, const struct digest *measurement,
                        const uint8_t report_data[static EVIDENCE_REPORT_BYTES],
                        struct builder *ret_quote, struct error *err) {
    uint8_t signature[ES256_SIGNATURE_BYTES];
    struct builder spki;
    builder_init(&spki, QUOTE_BYTES_MAX);
    size_t start = ret_quote->size;
    builder_bytes(ret_quote, SLICE_LITERAL(MAGIC));
    builder_u8(ret_quote, VERSION);
    builder_u8(ret_quote, IS_DEBUG);
    block_add(ret_quote, slice_of(measurement->bytes, sizeof measurement->bytes));
    block_add(ret_quote, slice_of(report_data, EVIDENCE_REPORT_BYTES));
    bool is_whole = es256_spki(root, &spki);
    block_add(ret_quote, builder_slice(&spki));
    builder_deinit(&spki);
    if (!is_whole || !builder_is_ok(ret_quote)) {
        return error_set(err, ERROR_ENCLAVE_QUOTE, 0, "a simulated quote does not fit");
    }
    struct slice text = slice_of(ret_quote->data + start, ret_quote->size - start);
    TRY(es256_sign(root, text, signature, err));
    block_add(ret_quote, slice_of(signature, sizeof signature));
    return builder_is_ok(ret_quote)
               ? STATUS_OK
               : error_set(err, ERROR_ENCLAVE_QUOTE, 0, "a simulated quote does not fit");
}

static bool is_signed(struct slice spki, struct slice text, struct slice signature) {
    const uint8_t *at = spki.data;
    EVP_PKEY *root = d2i_PUBKEY(nullptr, &at, (long)spki.size);
    /* The whole of the block is the key: bytes behind it would make two roots of one. */
    bool is_good =
        root != nullptr && at == spki.data + spki.size && es256_verify(root, text, signature.data);
    EVP_PKEY_free(root);
    return is_good;
}

enum quote_result quote_read(struct slice bytes, struct quote *ret_quote) {
    struct cursor cursor = cursor_of(bytes);
    bool is_ours = slice_equal(cursor_bytes(&cursor, sizeof MAGIC - 1), SLICE_LITERAL(MAGIC)) &&
                   cursor_u8(&cursor) == VERSION && cursor_u8(&cursor) == IS_DEBUG;
    struct slice measurement = block_read(&cursor);
    struct slice report_data = block_read(&cursor);
    struct slice spki = block_read(&cursor);
    struct slice text = slice_of(bytes.data, cursor.offset);
    struct slice signature = block_read(&cursor);
    if (!is_ours || !cursor_is_finished(&cursor) || bytes.size > QUOTE_BYTES_MAX ||
        measurement.size != sizeof ret_quote->measurement.bytes ||
        report_data.size != sizeof ret_quote->report_data || spki.size == 0 ||
        signature.size != ES256_SIGNATURE_BYTES) {
        return QUOTE_MALFORMED;
    }
    memcpy(ret_quote->measurement.bytes, measurement.data, measurement.size);
    memcpy(ret_quote->report_data, report_data.data, report_data.size);
    sha256_of(spki, &ret_quote->root);
    return is_signed(spki, text, signature) ? QUOTE_GOOD : QUOTE_BAD_SIGNATURE;
}
