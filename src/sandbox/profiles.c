/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/assert.h"
#include "sandbox/plan.h"

enum : uint64_t { MIB = 1024 * 1024, GIB = 1024 * MIB };

static const struct template_row templates[] = {
    {
        .name = "code-executor",
        .summary = "builds, tests and tools of a workspace; no network",
        .seccomp = SECCOMP_STANDARD,
        .limits =
            {
                .memory_bytes_max = 8 * GIB,
                .pid_count_max = 4096,
                .cpu_weight = 100,
                .wall_ms_max = 0,
                .stage_bytes_max = 10 * GIB,
                .file_bytes_max = 4 * GIB + 1,
                .output_bytes_max = 64 * MIB,
            },
    },
    {
        .name = "small",
        .summary = "short scripts: 1 GiB of memory, 100 processes, 300 seconds",
        .seccomp = SECCOMP_STANDARD,
        .limits =
            {
                .memory_bytes_max = 1 * GIB,
                .pid_count_max = 100,
                .cpu_weight = 100,
                .cpu_percent_max = 100,
                .wall_ms_max = 300000,
                .stage_bytes_max = 1 * GIB,
                .file_bytes_max = 256 * MIB,
                .output_bytes_max = 16 * MIB,
            },
    },
    {
        .name = "integration-test",
        .summary = "as code-executor, 300 seconds, with the hosts that policy names",
        .seccomp = SECCOMP_STANDARD,
        .network = TEMPLATE_NETWORK_RESTRICTED,
        .limits =
            {
                .memory_bytes_max = 8 * GIB,
                .pid_count_max = 4096,
                .cpu_weight = 100,
                .wall_ms_max = 300000,
                .stage_bytes_max = 10 * GIB,
                .file_bytes_max = 4 * GIB + 1,
                .output_bytes_max = 64 * MIB,
            },
    },
    {
        .name = "ai-provider",
        .summary = "a client of a model: 256 MiB, 10 processes, 120 seconds, no sockets of its own",
        .seccomp = SECCOMP_STRICT,
        .network = TEMPLATE_NETWORK_RESTRICTED,
        .limits =
            {
                .memory_bytes_max = 256 * MIB,
                .pid_count_max = 10,
                .cpu_weight = 50,
                .cpu_percent_max = 50,
                .wall_ms_max = 120000,
                .stage_bytes_max = 16 * MIB,
                .file_bytes_max = 1 * MIB,
                .output_bytes_max = 1 * MIB,
            },
    },
    {
        .name = "policy-sandbox",
        .summary = "extensions of a policy: 128 MiB, 32 processes, no sockets; files are made only "
                   "to be thrown away",
        .seccomp = SECCOMP_STRICT,
        .limits =
            {
                .memory_bytes_max = 128 * MIB,
                .pid_count_max = 32,
                .cpu_weight = 25,
                .cpu_percent_max = 25,
                .wall_ms_max = 0, /* whoever asks it limits every call */
                .stage_bytes_max = 16 * MIB,
                .file_bytes_max = 1 * MIB,
                .output_bytes_max = 1 * MIB,
            },
    },
};

size_t template_count(void) {
    return sizeof templates / sizeof templates[0];
}

const struct template_row *template_at(size_t index) {
    ASSERT(index < template_count());
    return &templates[index];
}

const struct template_row *template_find(const char *name) {
    for (size_t i = 0; i < template_count(); i++) {
        if (strcmp(templates[i].name, name) == 0) {
            return &templates[i];
        }
    }
    return nullptr;
}
