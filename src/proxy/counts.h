/* SPDX-License-Identifier: Apache-2.0
 *
 * What was reached and refused, target by target, up to LIMIT_EGRESS_HOSTS_SHOWN of them; the rest
 * counts in the totals.
 */
#pragma once

#include "proxy/protocol.h"

struct count_row {
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    uint32_t connections;
    uint32_t live;
    uint64_t bytes_up, bytes_down;
    uint32_t denied;
    char reason[EGRESS_TEXT_BYTES];
};

struct counts {
    struct count_row rows[LIMIT_EGRESS_HOSTS_SHOWN];
    struct count_row rest; /* of targets without a row of their own */
    uint32_t row_count;
    uint32_t rows_dropped;
    uint64_t connections, denied, bytes_up, bytes_down;
};

/* The row of a target, made when there is none; never nullptr. Text that is no canonical host is
 * escaped by the caller. */
struct count_row *counts_row(struct counts *counts, const char *host, uint16_t port);
void counts_denied(struct counts *counts, struct count_row *row, const char *reason);
void counts_moved(struct counts *counts, struct count_row *row, uint64_t up, uint64_t down);
void counts_report(const struct counts *counts, struct builder *out);
