/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether peers will take a certificate: what is sure to fail is an error, what may is a warning.
 */
#pragma once

#include "edge/certificates.h"

[[gnu::format(printf, 2, 3)]]
void certificate_warn(struct certificates *certificates, const char *format, ...);

/* The leaf, its chain and key, which are set. `file` and `key_file` stand in messages. */
status_t certificate_check(struct certificates *certificates, const struct edge_tls *tls,
                           bool is_server, struct error *err);
/* An authority that peers' certificates are checked with. */
status_t certificate_check_authority(struct certificates *certificates, X509 *authority,
                                     const char *file, struct error *err);
