/* SPDX-License-Identifier: Apache-2.0
 *
 * The step list of an apply, as it is read again after a crash.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "fuzz.h"
#include "sandbox/merge_steps.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number > 0) {
        return false;
    }
    struct merge_steps steps = {.closes_stage = true};
    (void)snprintf(steps.run_id, sizeof steps.run_id, "01234567-89ab-7def-8123-456789abcdef");
    (void)snprintf(steps.workspace, sizeof steps.workspace, "/srv/work");
    const struct entry_state state = {};
    struct error err = {};
    struct merge_step *step = nullptr;
    ASSERT(status_is_ok(merge_steps_add(&steps, MERGE_RENAME, "a/b", &state, &step, &err)));
    ASSERT(status_is_ok(merge_steps_add(&steps, MERGE_REMOVE_FILE, "c", &state, &step, &err)));
    ASSERT(status_is_ok(merge_steps_add(&steps, MERGE_MODE, "d", &state, &step, &err)));
    ASSERT(status_is_ok(merge_steps_add(&steps, MERGE_ATTRIBUTES, "e", &state, &step, &err)));
    merge_steps_encode(&steps, out);
    merge_steps_deinit(&steps);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {};
    struct merge_steps steps = {};
    if (!status_is_ok(merge_steps_decode(slice_of(data, size), &steps, &err))) {
        ASSERT(err.code != ERROR_NONE);
        return 0;
    }
    struct builder again;
    builder_init(&again, 4 * size + 65536);
    merge_steps_encode(&steps, &again);
    ASSERT(slice_equal(builder_slice(&again), slice_of(data, size)));
    builder_deinit(&again);
    merge_steps_deinit(&steps);
    return 0;
}
