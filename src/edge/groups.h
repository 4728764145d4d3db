/* SPDX-License-Identifier: Apache-2.0
 *
 * The groups of TLS 1.3 key exchange, by code point (IANA "TLS Supported Groups"). A table of our
 * own, because libssl speaks of one group in three ways: NIDs, private numbers, lower-case names.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "edge/config.h"

enum edge_group : uint8_t {
    EDGE_GROUP_X25519MLKEM768,
    EDGE_GROUP_SECP384R1MLKEM1024,
    EDGE_GROUP_SECP256R1MLKEM768,
    EDGE_GROUP_MLKEM1024,
    EDGE_GROUP_X25519,
    EDGE_GROUP_SECP256R1,
    EDGE_GROUP_OTHER,
    EDGE_GROUP_COUNT,
};

struct edge_group_row {
    uint16_t code;    /* 0 for OTHER */
    const char *name; /* as IANA writes it */
    bool is_post_quantum;
};

const struct edge_group_row *edge_group_row(enum edge_group group);
enum edge_group edge_group_of_code(uint16_t code);
/* For SSL_CTX_set1_groups_list(). With EDGE_PQ_PREFER a client that knows the first group and sent
 * a share of another gets a HelloRetryRequest. */
const char *edge_group_list(enum edge_pq pq);
