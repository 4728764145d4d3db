/* SPDX-License-Identifier: Apache-2.0
 *
 * keys/log.key and keys/log_pq.key: a line that says what it is, the seed in hex, for a key that
 * follows the log's a line with that one's verifier key, and "signed" once the key has signed.
 */
#pragma once

#include "keys/note.h"

struct seed_form {
    const char *header; /* the first line, with its line feed */
    bool follows;
};

enum { SEED_BYTES = 32 }; /* of either key */

struct seed {
    uint8_t bytes[SEED_BYTES];
    struct note_vkey followed; /* where the form has it */
    bool has_signed;
};

/* The caller wipes *ret_seed, which is set to nothing when the file is not there. */
status_t seed_read(int folder, const char *name, const struct seed_form *form,
                   struct seed *ret_seed, bool *ret_found, struct error *err);
/* Durable on return. */
status_t seed_write(int folder, const char *name, const struct seed_form *form,
                    const struct seed *seed, struct error *err);
