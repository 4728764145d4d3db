/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans, as the launcher reads them: decoding never reads past its bytes, what decodes encodes back
 * to the same bytes, and checking takes whatever decoded.
 */
#include "base/assert.h"
#include "fuzz.h"
#include "sandbox/plan_format.h"

enum { OUTPUT_BYTES_MAX = 1 << 20 };

bool fuzz_seed(unsigned number, struct builder *out) {
    if (number > 0) {
        return false;
    }
    const char *argv[] = {"sh", "-c", "true", nullptr};
    const char *environment[] = {"PATH=/usr/bin", nullptr};
    struct plan_view view = {
        .run_id = "01234567-89ab-7def-8123-456789abcdef",
        .template_name = "code-executor",
        .run_folder = "/var/lib/airlock/runs/x",
        .workspace = "/srv/work",
        .working_folder = "/srv/work",
        .home = "/home/user",
        .path = "/usr/bin",
        .uid = 1000,
        .gid = 1000,
        .host_uid = 1000,
        .host_gid = 1000,
        .argv = argv,
        .argument_count = 3,
        .environment = environment,
        .environment_count = 1,
    };
    plan_encode(&view, out);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error err = {};
    struct plan_view view = {};
    if (!status_is_ok(plan_decode(slice_of(data, size), &view, &err))) {
        ASSERT(err.code != ERROR_NONE);
        return 0;
    }
    struct builder again;
    builder_init(&again, OUTPUT_BYTES_MAX);
    plan_encode(&view, &again);
    ASSERT(!builder_is_ok(&again) || slice_equal(builder_slice(&again), slice_of(data, size)));
    builder_deinit(&again);
    (void)plan_check(&view, &err).code;
    plan_view_deinit(&view);
    return 0;
}
