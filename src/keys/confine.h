/* SPDX-License-Identifier: Apache-2.0
 *
 * What airlock-keys gives up before it reads its first request.
 */
#pragma once

/* No core, no debugger or ptrace by others of the same user, no way to more privilege, and with
 * Landlock no file but those in the open folder `folder_fd` (none at all where the kernel's ABI
 * knows TCP: no connection either). A kernel without Landlock leaves that part out. false when
 * something that every supported kernel can do failed. */
bool confine_to_folder(int folder_fd);

/* Every system call that is not in seccomp.def kills the process from now on. After
 * confine_to_folder(). False with errno; a kernel without seccomp filters is not supported. */
bool confine_calls(void);
