/* SPDX-License-Identifier: Apache-2.0
 *
 * What proxy_load.c and its services share.
 */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdint.h>

enum { LOAD_BUFFER = 256 << 10 };
extern uint8_t load_buffer[LOAD_BUFFER];

double load_now_us(void);
[[noreturn]] void load_fail(const char *what);
struct sockaddr_in load_loopback(const char *port);
void load_add_sample(double us);
void load_report(const char *what, double count, double seconds);
SSL_CTX *load_make_context(const char *group); /* "plain": nullptr */

[[noreturn]] void load_serve(const char *port, bool is_source);
/* The least that a proxy can be: what comes is received and sent on. */
[[noreturn]] void load_relay(const char *port, const char *back);
/* The least with TLS: one connection at a time, what the service sends is received, sealed, sent.
 */
[[noreturn]] void load_seal(const char *port, const char *back, const char *certificate,
                            const char *key);
[[noreturn]] void load_serve_datagrams(const char *port);
/* Server handshakes in memory, each a sample of processor time. */
void load_alone(const char *certificate, const char *group, int count, const char *key);
/* Samples, when `window` is 1. */
void load_udp(const char *port, int window, double seconds, size_t size);
void load_churn(const char *port, int window, double seconds, size_t size);

/* "hellos", "garbage" or "half-open", from a network of their own. */
void load_attack(const char *port, SSL_CTX *context, double seconds, const char *kind);
/* Requests on one connection, or new connections with one byte: so many a second. What failed goes
 * to standard error. */
void load_paced(const char *port, SSL_CTX *context, double seconds, double rate, bool connects);
