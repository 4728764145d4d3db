/* SPDX-License-Identifier: Apache-2.0
 *
 * Where this process gets quotes from: it looks once, at its start, at the folder where Gramine
 * shows such things. Nothing there: none. `airlock enclave sim` shows a socket of its own there.
 * Any other type is an error and never taken for one of these.
 */
#pragma once

#include "enclave/evidence.h"

#define PROVIDER_FOLDER "/dev/attestation"
#define PROVIDER_SIMULATION "airlock-simulation" /* the type, and the socket's name */

/* Lives as long as the provider that was made of it. */
struct provider_socket {
    char path[EVIDENCE_PATH_BYTES];
};

/* ERROR_ENCLAVE_QUOTE when the folder names a type that is not known here. */
status_t provider_open(const char *folder, struct provider_socket *ret_socket,
                       struct evidence_provider *ret_provider, struct error *err);
