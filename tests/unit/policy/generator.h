/* SPDX-License-Identifier: Apache-2.0
 *
 * Random documents and requests from a fixed seed. The words are few, so that rules and requests
 * meet often.
 */
#pragma once

#include "policy_kit.h"

enum { GENERATOR_SPEC_BYTES = 512 };

/* A number below `below`. */
unsigned generator_pick(unsigned below);
/* A match or an except of up to four fields, for kit_match(). */
void generator_spec(char *spec, bool with_operation);
/* Replaces what is in the kit. */
void generator_document(struct kit *kit);

struct generator_request {
    struct policy_request request; /* points at the rest */
    char path[128];
    const char *tags[2];
    const char *networks[2];
};
void generator_request(struct generator_request *asked);
