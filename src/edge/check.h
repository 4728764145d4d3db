/* SPDX-License-Identifier: Apache-2.0
 *
 * What `airlock proxy check` found: every certificate of a configuration, and how it is shown.
 */
#pragma once

#include "codec/json.h"
#include "edge/certificates.h"

enum check_state : uint8_t {
    CHECK_FINE,
    CHECK_WILL_BE_MADE, /* dev: true, and the files are not there yet */
    CHECK_WRONG,        /* `err` says why */
};

/* One `tls:`. */
struct check_tls {
    const char *of_what; /* "listener", "upstream" */
    const char *name;
    const struct edge_tls *tls;
    enum check_state state;
    struct certificates *certificates; /* owned; when it is fine */
    struct error err;
};

struct check {
    const struct edge_config *config; /* borrowed */
    struct check_tls *tls;            /* owned */
    size_t tls_count, wrong_count;
};

status_t check_certificates(const struct edge_config *config, struct check *ret_check,
                            struct error *err);
void check_deinit(struct check *check);

/* Tables of what will be served, then what works but. */
void check_print(const struct check *check);
struct json *check_json(const struct check *check); /* owned by the caller */
bool check_is_used(const struct edge_config *config, uint32_t upstream);
