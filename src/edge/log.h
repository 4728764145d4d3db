/* SPDX-License-Identifier: Apache-2.0
 *
 * The log of the data plane: one JSON object per line, one line per connection (access_log.h) and
 * per event (schema/proxy_events.def).
 *
 * A worker never waits for whoever reads the log. It puts whole lines into a ring of its own
 * (LIMIT_EDGE_LOG_BYTES), from which one thread writes to the descriptor, and drops the line when
 * the ring is full. Lines of several workers never run into each other, and the descriptor keeps
 * its flags: standard error may be shared with others, whom O_NONBLOCK would surprise. Lines of one
 * thread keep their order. What was dropped is counted and said (proxy.dropped).
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/error.h"
#include "edge/metrics.h"

enum proxy_event : uint8_t {
#define PROXY_EVENT(name, id, stranger, meaning) PROXY_EVENT_##name,
#include "proxy_events.def"
#undef PROXY_EVENT
    PROXY_EVENT_COUNT,
};
const char *proxy_event_id(enum proxy_event event);

struct edge_log;   /* the writing thread and its descriptor */
struct log_writer; /* of one thread that has something to say */

/* `fd` is borrowed until edge_log_stop(); -1: nothing is written. */
status_t edge_log_start(int fd, struct edge_log **ret_log, struct error *err);
/* Writes what is left, for at most LIMIT_EDGE_LOG_STOP_MS, ends the thread and frees the writers,
 * which nobody uses any more. nullptr is fine. */
void edge_log_stop(struct edge_log *log);

/* Made by one thread at a time, at most LIMIT_EDGE_LOG_WRITERS of them, each for one thread; freed
 * by edge_log_stop(). `clock` gives the time of a line; `metrics` is the thread's own and may be
 * nullptr. */
struct log_writer_options {
    struct clock clock;
    struct metrics *metrics;
};
status_t log_writer_new(struct edge_log *log, const struct log_writer_options *options,
                        struct log_writer **ret_writer, struct error *err);

/* What is said about an event: text, or a number when `text` is nullptr. Text may hold anything. */
struct log_field {
    const char *key;
    const char *text;
    int64_t number;
};
void log_event(struct log_writer *writer, enum proxy_event event, const struct log_field *fields,
               size_t count);
#define LOG_EVENT(writer, event, ...)                                     \
    log_event((writer), (event), (const struct log_field[]){__VA_ARGS__}, \
              sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* For access_log.c. A line is begun, gets its members, and is ended; then it is out of hands. */
struct builder *log_line_begin(struct log_writer *writer, const char *id);
void log_line_end(struct log_writer *writer);
/* Whether one more line that strangers cause may be written this second; else it is counted.
 * PROXY_EVENT_COUNT: the lines of their connections. */
bool log_line_allowed(struct log_writer *writer, enum proxy_event event);
/* ,"key":"text" with everything in it made visible; ,"key":number; ,"key":"ADDRESS:PORT". */
void log_text(struct builder *line, const char *key, struct slice text);
void log_number(struct builder *line, const char *key, int64_t number);
void log_address(struct builder *line, const char *key, const struct sockaddr *address);
