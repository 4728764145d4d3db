/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate for development: self-signed, for this machine's own names, good for 90 days.
 * ECDSA P-256, because browsers take neither Ed25519 nor ML-DSA.
 */
#pragma once

#include "edge/config.h"

enum { DEVELOPMENT_DAYS = 90 };
#define DEVELOPMENT_NAMES "localhost, 127.0.0.1, ::1"

enum development_made : uint8_t {
    DEVELOPMENT_THERE, /* both files are there: nothing was done */
    DEVELOPMENT_MADE,
};

/* Makes both files, the key for its owner alone; never overwrites: one without the other is
 * ERROR_PROXY_CERTIFICATE. The key stands first, so that nothing is left that looks whole. */
status_t development_make(const char *certificate_path, const char *key_path,
                          enum development_made *ret_made, struct error *err);

/* For every listener whose tls has `dev: true`. `made` is called for each that was made. */
typedef void development_told(const struct edge_tls *tls);
status_t development_make_all(const struct edge_config *config, development_told *told,
                              struct error *err);
