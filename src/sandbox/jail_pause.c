/* SPDX-License-Identifier: Apache-2.0
 *
 * Pauses, from outside. In version 2 the sandbox's own group is frozen. In version 1 the freezer is
 * a hierarchy of its own; a group in it is made only now, because few runs are ever paused, and
 * every process of the sandbox is moved into it. It is frozen beforehand, so whoever is in it forks
 * no more, and the list of those that are not gets shorter with every pass. Elsewhere init stops
 * the processes.
 *
 * A frozen process of version 1 does not even die: whoever ends a sandbox thaws it first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

/* A process in the middle of a read from disk freezes when that is done. */
enum { PASSES_MAX = 200, FROZEN_TRIES = 400, FROZEN_PAUSE_US = 500, LIST_BYTES = 65536 };

uint64_t jail_pause_ns(const struct jail_pause *pause, uint64_t now_ns) {
    return pause->total_ns + (pause->is_held ? now_ns - pause->since_ns : 0);
}

static bool wait_frozen(const struct jail_pause *pause, const char *name, const char *word) {
    char text[256];
    for (unsigned i = 0; i < FROZEN_TRIES; i++) {
        if (jail_group_read(pause->freezer, name, text, sizeof text) &&
            strstr(text, word) != nullptr) {
            return true;
        }
        (void)usleep(FROZEN_PAUSE_US);
    }
    return false;
}

static bool freeze_version_2(struct jail *jail) {
    const struct jail_group *group = &jail->cgroup.group[JAIL_PIDS];
    struct jail_pause *pause = &jail->pause;
    if (!group->is_version_2) {
        return false;
    }
    (void)snprintf(pause->freezer, sizeof pause->freezer, "%s", group->folder);
    pause->is_version_2 = true;
    return jail_group_write(&jail->cgroup, pause->freezer, "cgroup.freeze", "1") &&
           wait_frozen(pause, "cgroup.events", "frozen 1");
}

/* Moves those of one list of numbers into the freezer that are not on the other, each between two
 * ends of lines; returns how many. */
static unsigned move_missing(const struct jail *jail, const char *list, const char *inside) {
    unsigned count = 0;
    for (const char *at = list; *at != '\0';) {
        char wanted[24];
        int size = (int)strcspn(at, "\n");
        (void)snprintf(wanted, sizeof wanted, "\n%.*s\n", size, at);
        if (strstr(inside, wanted) == nullptr) {
            count++;
            (void)jail_group_write(&jail->cgroup, jail->pause.freezer, "cgroup.procs", wanted + 1);
        }
        at += size + (at[size] == '\n');
    }
    return count;
}

/* Moves everybody of `from` into the freezer; true when nobody there is outside of it. */
static bool move_all(const struct jail *jail, const char *from) {
    char *list = malloc((size_t)2 * LIST_BYTES);
    bool all = false;
    for (unsigned pass = 0; list != nullptr && pass < PASSES_MAX && !all; pass++) {
        char *inside = list + LIST_BYTES;
        inside[0] = '\n';
        if (!jail_group_read(from, "cgroup.procs", list, LIST_BYTES) ||
            !jail_group_read(jail->pause.freezer, "cgroup.procs", inside + 1, LIST_BYTES - 1)) {
            break;
        }
        all = move_missing(jail, list, inside) == 0;
    }
    free(list);
    return all;
}

static bool freeze_version_1(struct jail *jail) {
    struct jail_pause *pause = &jail->pause;
    const struct jail_group *group = &jail->cgroup.group[JAIL_PIDS];
    if (group->folder[0] == '\0' || group->is_version_2) {
        return false;
    }
    struct jail_group freezer = {};
    if (!jail_cgroup_place(jail->plan.run_id, "freezer", &freezer) ||
        (mkdir(freezer.folder, 0755) != 0 && errno != EEXIST)) {
        return false;
    }
    memcpy(pause->freezer, freezer.folder, sizeof pause->freezer);
    return jail_group_write(&jail->cgroup, pause->freezer, "freezer.state", "FROZEN") &&
           move_all(jail, group->folder) && wait_frozen(pause, "freezer.state", "FROZEN");
}

static void thaw(const struct jail *jail) {
    const struct jail_pause *pause = &jail->pause;
    if (pause->freezer[0] != '\0') {
        (void)jail_group_write(&jail->cgroup, pause->freezer,
                               pause->is_version_2 ? "cgroup.freeze" : "freezer.state",
                               pause->is_version_2 ? "0" : "THAWED");
    }
}

void jail_pause_begin(struct jail *jail) {
    jail->pause.is_held = true;
    jail->pause.since_ns = jail_now_ns();
    jail->pause.is_by_init = false;
    if (!freeze_version_2(jail) && !freeze_version_1(jail)) {
        thaw(jail);
        jail->pause.is_by_init = true;
    }
}

void jail_pause_end(struct jail *jail) {
    if (jail->pause.is_held) {
        jail->pause.total_ns += jail_now_ns() - jail->pause.since_ns;
        jail->pause.is_held = false;
        thaw(jail);
    }
}

void jail_pause_remove(struct jail *jail) {
    if (jail->pause.freezer[0] != '\0' && !jail->pause.is_version_2) {
        for (unsigned i = 0; i < FROZEN_TRIES && rmdir(jail->pause.freezer) != 0 && errno == EBUSY;
             i++) {
            (void)usleep(FROZEN_PAUSE_US);
        }
    }
}
