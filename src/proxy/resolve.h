/* SPDX-License-Identifier: Apache-2.0
 *
 * Names to addresses: /etc/hosts, then the DNS servers of /etc/resolv.conf (c-ares). Both files are
 * read once, before the proxy is confined. A name is taken as it is: no search list.
 */
#pragma once

#include "base/limits.h"
#include "codec/host.h"
#include "proxy/loop.h"

struct resolver;
struct resolve_query;

/* All addresses of a name; none: `why` says why. May be called before resolver_start() returns. */
typedef void resolve_done(void *context, const struct host_address *addresses, size_t count,
                          const char *why);

/* Starts a builder with the text of /etc/hosts, which may be missing; owned by the caller, also on
 * failure. ERROR_LIMIT past LIMIT_HOSTS_BYTES, ERROR_IO. */
status_t resolve_read_hosts(struct builder *ret_hosts, struct error *err);
/* `hosts` is the text of /etc/hosts, borrowed for as long as the resolver lives. */
status_t resolver_new(struct loop *loop, struct slice hosts, struct resolver **ret_resolver,
                      struct error *err);
void resolver_free(struct resolver *resolver); /* every query has ended or was cancelled */

/* nullptr: `done` was called already. */
struct resolve_query *resolver_start(struct resolver *resolver, const char *name,
                                     resolve_done *done, void *context);
/* `done` is not called any more. */
void resolve_cancel(struct resolve_query *query);

/* The addresses that a text like /etc/hosts gives to a name, at most LIMIT_EGRESS_ADDRESSES. */
size_t resolve_in_hosts(struct slice hosts, const char *name, struct host_address *ret_addresses);
