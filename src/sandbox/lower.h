/* SPDX-License-Identifier: Apache-2.0
 *
 * The workspace as a container engine's overlay is to see it. The engine mounts that overlay, in
 * its own mount namespace, so the layer below must be reachable by a path that it sees too.
 *
 * As root the payload has a uid of its own, and the workspace its owner's: then runs/<id>/lower is
 * a read-only bind of the workspace with an id map (owner -> payload). It is the one mount that
 * Airlock leaves in its caller's mount namespace while a run lasts.
 */
#pragma once

#include "sandbox/stage.h"

struct lower_options {
    const char *workspace; /* absolute */
    uint64_t dev, ino;     /* its identity */
    uint32_t uid, gid;     /* what the payload is outside */
};
/* Makes it. SANDBOX_MOUNT, SANDBOX_USERNS_DENIED, WORKSPACE_MOVED. */
status_t lower_attach(const struct run *run, const struct lower_options *options,
                      struct error *err);
/* Takes it away; one that is not there is fine. */
status_t lower_detach(const struct run *run, struct error *err);
