/* SPDX-License-Identifier: Apache-2.0
 *
 * A fuzz target: a parser of bytes from outside, and what must hold whatever they are. Targets
 * abort (ASSERT) when it does not. clang's libFuzzer drives them in `make fuzz`; replay.c does in
 * `make test`, with the seeds, every truncation and every flipped bit of them.
 */
#pragma once

#include "base/bytes.h"

/* libFuzzer's name. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Appends seed `number`, a well-formed input; false past the last one. */
bool fuzz_seed(unsigned number, struct builder *out);
