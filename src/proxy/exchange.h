/* SPDX-License-Identifier: Apache-2.0
 *
 * HTTP/1.1 through the proxy, message by message (RFC 9110, 9112). What comes in is parsed strictly
 * (llhttp), and what goes out is written anew from what was understood: one request line, one Host
 * that is the judged target, one way to tell the body's length. So two readers of one message
 * cannot disagree about where it ends or whom it is for.
 */
#pragma once

#include <llhttp.h>

#include "base/limits.h"
#include "proxy/queue.h"

struct session;

struct exchange_head {
    struct builder url;
    struct builder reason;
    struct builder fields; /* "name\0value\0" ... */
    struct builder name, value;
    bool is_late; /* fields after the body are dropped */
    bool is_complete;
    bool is_ended;
};

struct exchange {
    struct session *session;
    llhttp_t request, response;
    struct exchange_head asked, answered;
    struct queue up;   /* to the upstream */
    struct queue down; /* from the upstream, not used up */
    bool is_head;      /* the method is HEAD: its response has no body */
    bool request_chunked;
    bool response_chunked;
    bool client_keeps; /* the client's connection stays open */
    bool upstream_keeps;
    bool upstream_ended;
    bool started;           /* something of the response was handed on */
    unsigned failed_status; /* what is wrong with a message; 0: nothing */
    const char *failed_why;
};

enum exchange_result : uint8_t {
    EXCHANGE_MORE,
    EXCHANGE_HEAD, /* a request's head is complete */
    EXCHANGE_NEXT, /* request and response are through, the client may ask again */
    EXCHANGE_LAST, /* they are through, and the connection ends */
    EXCHANGE_BAD,  /* failed_status and failed_why */
};

struct exchange *exchange_new(struct session *session); /* nullptr: memory */
void exchange_free(struct exchange *exchange);
/* Reads a head out of session->in. */
enum exchange_result exchange_request(struct exchange *exchange);
/* The target of the request; nullptr, or why it has none. *ret_path borrows from the head. */
struct host;
const char *exchange_target(struct exchange *exchange, struct host *ret_host, uint16_t *ret_port);
/* The path of the request with its query; borrowed. */
const char *exchange_path(struct exchange *exchange);
bool exchange_is_connect(const struct exchange *exchange);
/* Sends the request's head to the upstream that the session now has. */
bool exchange_begin(struct exchange *exchange);
/* Moves what can be moved. */
enum exchange_result exchange_drive(struct exchange *exchange);
void exchange_interest(const struct exchange *exchange, uint32_t *ret_client,
                       uint32_t *ret_upstream);
/* The text of a refusal for the client. */
void exchange_refuse(struct queue *out, unsigned status, const char *denied, const char *why);
