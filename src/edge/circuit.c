/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/circuit.h"

enum {
    FAILURES_IN_ROW = 5,
    WINDOW_MS = 10000,
    WINDOW_COUNT_MIN = 20,
    BACKOFF_FIRST_MS = 1000,
    BACKOFF_LAST_MS = 60000,
};

bool circuit_is_usable(const struct circuit *circuit, uint64_t now_ms) {
    return circuit->state == CIRCUIT_CLOSED || now_ms >= circuit->until_ms;
}

enum circuit_answer circuit_ask(struct circuit *circuit, uint64_t now_ms) {
    if (!circuit_is_usable(circuit, now_ms)) {
        return CIRCUIT_NO;
    }
    if (circuit->state == CIRCUIT_CLOSED) {
        return CIRCUIT_YES;
    }
    circuit->state = CIRCUIT_HALF_OPEN;
    circuit->until_ms = now_ms + circuit->backoff_ms;
    return CIRCUIT_PROBE;
}

static void window_count(struct circuit *circuit, uint64_t now_ms, uint32_t failures) {
    if (now_ms - circuit->window_from_ms >= WINDOW_MS) {
        circuit->window_from_ms = now_ms;
        circuit->window_count = 0;
        circuit->window_failures = 0;
    }
    circuit->window_count++;
    circuit->window_failures += failures;
}

void circuit_succeeded(struct circuit *circuit, uint64_t now_ms) {
    if (circuit->state == CIRCUIT_OPEN) {
        return; /* begun before it opened */
    }
    if (circuit->state == CIRCUIT_HALF_OPEN) {
        *circuit = (struct circuit){.window_from_ms = now_ms};
    }
    circuit->failures_in_row = 0;
    window_count(circuit, now_ms, 0);
}

static void open_again(struct circuit *circuit, uint64_t now_ms, uint32_t random) {
    uint64_t backoff = circuit->backoff_ms == 0 ? BACKOFF_FIRST_MS : 2 * circuit->backoff_ms;
    circuit->backoff_ms = backoff < BACKOFF_LAST_MS ? backoff : BACKOFF_LAST_MS;
    circuit->until_ms = now_ms + circuit->backoff_ms - random % (circuit->backoff_ms / 4);
    circuit->state = CIRCUIT_OPEN;
    circuit->failures_in_row = 0;
    circuit->window_count = 0;
    circuit->window_failures = 0;
}

bool circuit_failed(struct circuit *circuit, uint64_t now_ms, uint32_t random) {
    if (circuit->state == CIRCUIT_OPEN) {
        return false; /* begun before it opened */
    }
    if (circuit->state == CIRCUIT_CLOSED) {
        window_count(circuit, now_ms, 1);
        circuit->failures_in_row++;
        bool is_ratio = circuit->window_count >= WINDOW_COUNT_MIN &&
                        2 * circuit->window_failures >= circuit->window_count;
        if (circuit->failures_in_row < FAILURES_IN_ROW && !is_ratio) {
            return false;
        }
    }
    open_again(circuit, now_ms, random);
    return true;
}
