/* SPDX-License-Identifier: Apache-2.0
 *
 * The program of one extension, sealed in the template policy-sandbox: no network, nothing of the
 * user's files but the folder its row names, and whatever it writes is thrown away with it. It is
 * asked over its standard input and answers on its standard output; what it says on standard error
 * goes nowhere.
 */
#pragma once

#include "base/clock.h"
#include "policy/rule.h"
#include "sandbox/launcher.h"
#include "store/state.h"
#include "sys/random.h"

struct extension_process {
    struct launcher *launcher; /* owned; nullptr: it does not run */
    int input, output;         /* our ends; owned, -1 when closed */
    int folder_fd;             /* extensions/<id>, which it keeps locked; owned */
    const struct state *state; /* borrowed */
    char id[ID_TEXT_BYTES];
};

enum extension_answer : uint8_t {
    EXTENSION_ANSWERED,
    EXTENSION_ENDED, /* or wrote what is no answer: one that is too long, or more than one */
    EXTENSION_LATE,
};

/* An empty one, which extension_process_stop() takes. */
void extension_process_init(struct extension_process *process, const struct state *state);
/* Starts it and does not wait for it. The command is not looked up: that it does not exist shows at
 * the first question. Errors: POLICY_EXTENSION for a folder that cannot be used, and those of the
 * launcher. After an error it is stopped. */
status_t extension_process_start(struct extension_process *process,
                                 const struct policy_extension_source *source, struct error *err);
/* Sends one frame and waits for the body of one until `deadline_ns` of the clock. Nothing may have
 * come before, and nothing may come behind it. `body` is emptied first. */
enum extension_answer extension_process_ask(struct extension_process *process,
                                            const struct clock *clock, struct slice frame,
                                            uint64_t deadline_ns, struct builder *body);
/* Kills it and all it started, and removes what it wrote. */
void extension_process_stop(struct extension_process *process);
