/* SPDX-License-Identifier: Apache-2.0
 *
 * Removes the cgroups of a run whose launcher was killed before it could.
 */
#pragma once

/* Every group airlock-<run_id> beside or below the groups of this process, if it is empty or will
 * be in a moment. Only for runs that have ended. Cheap: a few rmdir. */
void cgroup_sweep(const char *run_id);
