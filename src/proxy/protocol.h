/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages between airlock and `airlock-proxy --egress`, over the SOCK_SEQPACKET socket that
 * the proxy finds as fd 3:
 *
 *   airlock -> proxy   CONFIG    what may be reached, and headers to add
 *   proxy -> airlock   READY     it is confined; or why it is not
 *   airlock -> proxy   LISTEN    with the socket that listens in the sandbox
 *   airlock -> proxy   END       the sandbox is gone
 *   proxy -> airlock   REPORT    what was reached and refused
 */
#pragma once

#include "base/limits.h"
#include "codec/host.h"

enum {
    EGRESS_FD_SOCKET = 3,
    EGRESS_TEXT_BYTES = 160, /* a reason, with its NUL */
};

enum egress_message : uint8_t {
    EGRESS_CONFIG = 1,
    EGRESS_READY,
    EGRESS_LISTEN,
    EGRESS_END,
    EGRESS_REPORT,
};

/* Of policy, or an exact copy of it: struct policy_network_target. Text is borrowed. */
struct egress_target {
    const char *host; /* canonical, "*.NAME", or "*" */
    uint16_t port;
    bool is_private;
    const char *group;   /* for what is said of it */
    const char *methods; /* one a line; "": any */
    const char *paths;   /* one a line, a beginning with a star at its end; "": any */
};

/* Whether the target is this host (in its canonical form), or covers it. */
bool egress_target_covers(const struct egress_target *target, const char *host, uint16_t port);

/* A header that is added to every request to a host. */
struct egress_inject {
    const char *host; /* canonical name */
    uint16_t port;
    bool is_tls;
    const char *name;
    const char *value; /* secret */
};

struct egress_config {
    uint32_t uid, gid; /* to become; 0: stay who it is */
    struct egress_target *targets;
    uint32_t target_count;
    struct egress_inject *injects;
    uint32_t inject_count;
    const char *ca_file; /* certificates that TLS servers are verified by; "": the system's */
};

struct egress_ready {
    bool is_ready;
    const char *text; /* why not */
    struct slice
        ca; /* PEM of the certificate that signs for hosts with added headers; may be empty */
};

/* What became of one target. */
struct egress_row {
    const char *host; /* canonical, or escaped as it was asked for */
    uint16_t port;
    uint32_t connections;
    uint64_t bytes_up, bytes_down;
    uint32_t denied;
    const char *reason; /* of the last denial; "" */
};

struct egress_report {
    struct egress_row *rows;
    uint32_t row_count;
    uint64_t connections, denied;        /* of all */
    uint64_t bytes_up, bytes_down;       /* of all */
    uint32_t rows_dropped;               /* targets past LIMIT_EGRESS_HOSTS_SHOWN */
    uint32_t limit_hits[LIMIT_ID_COUNT]; /* only those of the proxy are not 0 */
};

/* Appends; a builder that is full fails. Secrets are in it: wipe it. */
void egress_config_encode(const struct egress_config *config, struct builder *out);
void egress_ready_encode(const struct egress_ready *ready, struct builder *out);
void egress_report_encode(const struct egress_report *report, struct builder *out);

/* Decoded views borrow texts from `bytes`, and own their arrays until they are freed. False: it is
 * not such a message. */
bool egress_config_decode(struct slice bytes, struct egress_config *ret_config);
void egress_config_deinit(struct egress_config *config);
bool egress_ready_decode(struct slice bytes, struct egress_ready *ret_ready);
bool egress_report_decode(struct slice bytes, struct egress_report *ret_report);
void egress_report_deinit(struct egress_report *report);
