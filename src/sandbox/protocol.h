/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of schema/ipc.def, between the kernel's side and airlock-jail, and (the same
 * struct) between airlock-jail and the init of the sandbox.
 */
#pragma once

#include "base/error.h"
#include "sys/socket.h"

enum protocol_type : uint8_t {
#define IPC(name, direction, states, fd_min, fd_max) PROTOCOL_##name,
#include "ipc.def"
#undef IPC
    PROTOCOL_TYPE_COUNT,
};

enum protocol_state : uint8_t {
    PROTOCOL_STATE_NEW,       /* nothing was asked yet */
    PROTOCOL_STATE_GROUNDING, /* the part that needs no workspace and no command is being made */
    PROTOCOL_STATE_PREPARING, /* the sandbox is being made */
    PROTOCOL_STATE_GOING,     /* the same, and has its go for when it is complete */
    PROTOCOL_STATE_READY,     /* complete, waits for go */
    PROTOCOL_STATE_RUNNING,
    PROTOCOL_STATE_PAUSED, /* complete and standing still */
    PROTOCOL_STATE_ENDED,  /* EXITED or FAILED was the last word */
};

enum protocol_direction : uint8_t {
    PROTOCOL_TO_LAUNCHER,
    PROTOCOL_TO_KERNEL,
    PROTOCOL_TO_RUN,    /* to the command line that hosts a run */
    PROTOCOL_TO_CLIENT, /* and back to whoever asked it */
};

enum {
    PROTOCOL_TEXT_BYTES = 256,
    PROTOCOL_VERSION = 4,
    PROTOCOL_FD = 3, /* where airlock-jail finds its socket */
};

struct protocol_levels {
    int32_t landlock_abi;
    uint8_t seccomp; /* enum seccomp_profile, as installed */
    char limits[32];
    char disk_rate[16]; /* "": nobody asked */
};

struct protocol_failure {
    uint32_t code; /* enum error_code */
    int32_t os_errno;
    char message[PROTOCOL_TEXT_BYTES];
    char detail[PROTOCOL_TEXT_BYTES];
    char hint[PROTOCOL_TEXT_BYTES];
};

struct protocol_exit {
    uint8_t outcome; /* enum launcher_outcome */
    int32_t status;
    uint32_t killed_count;
    uint32_t pid_count_peak;
    uint64_t wall_ns; /* without pauses */
    uint64_t paused_ns;
    uint64_t cpu_user_us;
    uint64_t cpu_system_us;
    uint64_t cpu_throttled_us;
    uint64_t memory_peak_bytes;
    uint64_t io_read_bytes;
    uint64_t io_write_bytes;
    uint64_t setup_ns;
};

struct protocol_message {
    uint8_t type; /* enum protocol_type */
    uint8_t version;
    union {
        int32_t signal_number;
        struct protocol_levels levels;
        struct protocol_failure failure;
        struct protocol_exit exit;
    };
};

/* Whether a message of this type, going this way, with so many fds, may be received now. */
bool protocol_is_permitted(uint8_t type, enum protocol_direction direction,
                           enum protocol_state state, size_t fd_count);

/* Sends one message; fd < 0 means none. */
status_t protocol_send(int socket, const struct protocol_message *message, int fd,
                       struct error *err);
/* Receives one. A wrong size, version, type, state or number of fds is ERROR_JAIL_PROTOCOL, and
 * the fds are closed. *ret_open = false: the peer is gone. */
status_t protocol_receive(int socket, enum protocol_direction direction, enum protocol_state state,
                          struct protocol_message *ret_message, struct socket_fds *ret_fds,
                          bool *ret_open, struct error *err);

/* An error as a message and back. Text from the launcher is cut to its field and terminated. */
struct protocol_message protocol_failure_of(const struct error *err);
status_t protocol_failure_to_error(const struct protocol_message *message, struct error *err);
