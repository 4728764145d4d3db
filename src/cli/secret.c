/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sys/fd.h"

enum { SECRET_BYTES_MAX = 65536, NAME_SHOWN_MAX = 40 };

static void list_take(struct secret_list *list, char *entry) {
    char **grown = reallocarray(list->entries, list->count + 2, sizeof *grown);
    if (grown == nullptr || entry == nullptr) {
        abort();
    }
    grown[list->count++] = entry;
    grown[list->count] = nullptr;
    list->entries = grown;
}

void secret_list_add(struct secret_list *list, const char *entry) {
    list_take(list, strdup(entry));
}

void secret_list_wipe(struct secret_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        explicit_bzero(list->entries[i], strlen(list->entries[i]));
        free(list->entries[i]);
    }
    free(list->entries);
    *list = (struct secret_list){};
}

/* Reads at most `size` bytes up to the end, or to a newline when `line`. */
static ssize_t read_secret(int fd, char *buffer, size_t size, bool line) {
    size_t used = 0;
    while (used < size) {
        ssize_t length = read(fd, buffer + used, line ? 1 : size - used);
        if (length < 0 && errno == EINTR) {
            continue;
        }
        if (length < 0) {
            return -1;
        }
        if (length == 0 || (line && buffer[used] == '\n')) {
            break;
        }
        used += (size_t)length;
    }
    return (ssize_t)used;
}

static ssize_t ask(const char *name, char *buffer, size_t size) {
    CLEANUP(fd_closep) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios saved;
    if (fd < 0 || tcgetattr(fd, &saved) != 0) {
        return -1;
    }
    struct termios silent = saved;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)dprintf(fd, "value of %s: ", name);
    (void)tcsetattr(fd, TCSAFLUSH, &silent);
    ssize_t length = read_secret(fd, buffer, size, true);
    (void)tcsetattr(fd, TCSAFLUSH, &saved);
    (void)dprintf(fd, "\n");
    return length;
}

status_t secret_list_read(struct secret_list *list, const char *option, struct error *err) {
    size_t name_size = strcspn(option, "=");
    const char *file = option[name_size] == '=' ? option + name_size + 1 : nullptr;
    char name[NAME_SHOWN_MAX + 1];
    (void)snprintf(name, sizeof name, "%.*s", (int)name_size, option);
    static char buffer[SECRET_BYTES_MAX + 2]; /* one place to wipe */
    ssize_t length;
    if (file != nullptr) {
        CLEANUP(fd_closep) int fd = open(file, O_RDONLY | O_CLOEXEC);
        length = fd < 0 ? -1 : read_secret(fd, buffer, SECRET_BYTES_MAX + 1, false);
    } else {
        length = ask(name, buffer, SECRET_BYTES_MAX + 1);
    }
    if (length < 0) {
        (void)error_set(err, ERROR_IO, errno, "cannot read the secret %s", name);
        error_hint(err, "Give it a file: --secret %s=FILE, or run at a terminal to be asked.",
                   name);
        return (status_t){(int)err->code};
    }
    length -= length > 0 && buffer[length - 1] == '\n' ? 1 : 0;
    bool usable = length <= SECRET_BYTES_MAX && memchr(buffer, '\0', (size_t)length) == nullptr;
    if (usable) {
        size_t size = name_size + 1 + (size_t)length + 1;
        char *entry = malloc(size);
        if (entry != nullptr) {
            (void)snprintf(entry, size, "%.*s=%.*s", (int)name_size, option, (int)length, buffer);
        }
        list_take(list, entry);
    }
    explicit_bzero(buffer, sizeof buffer);
    if (!usable) {
        return error_set(err, ERROR_LIMIT, 0, "the secret %s is longer than %d bytes, or holds NUL",
                         name, SECRET_BYTES_MAX);
    }
    return STATUS_OK;
}
