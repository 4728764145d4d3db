/* SPDX-License-Identifier: Apache-2.0
 *
 * Run by whoever is to become the command, after it gave up every right, so that whatever stands in
 * the files that are looked at can mislead nobody else.
 */
#include "sys/one_program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/limits.h"
#include "sys/fd.h"

enum { PROGRAMS_MAX = 8, HEAD_BYTES = 4096 };

/* Files still to be looked at; a script leads to at most two others, a program to one. */
struct programs {
    const char *search; /* PATH */
    unsigned count;
    char path[PROGRAMS_MAX][LIMIT_PATH_BYTES];
};

static void push(struct programs *programs, const char *path, size_t size) {
    if (programs->count < PROGRAMS_MAX && size > 0 && size < LIMIT_PATH_BYTES) {
        (void)snprintf(programs->path[programs->count++], LIMIT_PATH_BYTES, "%.*s", (int)size,
                       path);
    }
}

/* A name as it is looked up in PATH. */
static void push_named(struct programs *programs, const char *name, size_t size) {
    if (memchr(name, '/', size) != nullptr) {
        push(programs, name, size);
        return;
    }
    for (const char *part = programs->search; *part != '\0';) {
        char path[LIMIT_PATH_BYTES];
        int length = (int)strcspn(part, ":");
        int used = snprintf(path, sizeof path, "%.*s/%.*s", length, part, (int)size, name);
        if (length > 0 && used > 0 && (size_t)used < sizeof path && access(path, X_OK) == 0) {
            push(programs, path, (size_t)used);
            return;
        }
        part += length + (part[length] == ':');
    }
}

/* "#!/usr/bin/env -S node --flag": the interpreter, and what env looks up. */
static void push_script(struct programs *programs, const char *line) {
    const char *at = line + strspn(line, " \t");
    size_t size = strcspn(at, " \t\n");
    push(programs, at, size);
    bool is_env = size >= 4 && strncmp(at + size - 4, "/env", 4) == 0;
    at += size;
    at += strspn(at, " \t");
    if (is_env && strncmp(at, "-S", 2) == 0) {
        at += 2;
        at += strspn(at, " \t");
    }
    if (is_env) {
        push_named(programs, at, strcspn(at, " \t\n"));
    }
}

static void push_loader(struct programs *programs, int fd, const char *head, size_t size) {
    Elf64_Ehdr header;
    char path[LIMIT_PATH_BYTES] = "";
    if (size < sizeof header) {
        return;
    }
    memcpy(&header, head, sizeof header);
    for (unsigned i = 0; i < header.e_phnum && i < HEAD_BYTES / sizeof(Elf64_Phdr); i++) {
        Elf64_Phdr part;
        off_t at = (off_t)(header.e_phoff + i * sizeof part);
        if (pread(fd, &part, sizeof part, at) != (ssize_t)sizeof part) {
            return;
        }
        if (part.p_type == PT_INTERP && part.p_filesz < sizeof path) {
            ssize_t length = pread(fd, path, part.p_filesz, (off_t)part.p_offset);
            push(programs, path, length > 0 ? strnlen(path, (size_t)length) : 0);
            return;
        }
    }
}

static bool permit(int ruleset, const char *path) {
    CLEANUP(fd_closep) int fd = open(path, O_PATH | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
        return true; /* the exec will say what is wrong with it */
    }
    struct landlock_path_beneath_attr attr = {
        .allowed_access = LANDLOCK_ACCESS_FS_EXECUTE,
        .parent_fd = fd,
    };
    struct landlock_path_beneath_attr readable = attr;
    readable.allowed_access |= LANDLOCK_ACCESS_FS_READ_FILE;
    /* Where reading is no matter of the ruleset, it has to be left out. */
    return syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &readable, 0) == 0 ||
           (errno == EINVAL &&
            syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attr, 0) == 0);
}

bool one_program_permit(int ruleset, const char *name, const char *search) {
    static struct programs programs; /* large; a process does it once */
    programs.search = search;
    push_named(&programs, name, strlen(name));
    for (unsigned i = 0; i < programs.count; i++) {
        char head[HEAD_BYTES] = "";
        if (!permit(ruleset, programs.path[i])) {
            return false;
        }
        CLEANUP(fd_closep) int fd = open(programs.path[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        ssize_t size = fd < 0 ? -1 : pread(fd, head, sizeof head - 1, 0);
        if (size > 2 && strncmp(head, "#!", 2) == 0) {
            push_script(&programs, head + 2);
        } else if (size > SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0) {
            push_loader(&programs, fd, head, (size_t)size);
        }
    }
    return true;
}

bool one_program_enforce(const char *name, const char *search) {
    struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
    CLEANUP(fd_closep)
    int ruleset =
        (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr.handled_access_fs, 0);
    return ruleset >= 0 && one_program_permit(ruleset, name, search) &&
           syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
}
