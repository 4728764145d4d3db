/* SPDX-License-Identifier: Apache-2.0 */
#include "witness/confine.h"

#include <sys/resource.h>

#include "sys/confine.h"
#include "witness_filter.h"

static bool limits_set(void) {
    static const struct {
        __rlimit_resource_t resource;
        struct rlimit limit;
    } LIMITS[] = {
        {RLIMIT_FSIZE, {0, 0}},
        {RLIMIT_NOFILE, {1, 1}}, /* fd 0 is taken: no new one; poll(2) wants the number it gets */
        {RLIMIT_CPU, {60, 60}},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        {RLIMIT_AS, {512UL << 20, 512UL << 20}}, /* shadow memory is larger than that */
#endif
    };
    bool is_set = true;
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        is_set = is_set && setrlimit(LIMITS[i].resource, &LIMITS[i].limit) == 0;
    }
    return is_set;
}

bool confine_to_port(uint16_t port) {
    return confine_no_files_but_port(port) && limits_set() &&
           confine_calls_to(filter_witness, sizeof filter_witness / sizeof filter_witness[0]);
}
