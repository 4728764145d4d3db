/* SPDX-License-Identifier: Apache-2.0 */
#include "probe/probe.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PARENTS_MAX = 64 };

void probe_found(struct probe *probe, const char *format, ...) {
    if (probe->found_count++ >= PROBE_FOUND_MAX) {
        return;
    }
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (char *c = text; *c != '\0'; c++) {
        *c = (char)(*c >= ' ' && *c <= '~' ? *c : '?');
    }
    (void)printf("found %s\n", text);
    (void)fflush(stdout);
}

bool probe_try(bool (*attempt)(const void *context), const void *context) {
    pid_t pid = fork();
    if (pid == 0) {
        _exit(attempt(context) ? 0 : 1);
    }
    int status = 0;
    while (pid > 0 && waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool probe_can_open(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return false;
    }
    (void)close(fd);
    return true;
}

ssize_t probe_read(const char *path, char *text, size_t capacity) {
    text[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return -1;
    }
    size_t used = 0;
    ssize_t size;
    while (used + 1 < capacity && (size = read(fd, text + used, capacity - 1 - used)) > 0) {
        used += (size_t)size;
    }
    (void)close(fd);
    text[used] = '\0';
    return (ssize_t)used;
}

bool probe_is_below(const char *path, const char *const *folders, size_t count) {
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(folders[i]);
        if (size > 0 && strncmp(path, folders[i], size) == 0 &&
            (path[size] == '\0' || path[size] == '/' || folders[i][size - 1] == '/')) {
            return true;
        }
    }
    return false;
}

bool probe_is_secret_name(const char *entry) {
    static const char *const words[] = {"SECRET",     "TOKEN",  "PASSWORD",   "PASSWD",
                                        "PASSPHRASE", "APIKEY", "CREDENTIAL", "PRIVATE",
                                        "_KEY",       "_PAT",   "COOKIE",     "DATABASE_URL"};
    char name[256];
    size_t size = strcspn(entry, "=");
    if (size == 0 || size >= sizeof name || entry[size] != '=' || entry[size + 1] == '\0') {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        name[i] = (char)toupper((unsigned char)entry[i]);
    }
    name[size] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *at = strstr(name, words[i]);
        /* "_PAT" is a token only at the end: LD_LIBRARY_PATH is none. */
        if (at != nullptr && (strcmp(words[i], "_PAT") != 0 || at[4] == '\0')) {
            return true;
        }
    }
    return false;
}

static pid_t parent_of(pid_t pid) {
    char path[48];
    char text[512];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (probe_read(path, text, sizeof text) <= 0) {
        return 0;
    }
    const char *end = strrchr(text, ')'); /* a name may hold anything */
    int parent = 0;
    return end != nullptr && sscanf(end + 1, " %*c %d", &parent) == 1 ? parent : 0;
}

/* pid 1 is init even where it is no parent: it is that of the sandbox, or seen as nobody's. */
bool probe_is_family(pid_t pid) {
    pid_t one = getpid();
    for (unsigned i = 0; i < PARENTS_MAX && one > 0; i++) {
        if (one == pid) {
            return true;
        }
        one = parent_of(one);
    }
    return false;
}

void probe_each_process(struct probe *probe, void (*each)(struct probe *probe, pid_t pid)) {
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc != nullptr && (entry = readdir(proc)) != nullptr;) {
        char *end;
        long pid = strtol(entry->d_name, &end, 10);
        if (*end == '\0' && pid > 0) {
            each(probe, (pid_t)pid);
        }
    }
    if (proc != nullptr) {
        (void)closedir(proc);
    }
}
