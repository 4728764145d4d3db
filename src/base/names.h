/* SPDX-License-Identifier: Apache-2.0
 *
 * What numbers of the system are called. The C libraries that Airlock is linked with do not agree
 * on the functions for it.
 */
#pragma once

/* "No such file or directory"; nullptr when the system knows no such error. */
const char *names_errno(int number);
/* "KILL"; nullptr for what is no signal with a name of its own. */
const char *names_signal(int number);
