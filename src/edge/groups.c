/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/groups.h"

#include "base/assert.h"

static const struct edge_group_row ROWS[] = {
    [EDGE_GROUP_X25519MLKEM768] = {0x11ec, "X25519MLKEM768", true},
    [EDGE_GROUP_SECP384R1MLKEM1024] = {0x11ed, "SecP384r1MLKEM1024", true},
    [EDGE_GROUP_SECP256R1MLKEM768] = {0x11eb, "SecP256r1MLKEM768", true},
    [EDGE_GROUP_MLKEM1024] = {0x0202, "MLKEM1024", true},
    [EDGE_GROUP_X25519] = {0x001d, "x25519", false},
    [EDGE_GROUP_SECP256R1] = {0x0017, "secp256r1", false},
    [EDGE_GROUP_OTHER] = {0, "other", false},
};
static_assert(sizeof ROWS / sizeof ROWS[0] == EDGE_GROUP_COUNT);

const struct edge_group_row *edge_group_row(enum edge_group group) {
    ASSERT(group < EDGE_GROUP_COUNT);
    return &ROWS[group];
}

enum edge_group edge_group_of_code(uint16_t code) {
    for (uint8_t i = 0; i < EDGE_GROUP_OTHER; i++) {
        if (ROWS[i].code == code) {
            return (enum edge_group)i;
        }
    }
    return EDGE_GROUP_OTHER;
}

const char *edge_group_list(enum edge_pq pq) {
    switch (pq) {
    case EDGE_PQ_REQUIRE:
        return "X25519MLKEM768:SecP384r1MLKEM1024:SecP256r1MLKEM768:MLKEM1024";
    case EDGE_PQ_PREFER:
        return "X25519MLKEM768:SecP384r1MLKEM1024:SecP256r1MLKEM768:MLKEM1024/X25519:secp256r1";
    case EDGE_PQ_OFF:
        return "X25519:secp256r1";
    }
    ASSERT(false);
    return "";
}
