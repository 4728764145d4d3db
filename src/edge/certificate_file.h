/* SPDX-License-Identifier: Apache-2.0
 *
 * A PEM file, and what it is when it is not what was expected.
 */
#pragma once

#include <openssl/types.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/error.h"

struct certificate_file {
    const char *path;    /* borrowed */
    struct builder text; /* wiped by certificate_file_deinit() */
    unsigned mode;       /* permissions */
};

/* Reads it. `what` stands in messages: "the certificate". ERROR_PROXY_CERTIFICATE. */
status_t certificate_file_read(const char *path, const char *what,
                               struct certificate_file *ret_file, struct error *err);
void certificate_file_deinit(struct certificate_file *file);

/* All certificates in it, in their order; at least one. Owned by the caller. */
status_t certificate_file_certificates(const struct certificate_file *file,
                                       STACK_OF(X509) * *ret_certificates, struct error *err);
/* The private key in it. Owned by the caller. */
status_t certificate_file_key(const struct certificate_file *file, EVP_PKEY **ret_key,
                              struct error *err);
