/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints that witnesses cosigned: cosigned/<witness> in the state folder, each the newest one
 * as a signed note, our own signature first and the witness's line behind it.
 */
#pragma once

#include "audit/log.h"

enum { COSIGNED_NAME_BYTES = 64 };

/* What a witness may be called here: a-z, 0-9, '.', '_', '-', not beginning with '.', so that it is
 * a file name everywhere; at most COSIGNED_NAME_BYTES - 1 of them. */
bool cosigned_name_is_valid(const char *name);

/* Stores the last checkpoint `note` (as keys/ has it) with the line of a witness; durable. */
status_t cosigned_write(const struct state *state, const char *name, struct slice note,
                        struct slice line, struct error *err);
/* Removes it; fine when there is none. */
status_t cosigned_remove(const struct state *state, const char *name, struct error *err);

struct cosigned_state {
    bool is_current;     /* it cosigned `note` itself */
    uint64_t known_size; /* the newest tree of this log that it cosigned; 0: none that we know of */
};
status_t cosigned_find(const struct state *state, const char *name, struct slice note,
                       struct cosigned_state *ret, struct error *err);

/* Appends the lines of all witnesses that cosigned `note`, by the names of their files. */
status_t cosigned_lines(const struct state *state, struct slice note, struct builder *out,
                        struct error *err);
/* Whether a witness cosigned the last checkpoint, and nothing but witness_cosigned entries came
 * after it: then it is worth more than a newer one that nobody has seen. */
status_t cosigned_is_newest(struct audit_log *log, bool *ret_is_newest, struct error *err);
