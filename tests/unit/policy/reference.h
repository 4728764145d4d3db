/* SPDX-License-Identifier: Apache-2.0
 *
 * The engine once more, slow and straight: no index, nothing compiled, every rule asked in turn,
 * globs by plain recursion. Written from the words of the manual, not from the engine, so that the
 * two can be held against each other.
 */
#pragma once

#include "policy/builtin.h"
#include "policy/compile.h"

struct reference {
    const struct policy_layer_source *layers;
    size_t layer_count;
    bool without_builtins;
    bool without_folding;          /* paths are compared as bytes only */
    enum policy_token_state token; /* when token_presented */
    bool token_presented;
};

enum policy_outcome reference_decide(const struct reference *reference,
                                     const struct policy_request *request);

/* A gitignore pattern, without its `!`. fold: both are taken in lower case. */
bool reference_glob(const char *pattern, const char *path, bool is_folder, bool fold);
