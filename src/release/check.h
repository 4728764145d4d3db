/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a release is what its makers signed.
 */
#pragma once

#include "release/envelope.h"
#include "release/keys.h"
#include "release/statement.h"

#define RELEASE_PROVENANCE "provenance.dsse.json"
#define RELEASE_BUNDLE "provenance.sigstore.json"

struct release_request {
    const char *path;       /* a folder with everything, or one file of it */
    const char *keys;       /* the key file */
    const char *provenance; /* nullptr: in the folder, or beside the file */
};

enum release_bundle : uint8_t {
    RELEASE_BUNDLE_ABSENT,
    RELEASE_BUNDLE_SAME,     /* says the same; no ECDSA key to check its signature with */
    RELEASE_BUNDLE_VERIFIED, /* and is signed */
};

struct release_result {
    struct statement statement;
    size_t file_count; /* that were compared */
    enum release_bundle bundle;
};

/* What is wrong with one file: "changed", "missing", "unknown" (nobody signed it), "not-a-file". */
struct release_problem {
    const char *file; /* escaped */
    const char *what;
};
typedef void release_on_problem(void *context, const struct release_problem *problem);

/* Signatures first, then files; every file that is wrong is told, and the error comes at the end.
 * Errors: ERROR_RELEASE_UNVERIFIED, ERROR_RELEASE_KEY, ERROR_RELEASE_MISSING (nothing to check),
 * ERROR_IO. release_result_deinit() is fine after both. */
status_t release_check(const struct release_request *request, release_on_problem *on_problem,
                       void *context, struct release_result *ret_result, struct error *err);
void release_result_deinit(struct release_result *result);

/* Both required keys signed these bytes, once each, and nobody else did. Inside release. */
status_t release_check_signatures(const struct envelope *envelope, const struct release_keys *keys,
                                  struct error *err);
