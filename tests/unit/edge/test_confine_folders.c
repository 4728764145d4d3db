/* SPDX-License-Identifier: Apache-2.0
 *
 * What the configuration makes the proxy keep, in a process of its own each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "edge/confine.h"

enum { DONE, LIMIT_SAID, NO_LANDLOCK, WRONG };

static char folder[] = "/tmp/edge_confine_XXXXXX";

/* A listener at a Unix path in a folder of its own. */
static struct edge_listener listener_in(const char *name) {
    struct edge_listener listener = {.bind = {.transport = EDGE_UNIX}};
    struct sockaddr_un *address = (struct sockaddr_un *)&listener.bind.address;
    address->sun_family = AF_UNIX;
    (void)snprintf(address->sun_path, sizeof address->sun_path, "%s/%s/socket", folder, name);
    return listener;
}

static int in_child(int (*what)(void)) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        _exit(what());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* One folder more than there is room for; nothing is given up then. */
static int too_many(void) {
    static struct edge_listener listeners[LIMIT_EDGE_FOLDERS + 1];
    bool is_enforced = false;
    struct error err = {};
    char name[16];
    for (unsigned i = 0; i < LIMIT_EDGE_FOLDERS + 1; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        listeners[i] = listener_in(name);
    }
    const struct edge_config config = {
        .file = "/etc/x", .listeners = listeners, .listener_count = LIMIT_EDGE_FOLDERS + 1};
    status_t status = edge_confine_files(&config, &is_enforced, &err);
    bool is_open = access("/proc/self/status", R_OK) == 0 && open("/dev/null", O_WRONLY) >= 0;
    return status.code == ERROR_LIMIT && strstr(err.hint, "fewer folders") != nullptr && is_open
               ? LIMIT_SAID
               : WRONG;
}

static void a_folder_too_many_is_a_limit(void **state) {
    (void)state;
    assert_int_equal(in_child(too_many), LIMIT_SAID);
}

/* Sockets are made where one is to listen, files are read beside the configuration, and nothing
 * else is opened. */
static int confined(void) {
    static struct edge_listener listeners[2];
    bool is_enforced = false;
    struct error err = {};
    char file[128];
    (void)snprintf(file, sizeof file, "%s/read/proxy.yaml", folder);
    listeners[0] = listener_in("listen");
    listeners[1] = listener_in("listen"); /* the same once more */
    const struct edge_config config = {.file = file, .listeners = listeners, .listener_count = 2};
    if (!status_is_ok(edge_confine_files(&config, &is_enforced, &err))) {
        return WRONG;
    }
    if (!is_enforced) {
        return NO_LANDLOCK;
    }
    const struct sockaddr_un *address = (const struct sockaddr_un *)&listeners[0].bind.address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_kept = open(file, O_RDONLY | O_CLOEXEC) >= 0 &&
                   bind(fd, (const struct sockaddr *)address, sizeof *address) == 0 &&
                   unlink(address->sun_path) == 0;
    char other[128];
    (void)snprintf(other, sizeof other, "%s/other", folder);
    bool is_closed = open(file, O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES &&
                     open(other, O_RDONLY | O_CLOEXEC) < 0 && errno == EACCES &&
                     unlink(file) != 0 && errno == EACCES;
    return is_kept && is_closed ? DONE : WRONG;
}

static void what_is_named_is_kept_and_nothing_else(void **state) {
    (void)state;
    int result = in_child(confined);
    if (result == NO_LANDLOCK) {
        skip();
    }
    assert_int_equal(result, DONE);
}

static void make(const char *name, bool is_folder) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    if (is_folder) {
        assert_int_equal(mkdir(path, 0700), 0);
    } else {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        (void)close(fd);
    }
}

static void drop(const char *name) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(remove(path), 0);
}

static int set_up(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    make("read", true);
    make("read/proxy.yaml", false);
    make("listen", true);
    make("other", false);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    drop("other");
    drop("listen");
    drop("read/proxy.yaml");
    drop("read");
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_too_many_is_a_limit),
        cmocka_unit_test(what_is_named_is_kept_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
