/* SPDX-License-Identifier: Apache-2.0
 *
 * Files: what holds secrets, and what can be written. The walks are bounded, and end as soon as
 * there is more to tell than is told.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "probe/probe.h"

enum { DEPTH_MAX = 12, ENTRIES_MAX = 400000, PATH_BYTES = 4096 };

/* Below HOME, and below every other home that can be seen. */
static const char *const secrets_of_home[] = {
    ".ssh/id_*",
    ".aws/credentials",
    ".gnupg/private-keys-v1.d/*",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".docker/config.json",
    ".kube/config",
    ".config/gh/hosts.yml",
    ".config/gcloud/*.json",
    ".azure/*.json",
    ".codex/auth.json",
    ".claude/.credentials.json",
    ".bash_history",
    ".password-store/*.gpg",
    ".vault-token",
};
static const char *const secrets_of_host[] = {
    "/etc/shadow",
    "/etc/gshadow",
    "/etc/shadow-",
    "/etc/sudoers",
    "/etc/ssh/ssh_host_*_key",
    "/etc/krb5.keytab",
    "/etc/ssl/private/*",
    "/etc/NetworkManager/system-connections/*",
    "/run/secrets/*",
    "/var/lib/airlock/keys/*",
    "/var/lib/cloud/instance/user-data.txt",
    "/etc/docker/key.json",
};

/* `pattern` may have wildcards after its last slash. */
static void look_for(struct probe *probe, const char *pattern) {
    char folder[PATH_BYTES];
    const char *name = strrchr(pattern, '/') + 1;
    (void)snprintf(folder, sizeof folder, "%.*s", (int)(name - pattern), pattern);
    DIR *stream = opendir(folder);
    for (struct dirent *entry; stream != nullptr && (entry = readdir(stream)) != nullptr;) {
        char path[PATH_BYTES + 256];
        struct stat status;
        char byte[2];
        (void)snprintf(path, sizeof path, "%s%s", folder, entry->d_name);
        if (fnmatch(name, entry->d_name, 0) == 0 && stat(path, &status) == 0 &&
            S_ISREG(status.st_mode) && probe_read(path, byte, sizeof byte) > 0) {
            probe_found(probe, "%s", path);
        }
    }
    if (stream != nullptr) {
        (void)closedir(stream);
    }
}

static void look_in_home(struct probe *probe, const char *home) {
    for (size_t i = 0; i < sizeof secrets_of_home / sizeof secrets_of_home[0]; i++) {
        char pattern[PATH_BYTES];
        (void)snprintf(pattern, sizeof pattern, "%s/%s", home, secrets_of_home[i]);
        look_for(probe, pattern);
    }
}

static void look_in_homes(struct probe *probe) {
    DIR *stream = opendir("/home");
    for (struct dirent *entry; stream != nullptr && (entry = readdir(stream)) != nullptr;) {
        char home[300];
        (void)snprintf(home, sizeof home, "/home/%s", entry->d_name);
        if (entry->d_name[0] != '.' && strcmp(home, probe->home) != 0) {
            look_in_home(probe, home);
        }
    }
    if (stream != nullptr) {
        (void)closedir(stream);
    }
}

void probe_secret_files(struct probe *probe) {
    if (probe->home[0] == '/') {
        look_in_home(probe, probe->home);
    }
    if (strcmp(probe->home, "/root") != 0) {
        look_in_home(probe, "/root");
    }
    look_in_homes(probe);
    for (size_t i = 0; i < sizeof secrets_of_host / sizeof secrets_of_host[0]; i++) {
        look_for(probe, secrets_of_host[i]);
    }
}

/* What begins with a dot and a few toolchains may be shown read-only; own files may not. */
void probe_home(struct probe *probe) {
    if (probe->home[0] != '/' || probe_is_below(probe->home, probe->stage, probe->stage_count)) {
        return;
    }
    DIR *folder = opendir(probe->home);
    for (struct dirent *entry; folder != nullptr && (entry = readdir(folder)) != nullptr;) {
        char path[PATH_BYTES];
        struct stat status;
        (void)snprintf(path, sizeof path, "%s/%s", probe->home, entry->d_name);
        if (stat(path, &status) == 0 && S_ISREG(status.st_mode) &&
            !probe_is_below(path, probe->stage, probe->stage_count)) {
            probe_found(probe, "%s", path);
        }
    }
    if (folder != nullptr) {
        (void)closedir(folder);
    }
}

