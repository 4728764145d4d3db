/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* Whether this process may give files and namespaces to other users: it is root, and of the whole
 * machine, not of a user namespace with a few ids mapped (a rootless container, `unshare -r`).
 * Such a root is a plain user under another name, and is treated as one: it cannot id-map a
 * filesystem, and most ids do not exist for it (user_namespaces(7)). */
bool ids_are_all_ours(void);
