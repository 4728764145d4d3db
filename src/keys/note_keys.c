/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/note_keys.h"

#include <string.h>

bool note_keys_parse(struct slice text, struct note_keys *ret_keys) {
    struct note_keys keys = {0};
    bool has_log = false;
    size_t offset = 0;
    while (offset < text.size) {
        const uint8_t *start = text.data + offset;
        const uint8_t *feed = memchr(start, '\n', text.size - offset);
        struct slice line =
            slice_of(start, feed == nullptr ? text.size - offset : (size_t)(feed - start));
        offset += line.size + 1;
        if (!has_log && note_vkey_parse(line, &keys.log)) {
            has_log = true;
        } else if (!keys.has_pq && note_pq_vkey_parse(line, &keys.pq)) {
            keys.has_pq = true;
        } else {
            return false;
        }
    }
    if (!has_log || (keys.has_pq && strcmp(keys.log.name, keys.pq.name) != 0)) {
        return false;
    }
    keys.needs_pq = keys.has_pq;
    *ret_keys = keys;
    return true;
}

struct line_counts {
    unsigned log;
    unsigned pq;
};

static void count_lines(const struct note *note, const struct note_keys *keys,
                        struct line_counts *ret_counts, struct note_signers *ret_signers) {
    struct cursor cursor = cursor_of(note->signatures);
    while (cursor_remaining(&cursor) > 0) {
        struct note_line line;
        if (!note_line_parse(&cursor, &line)) {
            return; /* note_parse() has looked: they are lines */
        }
        if (note_line_claims(&line, keys->log.name, keys->log.key_id)) {
            ret_counts->log++;
        } else if (keys->has_pq && note_pq_claims(&line, &keys->pq)) {
            ret_counts->pq++;
        } else if (ret_signers->unknown++ == 0) {
            ret_signers->unknown_name = line.name;
        }
    }
}

enum note_keys_verdict note_keys_verify(const struct note *note, const struct note_keys *keys,
                                        struct note_signers *ret_signers) {
    struct note_signers signers = {0};
    struct line_counts counts = {0};
    count_lines(note, keys, &counts, &signers);
    if (counts.log == 0) {
        return NOTE_KEYS_UNSIGNED;
    }
    if (counts.log > 1 || counts.pq > 1) {
        return NOTE_KEYS_TWICE;
    }
    if (note_verify(note, &keys->log) != NOTE_VALID) {
        return NOTE_KEYS_WRONG;
    }
    if (keys->needs_pq && counts.pq == 0) {
        return NOTE_KEYS_UNSIGNED_PQ;
    }
    if (counts.pq > 0 && note_pq_verify(note, &keys->pq) != NOTE_VALID) {
        return NOTE_KEYS_WRONG_PQ;
    }
    signers.has_pq = counts.pq > 0;
    *ret_signers = signers;
    return signers.unknown > 0 ? NOTE_KEYS_UNKNOWN : NOTE_KEYS_VALID;
}
