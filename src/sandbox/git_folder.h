/* SPDX-License-Identifier: Apache-2.0
 *
 * Which git folder belongs to a workspace whose .git is a file or a link.
 */
#pragma once

#include <limits.h>
#include <sys/stat.h>

/* The folder that git needs beside the workspace, resolved; false when there is none that is the
 * workspace's own. Both ends must say so: .git names the folder, and the folder names this
 * workspace (gitrepository-layout(5): the file gitdir of a linked work tree; git-config(1):
 * core.worktree, which git sets for submodules). .git alone is the workspace's word, and the
 * workspace may be hostile. */
bool git_folder_find(const char *workspace, char ret_path[static PATH_MAX],
                     struct stat *ret_status);
