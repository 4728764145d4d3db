/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a target is permitted beyond reaching it: methods and paths, where they can be seen.
 */
#pragma once

#include "proxy/protocol.h"

struct permit_request {
    const char *host; /* canonical */
    uint16_t port;
    const char *method;
    const char *path; /* with its query */
};

/* nullptr, or why no target of the config permits the request. A target that is not in the config
 * at all is not judged here. */
const char *permit_request(const struct egress_config *config,
                           const struct permit_request *request);
/* The same for a tunnel whose content is not seen: only a target without limits permits it. */
const char *permit_tunnel(const struct egress_config *config, const char *host, uint16_t port);
