/* SPDX-License-Identifier: Apache-2.0
 *
 * What every sandbox of a kind begins with: the host's programs, /etc, /dev, /proc.
 */
#include <stdio.h>
#include <string.h>

#include "sandbox/plan_draft.h"

enum { SHARED_MEMORY_BYTES = 64 * 1024 * 1024, ROOT_BYTES = 1024 * 1024 };

static void add_host(struct draft *draft, const struct plan_host *host) {
    const char *root = draft->request->root;
    for (uint32_t i = 0; i < host->entry_count; i++) {
        const struct plan_host_entry *entry = &host->entry[i];
        switch (entry->kind) {
        case PLAN_HOST_NONE:
            break;
        case PLAN_HOST_LINK:
            draft_symlink(draft, entry->path, entry->link);
            break;
        case PLAN_HOST_FILE:
        case PLAN_HOST_FOLDER:
            draft_bind(draft, root == nullptr ? entry->path : draft_text(draft, root, entry->path),
                       entry->path, 0);
            draft->operations[draft->operation_count - 1].dev = entry->dev;
            draft->operations[draft->operation_count - 1].ino = entry->ino;
            break;
        }
        if (entry->kind == PLAN_HOST_FOLDER && strcmp(entry->path, "/nix") == 0) {
            /* A read-only mount does not keep anybody from a socket, and the daemon behind this
             * one fetches and builds with the host's network. */
            draft_add(draft, PLAN_MASK, "/nix/var/nix/daemon-socket");
        }
    }
}

static void add_etc(struct draft *draft) {
    const struct plan_request *request = draft->request;
    char text[3 * LIMIT_PATH_BYTES];
    (void)snprintf(text, sizeof text,
                   "root:x:0:0:root:%s:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
                   request->home);
    if (request->uid != 0) {
        (void)snprintf(text, sizeof text,
                       "root:x:0:0:root:/:/bin/sh\nuser:x:%u:%u:user:%s:/bin/sh\n"
                       "nobody:x:65534:65534:nobody:/:/bin/false\n",
                       request->uid, request->gid, request->home);
    }
    draft_file(draft, "/etc/passwd", draft_text(draft, text, ""));
    (void)snprintf(text, sizeof text, "root:x:0:\n");
    if (request->gid != 0) {
        (void)snprintf(text, sizeof text, "root:x:0:\nuser:x:%u:\n", request->gid);
    }
    draft_file(draft, "/etc/group", draft_text(draft, text, "nogroup:x:65534:\n"));
    draft_file(draft, "/etc/hosts",
               "127.0.0.1 localhost airlock\n::1 localhost ip6-localhost ip6-loopback\n");
    draft_file(draft, "/etc/nsswitch.conf",
               "passwd: files\ngroup: files\nshadow: files\nhosts: files\nnetworks: files\n"
               "protocols: files\nservices: files\n");
    draft_file(draft, "/etc/resolv.conf", "");
    draft_file(draft, "/etc/hostname", "airlock\n");
    /* Fixed, so that it identifies no machine. */
    draft_file(draft, "/etc/machine-id", "61697262616c6c6f636b000000000001\n");
}

static void add_dev(struct draft *draft) {
    static const char *const devices[] = {
        "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
    };
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        draft_bind(draft, devices[i], devices[i], PLAN_FLAG_DEVICE);
    }
    draft_symlink(draft, "/dev/fd", "/proc/self/fd");
    draft_symlink(draft, "/dev/stdin", "/proc/self/fd/0");
    draft_symlink(draft, "/dev/stdout", "/proc/self/fd/1");
    draft_symlink(draft, "/dev/stderr", "/proc/self/fd/2");
    draft_symlink(draft, "/dev/ptmx", "pts/ptmx");
    draft_add(draft, PLAN_DEVPTS, "/dev/pts");
    struct plan_operation *shm = draft_add(draft, PLAN_TMPFS, "/dev/shm");
    shm->mode = 01777;
    shm->size = SHARED_MEMORY_BYTES;
}

static void add_proc(struct draft *draft) {
    static const char *const masks[] = {
        "/proc/kcore",      "/proc/keys",          "/proc/kallsyms", "/proc/cmdline",
        "/proc/timer_list", "/proc/sysrq-trigger", "/proc/bus",      "/proc/fs",
        "/proc/irq",        "/proc/scsi",          "/proc/acpi",
    };
    draft_add(draft, PLAN_PROC, "/proc");
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        draft_add(draft, PLAN_MASK, masks[i]);
    }
    draft_add(draft, PLAN_READONLY, "/proc/sys");
    draft_folder(draft, "/run");
}

void draft_add_ground(struct draft *draft, const struct plan_host *host) {
    struct plan_operation *root = draft_add(draft, PLAN_TMPFS, "/");
    root->mode = 0755;
    root->size = ROOT_BYTES;
    add_host(draft, host);
    add_etc(draft);
    add_dev(draft);
    add_proc(draft);
}
