/* SPDX-License-Identifier: Apache-2.0
 *
 * Ownership on every way out of a function. CLEANUP(thing_freep) on a local calls
 * thing_freep(&local) when it goes out of scope; TAKE(x) hands the value over and leaves an empty
 * one behind.
 */
#pragma once

#include <stdlib.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Hands a pointer over to somebody else: the local is left nullptr. */
#define TAKE(pointer)                       \
    ({                                      \
        typeof(pointer) taken_ = (pointer); \
        (pointer) = nullptr;                \
        taken_;                             \
    })

/* For any malloc'd memory. */
static inline void memory_freep(void *pointer_to_pointer) {
    free(*(void **)pointer_to_pointer);
}
