/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/counts.h"

#include <stdio.h>
#include <string.h>

struct count_row *counts_row(struct counts *counts, const char *host, uint16_t port) {
    for (uint32_t i = 0; i < counts->row_count; i++) {
        if (counts->rows[i].port == port && strcmp(counts->rows[i].host, host) == 0) {
            return &counts->rows[i];
        }
    }
    if (counts->row_count == LIMIT_EGRESS_HOSTS_SHOWN) {
        limit_hit(LIMIT_ID_EGRESS_HOSTS_SHOWN);
        counts->rows_dropped++;
        return &counts->rest;
    }
    struct count_row *row = &counts->rows[counts->row_count++];
    *row = (struct count_row){.port = port};
    (void)snprintf(row->host, sizeof row->host, "%s", host);
    return row;
}

void counts_denied(struct counts *counts, struct count_row *row, const char *reason) {
    row->denied++;
    counts->denied++;
    (void)snprintf(row->reason, sizeof row->reason, "%s", reason);
}

void counts_moved(struct counts *counts, struct count_row *row, uint64_t up, uint64_t down) {
    row->bytes_up += up;
    row->bytes_down += down;
    counts->bytes_up += up;
    counts->bytes_down += down;
}

void counts_report(const struct counts *counts, struct builder *out) {
    struct egress_row rows[LIMIT_EGRESS_HOSTS_SHOWN];
    struct egress_report report = {
        .rows = rows,
        .row_count = counts->row_count,
        .connections = counts->connections,
        .denied = counts->denied,
        .bytes_up = counts->bytes_up,
        .bytes_down = counts->bytes_down,
        .rows_dropped = counts->rows_dropped,
    };
    for (uint32_t i = 0; i < counts->row_count; i++) {
        const struct count_row *row = &counts->rows[i];
        rows[i] = (struct egress_row){row->host,       row->port,   row->connections, row->bytes_up,
                                      row->bytes_down, row->denied, row->reason};
    }
    for (unsigned id = 0; id < LIMIT_ID_COUNT; id++) {
        report.limit_hits[id] = (uint32_t)limit_hit_count((enum limit_id)id);
    }
    egress_report_encode(&report, out);
}
