/* SPDX-License-Identifier: Apache-2.0
 *
 * The address of a witness: http:// or https://, a host, a port, a path; no user, query, fragment.
 */
#pragma once

#include <netinet/in.h>

#include "base/bytes.h"

enum { URL_BYTES_MAX = 512 };

struct url {
    bool is_tls;
    bool is_literal;               /* the host is an IP address */
    char host[URL_BYTES_MAX];      /* lower case, without the brackets of IPv6 */
    char authority[URL_BYTES_MAX]; /* as the Host field has it */
    char path[URL_BYTES_MAX];      /* "" or "/...", without slashes at its end */
    uint16_t port;
};

/* false for what is no such address. */
bool url_parse(const char *text, struct url *ret_url);

struct url_address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t size;
};

/* The host as an IP address, or as the first one that `hosts` (the text of /etc/hosts) gives it;
 * "localhost" is 127.0.0.1 where that says nothing. False: it is not known. There is no DNS. */
bool url_resolve(const struct url *url, struct slice hosts, struct url_address *ret_address);
