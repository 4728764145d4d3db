/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/git_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"

enum { CONFIG_BYTES_MAX = 65536 }; /* those that git writes are a few hundred bytes */

/* Reads a whole small file, NUL-terminated; false when it cannot be read or is larger. */
static bool read_small(const char *path, char *ret, size_t capacity) {
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat there;
    if (fd < 0 || fstat(fd, &there) != 0 || !S_ISREG(there.st_mode)) {
        return false;
    }
    ssize_t size = read(fd, ret, capacity);
    if (size < 0 || (size_t)size >= capacity) {
        return false;
    }
    ret[size] = '\0';
    return strlen(ret) == (size_t)size;
}

/* `name` seen from `folder`; false when it is too long. */
static bool path_from(const char *folder, const char *name, char ret[static PATH_MAX]) {
    int size = name[0] == '/' ? snprintf(ret, PATH_MAX, "%s", name)
                              : snprintf(ret, PATH_MAX, "%s/%s", folder, name);
    return size >= 0 && size < PATH_MAX;
}

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_git_folder(const char *path, struct stat *ret_status) {
    static const struct {
        const char *name;
        mode_t type;
    } parts[] = {{"HEAD", S_IFREG}, {"objects", S_IFDIR}, {"refs", S_IFDIR}};
    CLEANUP(fd_closep) int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, ret_status) != 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        struct stat part;
        if (fstatat(fd, parts[i].name, &part, AT_SYMLINK_NOFOLLOW) != 0 ||
            (part.st_mode & S_IFMT) != parts[i].type) {
            return false;
        }
    }
    return true;
}

/* Where .git leads: a file says "gitdir: PATH", a link leads there by itself. */
static bool read_dot_git(const char *workspace, const struct stat *dot_git,
                         char ret_resolved[static PATH_MAX]) {
    char path[PATH_MAX];
    char text[PATH_MAX + 16];
    if (!path_from(workspace, ".git", path)) {
        return false;
    }
    if (!S_ISLNK(dot_git->st_mode)) {
        if (!read_small(path, text, sizeof text) || strncmp(text, "gitdir: ", 8) != 0) {
            return false;
        }
        text[strcspn(text, "\r\n")] = '\0';
        if (!path_from(workspace, text + 8, path)) {
            return false;
        }
    }
    return realpath(path, ret_resolved) != nullptr;
}

/* A linked work tree's folder lies in worktrees/ of the repository, and its file gitdir names the
 * .git file that belongs to it. Git needs the repository. */
static bool is_worktree_of(char folder[static PATH_MAX], const struct stat *dot_git) {
    char path[PATH_MAX];
    char text[PATH_MAX];
    struct stat named;
    char *name = strrchr(folder, '/');
    size_t above = (size_t)(name - folder);
    if (above < sizeof "/worktrees" ||
        strncmp(name - (sizeof "/worktrees" - 1), "/worktrees", sizeof "/worktrees" - 1) != 0 ||
        !path_from(folder, "gitdir", path) || !read_small(path, text, sizeof text)) {
        return false;
    }
    text[strcspn(text, "\r\n")] = '\0';
    if (text[0] == '\0' || !path_from(folder, text, path) || lstat(path, &named) != 0 ||
        !is_same(&named, dot_git)) {
        return false;
    }
    folder[above - (sizeof "/worktrees" - 1)] = '\0';
    return true;
}

/* A value as git writes it: bare, or in quotes with a backslash before quotes and backslashes. */
static void config_value(char *text) {
    char *out = text;
    for (const char *in = text; *in != '\0'; in++) {
        if (*in == '"') {
            continue;
        }
        if (*in == '\\' && in[1] != '\0') {
            in++;
        }
        *out++ = *in;
    }
    *out = '\0';
}

/* core.worktree of a configuration; the last one counts. */
static bool config_worktree(char *config, char ret[static PATH_MAX]) {
    bool in_core = false;
    bool found = false;
    char *rest = config;
    for (char *line; (line = strsep(&rest, "\n")) != nullptr;) {
        line += strspn(line, " \t");
        if (line[0] == '[') {
            in_core = strncasecmp(line, "[core]", 6) == 0;
        }
        char *equals = strchr(line, '=');
        if (!in_core || strncasecmp(line, "worktree", 8) != 0 || equals == nullptr ||
            line + 8 + strspn(line + 8, " \t") != equals) {
            continue;
        }
        char *value = equals + 1 + strspn(equals + 1, " \t");
        value[strcspn(value, "\r")] = '\0';
        config_value(value);
        found = value[0] != '\0' && snprintf(ret, PATH_MAX, "%s", value) < PATH_MAX;
    }
    return found;
}

/* The folder's configuration names the workspace as its work tree. */
static bool has_work_tree(const char *folder, const struct stat *workspace) {
    static const char *const names[] = {"config", "config.worktree"};
    CLEANUP(memory_freep) char *text = malloc(CONFIG_BYTES_MAX);
    char named[PATH_MAX];
    char path[PATH_MAX];
    struct stat there;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && text != nullptr; i++) {
        if (path_from(folder, names[i], path) && read_small(path, text, CONFIG_BYTES_MAX) &&
            config_worktree(text, named) && path_from(folder, named, path) &&
            stat(path, &there) == 0 && is_same(&there, workspace)) {
            return true;
        }
    }
    return false;
}

bool git_folder_find(const char *workspace, char ret_path[static PATH_MAX],
                     struct stat *ret_status) {
    char path[PATH_MAX];
    char folder[PATH_MAX];
    struct stat dot_git;
    struct stat top;
    if (!path_from(workspace, ".git", path) || lstat(path, &dot_git) != 0 ||
        !(S_ISREG(dot_git.st_mode) || S_ISLNK(dot_git.st_mode)) || stat(workspace, &top) != 0 ||
        !read_dot_git(workspace, &dot_git, folder)) {
        return false;
    }
    bool is_ours = (S_ISREG(dot_git.st_mode) && is_worktree_of(folder, &dot_git)) ||
                   has_work_tree(folder, &top);
    if (!is_ours || !is_git_folder(folder, ret_status)) {
        return false;
    }
    (void)snprintf(ret_path, PATH_MAX, "%s", folder);
    return true;
}
