/* SPDX-License-Identifier: Apache-2.0
 *
 * Heads of HTTP messages: what one may say, and writing it anew.
 */
#pragma once

#include "codec/host.h"
#include "proxy/exchange.h"

/* nullptr, or why the head cannot be handed on. Set what the exchange knows of the message. */
const char *head_check_request(struct exchange *exchange);
const char *head_check_response(struct exchange *exchange);

/* The head for the other side. False: the queue is full. */
bool head_put_request(struct exchange *exchange, struct queue *out);
bool head_put_response(struct exchange *exchange, struct queue *out);
