/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/entry_scan.h"

#include "codec/json_scan.h"

static void place_take(void *context, struct slice name, struct slice value) {
    struct entry_place *place = context;
    struct slice text;
    if (slice_equal(name, SLICE_LITERAL("v"))) {
        place->has_v = json_scan_natural(value, &place->v);
    } else if (slice_equal(name, SLICE_LITERAL("seq"))) {
        place->has_seq = json_scan_natural(value, &place->seq);
    } else if (slice_equal(name, SLICE_LITERAL("time_ms"))) {
        place->has_time_ms = json_scan_natural(value, &place->time_ms);
    } else if (slice_equal(name, SLICE_LITERAL("type")) && json_scan_text(value, &text)) {
        place->type = text;
    } else if (slice_equal(name, SLICE_LITERAL("prev_hash")) && json_scan_text(value, &text)) {
        place->prev_hash = text;
    }
}

bool entry_scan(struct slice bytes, struct entry_place *ret_place) {
    *ret_place = (struct entry_place){0};
    return json_scan_object(bytes, place_take, ret_place);
}
