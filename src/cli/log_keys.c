/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys that a receipt or an export is checked with: those that were named, else this user's
 * own. They never come from the file that is checked.
 */
#include "audit/checkpoint.h"
#include "cli/log_view.h"

enum { KEYS_TEXT_BYTES_MAX = 65536 };

static status_t parse_named(const char **named, struct note_keys *ret_keys, struct error *err) {
    struct builder text;
    builder_init(&text, KEYS_TEXT_BYTES_MAX);
    for (size_t i = 0; named[i] != nullptr; i++) {
        builder_text(&text, i > 0 && text.size > 0 && text.data[text.size - 1] != '\n' ? "\n" : "");
        builder_text(&text, named[i]);
    }
    bool fits = builder_is_ok(&text) && note_keys_parse(builder_slice(&text), ret_keys);
    builder_deinit(&text);
    if (!fits) {
        (void)error_set(err, ERROR_RECEIPT_KEY, 0, "the verifier key is malformed");
        error_hint(err, "Name one log's Ed25519 key, and its ML-DSA-44 key if it has one, as "
                        "`airlock log key` prints them: one --key each, or both in one.");
        return (status_t){ERROR_RECEIPT_KEY};
    }
    return STATUS_OK;
}

status_t log_keys_find(const char **named, struct note_keys *ret_keys, struct error *err) {
    struct state state;
    if (named != nullptr && named[0] != nullptr) {
        return parse_named(named, ret_keys, err);
    }
    TRY(state_open(&state, err));
    status_t status = checkpoint_own_keys(&state, ret_keys, err);
    state_close(&state);
    return status;
}
