/* SPDX-License-Identifier: Apache-2.0
 *
 * What airlock-witness gives up before it sends or reads its first byte of the network.
 */
#pragma once

#include <stdint.h>

/* No core, no debugger, no way to more privilege, no file to open or to write, 512 MiB of memory, a
 * minute of processor; with Landlock no file at all and, from ABI 4 on, no TCP port to connect to
 * but `port`; and every system call that is not in seccomp.def kills the process. False: what every
 * supported kernel can do failed. */
bool confine_to_port(uint16_t port);
