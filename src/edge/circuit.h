/* SPDX-License-Identifier: Apache-2.0
 *
 * A circuit breaker: who fails too often is left alone for a while, then tried with one connection
 * at a time. A pure state machine; whoever shares it between threads locks it.
 *
 *   closed --5 failures in a row, or half of at least 20 in 10 s--> open
 *   open   --its time is over, and somebody wants in--> half open: that one is the probe
 *   half open --the probe succeeds--> closed;  --it fails--> open, for twice as long
 *
 * The time begins at a second, ends at a minute, and has a random quarter taken off, so that many
 * proxies do not come back in one moment. A probe that nobody reports on counts as failed after the
 * time that it got.
 */
#pragma once

#include <stdint.h>

enum circuit_state : uint8_t { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN };

enum circuit_answer : uint8_t { CIRCUIT_YES, CIRCUIT_PROBE, CIRCUIT_NO };

struct circuit {
    enum circuit_state state;
    uint32_t failures_in_row;
    uint32_t window_count, window_failures;
    uint64_t window_from_ms;
    uint64_t until_ms;   /* open: until then; half open: until then the probe may take */
    uint64_t backoff_ms; /* of the last opening; 0: closed for good */
};

/* Whether a connection may be made now; PROBE: yes, and everybody else waits for how it goes. */
enum circuit_answer circuit_ask(struct circuit *circuit, uint64_t now_ms);
/* What circuit_ask() would say, without taking the probe. */
bool circuit_is_usable(const struct circuit *circuit, uint64_t now_ms);
void circuit_succeeded(struct circuit *circuit, uint64_t now_ms);
/* `random` decides what is taken off. True: it has just opened. */
bool circuit_failed(struct circuit *circuit, uint64_t now_ms, uint32_t random);
