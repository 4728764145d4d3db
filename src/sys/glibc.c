/* SPDX-License-Identifier: Apache-2.0
 *
 * What Debian's libraries ask of glibc and musl has not, or not under this name: the checked forms
 * that _FORTIFY_SOURCE makes of some functions, the names with 64 of functions that never had
 * another width here, and the C23 forms of strtol(3). Only linked where the C library is musl; what
 * is asked for beyond that is an undefined symbol, and the program is not linked.
 *
 * That structures mean the same to both is checked by layout.c.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"

/* Nothing of ours calls these, so they stand in no header. */
#pragma GCC diagnostic ignored "-Wmissing-prototypes"

void __explicit_bzero_chk(void *data, size_t size, size_t room) {
    ASSERT(size <= room);
    explicit_bzero(data, size);
}

void *__memcpy_chk(void *to, const void *from, size_t size, size_t room) {
    ASSERT(size <= room);
    return memcpy(to, from, size);
}

void *__memmove_chk(void *to, const void *from, size_t size, size_t room) {
    ASSERT(size <= room);
    return memmove(to, from, size);
}

void *__memset_chk(void *to, int value, size_t size, size_t room) {
    ASSERT(size <= room);
    return memset(to, value, size);
}

int __vsnprintf_chk(char *to, size_t size, int flags, size_t room, const char *format,
                    va_list arguments) {
    (void)flags;
    ASSERT(size <= room);
    return vsnprintf(to, size, format, arguments);
}

int __snprintf_chk(char *to, size_t size, int flags, size_t room, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = __vsnprintf_chk(to, size, flags, room, format, arguments);
    va_end(arguments);
    return length;
}

int __fprintf_chk(FILE *file, int flags, const char *format, ...) {
    va_list arguments;
    (void)flags;
    va_start(arguments, format);
    int length = vfprintf(file, format, arguments);
    va_end(arguments);
    return length;
}

long __isoc23_strtol(const char *text, char **ret_end, int base) {
    return strtol(text, ret_end, base);
}

long long __isoc23_strtoll(const char *text, char **ret_end, int base) {
    return strtoll(text, ret_end, base);
}

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    if ((flags & O_CREAT) != 0) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    return open(path, flags, mode);
}

/* Every operation that takes one takes a pointer or an int, and each is passed as a long. */
int fcntl64(int fd, int operation, ...) {
    va_list arguments;
    va_start(arguments, operation);
    long argument = va_arg(arguments, long);
    va_end(arguments);
    return fcntl(fd, operation, argument);
}

int stat64(const char *path, struct stat *ret_status) {
    return stat(path, ret_status);
}

int lstat64(const char *path, struct stat *ret_status) {
    return lstat(path, ret_status);
}

int fstat64(int fd, struct stat *ret_status) {
    return fstat(fd, ret_status);
}

int ftruncate64(int fd, off_t size) {
    return ftruncate(fd, size);
}

ssize_t pread64(int fd, void *to, size_t size, off_t at) {
    return pread(fd, to, size, at);
}

ssize_t pwrite64(int fd, const void *from, size_t size, off_t at) {
    return pwrite(fd, from, size, at);
}

void *mmap64(void *at, size_t size, int protection, int flags, int fd, off_t offset) {
    return mmap(at, size, protection, flags, fd, offset);
}

FILE *fopen64(const char *path, const char *mode) {
    return fopen(path, mode);
}
