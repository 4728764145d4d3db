/* SPDX-License-Identifier: Apache-2.0
 *
 * What `airlock-proxy --egress` gives up before it serves anybody.
 */
#pragma once

#include "base/error.h"
#include "proxy/protocol.h"

/* Becomes the config's uid; no core, no debugger, no way to more privilege, an end with airlock's
 * end; no file to open or to write, with Landlock no file at all and, from ABI 4 on, no TCP port to
 * connect to but those of the targets and the DNS, and none to bind; and every system call that is
 * not in seccomp.def kills the process. ERROR_IO: what every supported kernel can do failed. */
status_t confine(const struct egress_config *config, struct error *err);
