/* SPDX-License-Identifier: Apache-2.0
 *
 * User namespaces that map one id, for id-mapped mounts and sandboxes.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct userns_map {
    uint32_t uid, gid;           /* inside */
    uint32_t host_uid, host_gid; /* outside */
};
/* Writes the maps of the user namespace that `pid` is in; 0 is the caller itself. False sets
 * errno. */
bool userns_map_write(pid_t pid, const struct userns_map *map);
/* A descriptor of a new user namespace with this map; -1 sets errno. The caller closes it. */
int userns_open(const struct userns_map *map);
/* A view of the open folder in which what is the map's host ids' is its inner ids': a mount of its
 * own that is attached nowhere, private, read-only, without devices and without programs that
 * change who runs them. `userns` is a descriptor of userns_open(). -1 sets errno. The caller closes
 * it. */
int userns_view(int userns, int folder);
