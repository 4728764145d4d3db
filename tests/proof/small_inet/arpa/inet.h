/* SPDX-License-Identifier: Apache-2.0
 *
 * What the proof about PROXY headers needs of it: <arpa/inet.h> includes <sys/socket.h>, for which
 * the prover finds src/sys/socket.h.
 */
#pragma once

enum { AF_INET = 2, AF_INET6 = 10, INET6_ADDRSTRLEN = 46 };

int inet_pton(int family, const char *text, void *ret_address);
