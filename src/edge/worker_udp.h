/* SPDX-License-Identifier: Apache-2.0
 *
 * The UDP listeners of a worker, through reloads.
 */
#pragma once

#include "edge/worker.h"

/* Serves those of the tenure that are this worker's: the ones that stay as they are keep their
 * sessions, the others end. False when memory runs out; then nothing changed. */
[[nodiscard]] bool worker_udp_use(struct worker *worker, struct tenure *tenure);
void worker_udp_drain(struct worker *worker); /* no new sessions */
void worker_udp_close(struct worker *worker);
