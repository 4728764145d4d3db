/* SPDX-License-Identifier: Apache-2.0
 *
 * Receipts and the proofs in them: no bytes pass for a receipt of a key that never signed, with or
 * without unknown lines, and what is refused says why.
 */
#include <string.h>

#include "audit/receipt.h"
#include "base/assert.h"
#include "codec/text.h"
#include "fuzz.h"
#include "keys/note_keys.h"

static void keys_make(struct note_keys *ret_keys) {
    static const uint8_t PUBLIC_KEY[MLDSA44_PUBLIC_BYTES] = {1, 2, 3};
    *ret_keys = (struct note_keys){.has_pq = true};
    note_vkey_make("example.org/log", PUBLIC_KEY, &ret_keys->log);
    note_pq_vkey_make("example.org/log", PUBLIC_KEY, &ret_keys->pq);
}

/* A receipt whose proof leads to its checkpoint, so that only the signature is wrong. */
static void receipt_make(unsigned hashes, bool twice, struct builder *out) {
    static const char ENTRY[] = "{\"seq\":0,\"v\":1}";
    static const uint8_t SIGNATURE[MLDSA44_SIGNATURE_BYTES] = {4, 5, 6};
    struct note_keys keys;
    struct checkpoint checkpoint = {.origin = "example.org/log", .size = UINT64_C(1) << hashes};
    struct digest sibling;
    merkle_leaf(slice_of_string(ENTRY), &checkpoint.root);
    memset(&sibling, 7, sizeof sibling);
    builder_text(out, "airlock-receipt/1\nentry ");
    text_base64(slice_of_string(ENTRY), out);
    builder_text(out, "\nc2sp.org/tlog-proof@v1\nindex 0\n");
    for (unsigned i = 0; i < hashes; i++) {
        merkle_node(&checkpoint.root, &sibling, &checkpoint.root);
        text_base64(slice_of(sibling.bytes, DIGEST_BYTES), out);
        builder_u8(out, '\n');
    }
    builder_u8(out, '\n');
    checkpoint_format(&checkpoint, out);
    builder_text(out, "\n");
    keys_make(&keys);
    note_format_signature(&keys.log, SIGNATURE, out);
    if (twice) {
        note_pq_format(&keys.pq, 1763700000, SIGNATURE, out);
    }
}

bool fuzz_seed(unsigned number, struct builder *out) {
    static const unsigned HASHES[] = {0, 1, 5, 2};
    if (number >= sizeof HASHES / sizeof HASHES[0]) {
        return false;
    }
    receipt_make(HASHES[number], number == 3, out);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct note_keys keys;
    keys_make(&keys);
    for (int allow_unknown = 0; allow_unknown < 2; allow_unknown++) {
        struct receipt_result result;
        struct error err = {0};
        status_t status =
            receipt_verify(slice_of(data, size), &keys, allow_unknown != 0, &result, &err);
        ASSERT(!status_is_ok(status) && err.message[0] != '\0');
        ASSERT(err.code == ERROR_RECEIPT_MALFORMED || err.code == ERROR_RECEIPT_ENTRY ||
               err.code == ERROR_RECEIPT_ROOT || err.code == ERROR_RECEIPT_SIGNATURE ||
               err.code == ERROR_RECEIPT_KEY);
    }
    return 0;
}
