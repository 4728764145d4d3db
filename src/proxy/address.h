/* SPDX-License-Identifier: Apache-2.0
 *
 * What an IP address is, by the registries of special addresses (RFC 6890 and its successors): only
 * a public one is dialled for a name that nobody called private.
 */
#pragma once

#include <sys/socket.h>

#include "codec/host.h"

enum address_class : uint8_t {
    ADDRESS_PUBLIC,
    ADDRESS_PRIVATE,  /* reached only for a target that says private: this host, its networks */
    ADDRESS_METADATA, /* reached only for a target that says private and is that address itself */
    ADDRESS_FORBIDDEN /* never: nothing is there that a connection could be meant for */
};

/* The class, and what kind of address it is ("loopback"); "" for a public one. An IPv6 address that
 * carries an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo, ISATAP) is never public, whatever
 * it carries: there is the plain form. */
enum address_class address_classify(const struct host_address *address, const char **ret_kind);

/* Whether it is an address of this machine: then a public one leads past its firewall to what
 * listens here for its own networks. */
bool address_is_own(const struct host_address *address);

/* For connect(2); returns its size. */
socklen_t address_to_socket(const struct host_address *address, uint16_t port,
                            struct sockaddr_storage *ret_storage);
