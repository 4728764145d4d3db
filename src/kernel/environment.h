/* SPDX-License-Identifier: Apache-2.0
 *
 * The environment of a run: an allow-list of the caller's, what the user adds by name, and
 * AIRLOCK_RUN. Names are recorded; values never are.
 */
#pragma once

#include <stddef.h>

#include "base/error.h"

struct environment {
    char **entries; /* owned, nullptr-terminated K=V */
    size_t count;
    const char *home; /* borrowed from entries; absolute */
    const char *path; /* borrowed from entries; nullptr: the image's own */
};

struct environment_options {
    const char *const *caller; /* nullptr-terminated K=V: the caller's own environment */
    const char *const *added;  /* nullptr-terminated K=V or K (pass through); may be nullptr */
    const char *run_id;
    bool trust;   /* and of the certificates they have to trust: PLAN_TRUST_PATH */
    bool network; /* programs are told of the egress proxy */
    bool root;    /* the caller is uid 0: where HOME is when it has none */
    bool image;   /* the programs are a container image's: its own PATH counts, HOME is /tmp */
};

/* HOME is always there, and but for an image PATH. ERROR_USAGE for an addition that is no name. */
status_t environment_build(const struct environment_options *options,
                           struct environment *ret_environment, struct error *err);
/* Values are wiped first: some may be secrets. */
void environment_wipe(struct environment *environment);
