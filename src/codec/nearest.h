/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stddef.h>

/* The one of `words` that is nearest to `word`, when it is near enough to be meant; nullptr
 * otherwise. Two neighbours swapped count as one change. */
const char *text_nearest(const char *word, const char *const *words, size_t count);
