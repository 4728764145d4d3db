/* SPDX-License-Identifier: Apache-2.0
 *
 * What launcher, init and payload tell each other: reports go up, orders go down, all of fixed
 * size.
 */
#pragma once

#include "sandbox/protocol.h"

enum jail_report_kind : uint8_t {
    REPORT_FAILED,
    REPORT_TERMINAL, /* with the pty's master */
    REPORT_LISTENER, /* with a listening socket of the network namespace */
    REPORT_READY,    /* from the payload: it waits for go */
    REPORT_EXECUTING,
    REPORT_STOPPED,
    REPORT_MEMORY, /* a limit was passed; init ends everything */
    REPORT_DISK,
    REPORT_HELD, /* every process of the payload is stopped, or none any more */
    REPORT_RELEASED,
    REPORT_ENDED,
};

struct jail_report {
    enum jail_report_kind kind;
    bool by_signal;
    int32_t status;
    int32_t landlock_abi;
    uint32_t killed_count;
    uint64_t time_ns; /* monotonic */
    uint64_t cpu_user_us;
    uint64_t cpu_system_us;
    uint64_t memory_peak_bytes;
    uint64_t io_read_bytes;
    uint64_t io_write_bytes;
    uint64_t cpu_held_us; /* stopped because it was past its share of the processors */
    uint32_t pid_count_peak;
    struct protocol_failure failure;
};

enum jail_order_kind : uint8_t {
    ORDER_MAPPED,  /* the maps of the user namespace are written */
    ORDER_PLAN,    /* with the plan, and three streams unless it wants a terminal */
    ORDER_SOURCES, /* of the next binds, made by the launcher because it is root */
    ORDER_OVERLAY, /* the same for an overlay, with the folder to measure */
    ORDER_SIGNAL,
    ORDER_HOLD,    /* stop every process of the payload, and keep it stopped */
    ORDER_RELEASE, /* let all go on */
    ORDER_END,     /* kill everything, and report the end */
};

struct jail_order {
    enum jail_order_kind kind;
    uint8_t source_count; /* of how many binds it tells */
    uint8_t source_mask;  /* which of them have a source, from bit 0; those fds come along */
    int32_t signal_number;
};
