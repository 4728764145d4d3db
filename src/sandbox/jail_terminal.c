/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "sandbox/jail.h"
#include "sys/fd.h"

status_t jail_terminal_open(const struct jail *jail, int *ret_slave, struct error *err) {
    CLEANUP(fd_closep)
    int master = openat(jail->root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int unlock = 0;
    int slave = -1;
    if (master >= 0 && ioctl(master, TIOCSPTLCK, &unlock) == 0) {
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    }
    if (slave < 0) {
        return error_set(err, ERROR_SANDBOX_MOUNT, errno, "cannot open a terminal in the sandbox");
    }
    struct jail_report report = {.kind = REPORT_TERMINAL};
    status_t status = jail_report_send(jail, &report, master, err);
    if (!status_is_ok(status)) {
        fd_closep(&slave);
        return status;
    }
    *ret_slave = slave;
    return STATUS_OK;
}
