/* SPDX-License-Identifier: Apache-2.0
 *
 * What `airlock proxy` is: its command line. `airlock proxy ...` becomes airlock-proxy, which is
 * useful alone too.
 */
#pragma once

/* Returns the exit status; prints its own errors. */
int edge_program(int argc, char **argv, char *const *environment);
