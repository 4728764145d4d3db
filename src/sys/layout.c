/* SPDX-License-Identifier: Apache-2.0
 *
 * Some programs are linked with musl and with libraries that were compiled for glibc
 * (docs/adr/0006-musl-launcher.md and those that add to it). What these libraries lay out in memory
 * and hand to the C library must then mean the same in both. This file holds what is relied on as
 * numbers and is compiled with the headers of both: one that differs fails to build.
 *
 * Of the libraries' calls these are all that hand over more than numbers, bytes and C strings; the
 * list is what `nm --undefined-only` prints of libsodium.a, libjansson.a, libyaml.a and
 * libsqlcipher.a. FILE is only ever a pointer, and no thread is started.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define AT(type, member, offset) static_assert(offsetof(struct type, member) == (offset))

/* stat(2) and its kin: they are the kernel's, which has one form for each machine. */
#if defined(__x86_64__)
static_assert(sizeof(struct stat) == 144);
AT(stat, st_dev, 0);
AT(stat, st_ino, 8);
AT(stat, st_nlink, 16);
AT(stat, st_mode, 24);
AT(stat, st_uid, 28);
AT(stat, st_gid, 32);
AT(stat, st_size, 48);
AT(stat, st_blksize, 56);
AT(stat, st_mtim, 88);
/* A mutex is written by both sides; the larger room is the caller's. */
static_assert(sizeof(pthread_mutex_t) == 40);
#elif defined(__aarch64__)
static_assert(sizeof(struct stat) == 128);
AT(stat, st_dev, 0);
AT(stat, st_ino, 8);
AT(stat, st_mode, 16);
AT(stat, st_nlink, 20);
AT(stat, st_uid, 24);
AT(stat, st_gid, 28);
AT(stat, st_size, 48);
AT(stat, st_blksize, 56);
AT(stat, st_mtim, 88);
static_assert(sizeof(pthread_mutex_t) >= 40); /* glibc: 48, and its callers make that room */
#else
#error "airlock is not known to work on this kind of machine"
#endif
static_assert(PTHREAD_MUTEX_RECURSIVE == 1 && sizeof(pthread_mutexattr_t) >= 4);

/* fcntl(2): locks. */
static_assert(sizeof(struct flock) == 32);
AT(flock, l_type, 0);
AT(flock, l_whence, 2);
AT(flock, l_start, 8);
AT(flock, l_len, 16);
AT(flock, l_pid, 24);
static_assert(F_RDLCK == 0 && F_WRLCK == 1 && F_UNLCK == 2);
static_assert(F_GETFD == 1 && F_SETFD == 2 && F_GETLK == 5 && F_SETLK == 6 && F_SETLKW == 7);

/* Numbers that are passed as they are. */
static_assert(O_RDONLY == 0 && O_RDWR == 2 && O_CREAT == 0100 && O_EXCL == 0200);
static_assert(O_CLOEXEC == 02000000 && _SC_PAGESIZE == 30);
static_assert(EINTR == 4 && EACCES == 13 && EAGAIN == 11 && ENOSPC == 28 && ERANGE == 34);
static_assert(PROT_READ == 1 && PROT_WRITE == 2 && MAP_SHARED == 1 && MREMAP_MAYMOVE == 1);
static_assert(sizeof(off_t) == 8 && sizeof(time_t) == 8 && sizeof(mode_t) == 4);

/* Times, and the one word that Jansson asks of the locale. */
static_assert(sizeof(struct timeval) == 16 && sizeof(struct timespec) == 16);
static_assert(sizeof(struct utimbuf) == 16);
AT(tm, tm_sec, 0);
AT(tm, tm_mon, 16);
AT(tm, tm_year, 20);
AT(tm, tm_yday, 28);
AT(lconv, decimal_point, 0);