/* A walk over what is there. `each` answers false to leave a folder out. */
struct walk {
    struct probe *probe;
    bool (*each)(struct walk *walk, const char *path, const struct stat *status);
    unsigned entries;
};

static void walk_folder(struct walk *walk, const char *folder, unsigned depth) {
    DIR *stream = depth > DEPTH_MAX ? nullptr : opendir(folder);
    if (stream == nullptr) {
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream)) != nullptr;) {
        char path[PATH_BYTES];
        struct stat status;
        bool is_dot = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (walk->probe->found_count > PROBE_FOUND_MAX || walk->entries++ > ENTRIES_MAX) {
            break;
        }
        const char *parent = strcmp(folder, "/") == 0 ? "" : folder;
        int size = snprintf(path, sizeof path, "%s/%s", parent, entry->d_name);
        if (is_dot || size <= 0 || (size_t)size >= sizeof path || lstat(path, &status) != 0) {
            continue;
        }
        if (walk->each(walk, path, &status) && S_ISDIR(status.st_mode)) {
            walk_folder(walk, path, depth + 1);
        }
    }
    (void)closedir(stream);
}

static bool can_make_file(const char *folder) {
    int fd = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL)) {
        char path[PATH_BYTES];
        (void)snprintf(path, sizeof path, "%.4000s/.airlock-probe-%d", folder, getpid());
        fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            (void)unlink(path);
        }
    }
    if (fd < 0) {
        return false;
    }
    (void)close(fd);
    return true;
}

/* The own descriptors and pseudo files of this process are no files of the host. */
static bool is_passed_over(const struct probe *probe, const char *path) {
    static const char *const folders[] = {"/proc", "/sys", "/dev"};
    return probe_is_below(path, folders, 3) ||
           probe_is_below(path, probe->stage, probe->stage_count);
}

static bool try_to_write(struct walk *walk, const char *path, const struct stat *status) {
    if (is_passed_over(walk->probe, path)) {
        return false;
    }
    if (S_ISDIR(status->st_mode) && access(path, W_OK) == 0 && can_make_file(path)) {
        probe_found(walk->probe, "folder %s", path);
    }
    if (S_ISREG(status->st_mode) && access(path, W_OK) == 0 && probe_can_open(path, O_WRONLY)) {
        probe_found(walk->probe, "file %s", path);
    }
    return true;
}

void probe_writable(struct probe *probe) {
    struct walk walk = {.probe = probe, .each = try_to_write};
    if (can_make_file("/")) {
        probe_found(probe, "folder /");
    }
    walk_folder(&walk, "/", 0);
}

static bool try_setting(struct walk *walk, const char *path, const struct stat *status) {
    if (S_ISREG(status->st_mode) && probe_can_open(path, O_WRONLY)) {
        probe_found(walk->probe, "%s", path);
    }
    return true;
}

void probe_settings(struct probe *probe) {
    static const char *const files[] = {"/proc/sysrq-trigger", "/proc/1/oom_score_adj",
                                        "/proc/acpi/wakeup"};
    struct walk walk = {.probe = probe, .each = try_setting};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (probe_can_open(files[i], O_WRONLY)) {
            probe_found(probe, "%s", files[i]);
        }
    }
    walk_folder(&walk, "/proc/sys", 0);
    walk.entries = 0;
    walk_folder(&walk, "/sys", 0);
}

static bool try_setuid(struct walk *walk, const char *path, const struct stat *status) {
    struct statvfs mount;
    bool is_set = S_ISREG(status->st_mode) && (status->st_mode & (S_ISUID | S_ISGID)) != 0 &&
                  (status->st_mode & S_IXOTH) != 0;
    if (is_set && access(path, X_OK) == 0 && statvfs(path, &mount) == 0 &&
        (mount.f_flag & ST_NOSUID) == 0) {
        probe_found(walk->probe, "%s", path);
    }
    return !is_passed_over(walk->probe, path);
}

/* Without new privileges the bit is just a bit. */
void probe_setuid(struct probe *probe) {
    struct walk walk = {.probe = probe, .each = try_setuid};
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
        walk_folder(&walk, "/", 0);
    }
}
