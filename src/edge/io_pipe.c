/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes of one stream into another without coming by this process: splice(2), by way of a pipe.
 *
 * It pays for streams that go on and on, not for messages: so a stream begins by being copied, goes
 * over to a pipe once its reads were large for a while, and comes back when little comes. Order is
 * kept because the two never overlap: nothing is put into a pipe before all that was copied is
 * sent, and nothing is read to be copied before the pipe is empty.
 *
 * A pipe is held only while there is something in it; until then it is with the thread, for any
 * stream. One whose stream ends with bytes in it is closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "edge/io_engine.h"
#include "sys/fd.h"

enum {
    PIPE_BYTES = 256 << 10,
    ROUNDS = 4,             /* fillings of a pipe until others have their turn */
    MUCH_BYTES = 16 << 10,  /* in one read; below it a pipe gains nothing */
    RUN_BYTES = 256 << 10,  /* of such reads on end until a pipe is tried */
    LITTLE_BYTES = 8 << 10, /* in a pipe at once */
    LITTLE_ROUNDS = 16,     /* of them until it is copied again */
};

struct io_pipe {
    struct io_pipe *next;
    int ends[2];
    size_t filled;
};

static void close_pipe(struct io *io, struct io_pipe *pipe) {
    fd_closep(&pipe->ends[0]);
    fd_closep(&pipe->ends[1]);
    free(pipe);
    io->pipe_count--;
}

/* nullptr: there is none to be had. */
static struct io_pipe *take_pipe(struct io *io) {
    struct io_pipe *pipe = io->pipes;
    if (pipe != nullptr) {
        io->pipes = pipe->next;
        return pipe;
    }
    if (io->pipe_count >= LIMIT_EDGE_PIPES) {
        limit_hit(LIMIT_ID_EDGE_PIPES);
        return nullptr;
    }
    pipe = calloc(1, sizeof *pipe);
    if (pipe == nullptr || pipe2(pipe->ends, O_CLOEXEC | O_NONBLOCK) != 0) {
        free(pipe);
        return nullptr;
    }
    /* Past the user's quota of pipe memory it stays as small as it is, which costs speed alone. */
    (void)fcntl(pipe->ends[1], F_SETPIPE_SZ, PIPE_BYTES);
    io->pipe_count++;
    return pipe;
}

static void give_pipe(struct io *io, struct io_stream *from) {
    struct io_pipe *pipe = from->pipe;
    from->pipe = nullptr;
    if (pipe->filled > 0) {
        close_pipe(io, pipe);
        return;
    }
    pipe->next = io->pipes;
    io->pipes = pipe;
}

void io_pipes_free(struct io *io) {
    while (io->pipes != nullptr) {
        struct io_pipe *pipe = io->pipes;
        io->pipes = pipe->next;
        close_pipe(io, pipe);
    }
}

void io_join(struct io *io, struct io_stream *from, struct io_stream *into) {
    ASSERT(from->row->passed != nullptr && from->into == nullptr && into->source == nullptr);
    if (io->engine->pipe_resume != nullptr && from->is_open && into->is_open) {
        from->into = into;
        into->source = from;
        into->can_write = true; /* or an attempt will tell */
    }
}

void io_part(struct io *io, struct io_stream *stream) {
    if (stream->pipe != nullptr) {
        give_pipe(io, stream);
    }
    if (stream->into != nullptr) {
        stream->into->source = nullptr;
        stream->into = nullptr;
        stream->is_piping = false;
    }
    if (stream->source != nullptr) {
        io_part(io, stream->source);
    }
}

void io_pipe_notice(struct io *io, struct io_stream *from, size_t size) {
    if (from->into == nullptr || from->is_piping || io->cannot_splice) {
        return;
    }
    from->run = size >= MUCH_BYTES ? from->run + (uint32_t)size : 0;
    if (from->run >= RUN_BYTES) {
        from->is_piping = true;
        from->run = 0;
    }
}

/* Out of the pipe, until it is empty. */
static enum io_piped pour(struct io *io, struct io_stream *from) {
    struct io_stream *into = from->into;
    while (from->pipe->filled > 0) {
        if (!into->can_write) {
            return IO_PIPED_FULL;
        }
        ssize_t size = splice(from->pipe->ends[0], nullptr, into->fd, nullptr, from->pipe->filled,
                              SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (size > 0) {
            from->pipe->filled -= (size_t)size;
        } else if (size == 0 || errno == EAGAIN) {
            into->can_write = false;
        } else if (errno != EINTR) {
            io_fail(io, into, errno);
            return IO_PIPED_OVER;
        }
    }
    give_pipe(io, from);
    return IO_PIPED_AGAIN;
}

/* The kernel or what stands before it, an enclave for one, does not have it. */
static bool is_lack(int error) {
    return error == ENOSYS || error == EINVAL || error == EPERM;
}

/* splice(2) does not get past a byte that is marked as urgent, poll(2) says that there is something
 * to read, and recv(2) reads it. */
static bool has_more(const struct io_stream *from) {
    int error = errno;
    uint8_t byte;
    bool is_there = recv(from->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT) > 0;
    errno = error;
    return is_there;
}

static ssize_t draw(const struct io_stream *from) {
    return splice(from->fd, nullptr, from->pipe->ends[1], nullptr, PIPE_BYTES,
                  SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

/* Into an empty pipe. */
static enum io_piped fill(struct io *io, struct io_stream *from) {
    from->pipe = take_pipe(io);
    if (from->pipe == nullptr) {
        return IO_PIPED_COPY;
    }
    ssize_t size = draw(from);
    bool is_skipped = size < 0 && errno == EAGAIN && has_more(from);
    size = is_skipped ? draw(from) : size; /* or it came in between */
    int error = errno;
    if (size > 0) {
        from->pipe->filled = (size_t)size;
        from->run = size < LITTLE_BYTES ? from->run + 1 : 0;
        from->row->passed(from, (size_t)size);
        return from->pipe == nullptr ? IO_PIPED_OVER : IO_PIPED_AGAIN;
    }
    give_pipe(io, from);
    if (size == 0) {
        io_end(from);
        return IO_PIPED_OVER;
    }
    if (error == EAGAIN) {
        return is_skipped ? IO_PIPED_COPY : IO_PIPED_EMPTY;
    }
    if (is_lack(error)) {
        io->cannot_splice = true;
        return IO_PIPED_COPY;
    }
    if (error == EINTR) {
        return IO_PIPED_AGAIN;
    }
    io_fail(io, from, error);
    return IO_PIPED_OVER;
}

static enum io_piped fill_if_due(struct io *io, struct io_stream *from) {
    if (from->into->waiting > 0) {
        return IO_PIPED_FULL;
    }
    if (!from->is_reading) {
        return IO_PIPED_OVER;
    }
    bool is_little = from->run >= LITTLE_ROUNDS;
    enum io_piped piped = is_little ? IO_PIPED_COPY : fill(io, from);
    if (piped == IO_PIPED_COPY) {
        from->is_piping = false;
        from->run = 0;
    }
    return piped;
}

enum io_piped io_pipe_move(struct io *io, struct io_stream *from) {
    enum io_piped piped = from->pipe != nullptr ? pour(io, from) : IO_PIPED_AGAIN;
    for (int round = 0; piped == IO_PIPED_AGAIN && round < ROUNDS; round++) {
        piped = fill_if_due(io, from);
        if (piped == IO_PIPED_AGAIN && from->pipe != nullptr) {
            piped = pour(io, from);
        }
    }
    return piped;
}
