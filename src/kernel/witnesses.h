/* SPDX-License-Identifier: Apache-2.0
 *
 * The witnesses of this log: hosts that cosign its checkpoints (C2SP tlog-witness), so that its
 * operator cannot show two histories. They stand in witnesses.json in the state folder.
 */
#pragma once

#include "audit/log.h"

struct witness_row {
    const char *name; /* cosigned_name_is_valid() */
    const char *vkey; /* cosignature_vkey_parse() */
    const char *url;
    const char *ca; /* absolute path of the certificates to trust; "" for the system's */
};

/* The list, an array whose rows witnesses_row() reads; the caller frees it. BAD_ENCODING when the
 * file is no list. */
status_t witnesses_read(const struct state *state, struct json **ret_list, struct error *err);
/* Borrows from the list. */
struct witness_row witnesses_row(const struct json *list, size_t index);

/* Adds one; another of this name is an error (USAGE), and so is a key or URL that is none. */
status_t witnesses_add(const struct state *state, const struct witness_row *row, struct error *err);
/* Removes it and what it cosigned last. WITNESS_UNKNOWN. */
status_t witnesses_remove(const struct state *state, const char *name, struct error *err);

struct witness_sync {
    uint64_t size;   /* of the last signed checkpoint */
    uint64_t time_s; /* when it was cosigned, by the witness's clock; 0 when it was before */
    bool is_new;     /* false: the witness had cosigned this checkpoint already */
};
/* Has one witness cosign the last signed checkpoint, checks what it answers, writes an entry, and
 * stores the cosigned checkpoint. WITNESS_UNREACHABLE, WITNESS_REFUSED, WITNESS_LIED; nothing of
 * what it sent is kept then. */
status_t witnesses_sync(struct audit_log *log, const struct state *state,
                        const struct witness_row *row, uint64_t now_s, struct witness_sync *ret,
                        struct error *err);
