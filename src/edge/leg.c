/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/leg.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { PIECE_BYTES = 64 << 10, GOOD_FOR_BYTES = 1024 };

static BIO_METHOD *method;

/* New keys cost a peer 27 bytes and this end as much as 100 KiB of payload do, and libssl reads on
 * until there is some. A record begins where libssl asks for its head. */
static bool is_idle_too_long(struct leg *leg, size_t size) {
    if (size != SSL3_RT_HEADER_LENGTH || !leg->is_handshaken) {
        return false;
    }
    leg->idle_records++;
    return limit_past(leg->idle_records > LIMIT_EDGE_IDLE_RECORDS, LIMIT_ID_EDGE_IDLE_RECORDS);
}

static void make_good(struct leg *leg, size_t records) {
    leg->idle_records -= records < leg->idle_records ? (uint32_t)records : leg->idle_records;
}

static int read_input(BIO *bio, char *buffer, size_t size, size_t *ret_size) {
    struct leg *leg = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (leg->input.size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if (is_idle_too_long(leg, size)) {
        return -1;
    }
    size = leg->input.size < size ? leg->input.size : size;
    memcpy(buffer, leg->input.data, size);
    leg->input = slice_of(leg->input.data + size, leg->input.size - size);
    *ret_size = size;
    return 1;
}

static int write_output(BIO *bio, const char *bytes, size_t size, size_t *ret_size) {
    struct leg *leg = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!io_send(leg->io, &leg->stream, slice_of(bytes, size))) {
        leg->is_overrun = true;
        return -1;
    }
    *ret_size = size;
    return 1;
}

static long control(BIO *bio, int command, long number, void *pointer) {
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

bool leg_prepare(void) {
    if (method == nullptr) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "airlock leg");
    }
    return method != nullptr && BIO_meth_set_read_ex(method, read_input) == 1 &&
           BIO_meth_set_write_ex(method, write_output) == 1 &&
           BIO_meth_set_ctrl(method, control) == 1;
}

bool leg_set_tls(struct leg *leg, SSL *tls) {
    BIO *bio = BIO_new(method);
    if (bio == nullptr) {
        SSL_free(tls);
        return false;
    }
    BIO_set_data(bio, leg);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls, bio, bio);
    leg->tls = tls;
    leg->is_handshaken = false;
    return true;
}

/* Room for `size` more; what was taken from the front goes. */
static bool grow(struct leg *leg, size_t size) {
    size_t there = leg->held_size - leg->held_at;
    if (leg->held != nullptr && there + size <= leg->held_capacity) {
        memmove(leg->held, leg->held + leg->held_at, there);
    } else {
        size_t capacity = 2 * (there + size);
        uint8_t *held = malloc(capacity);
        if (held == nullptr) {
            return false;
        }
        if (leg->held != nullptr) {
            memcpy(held, leg->held + leg->held_at, there);
        }
        free(leg->held);
        leg->held = held;
        leg->held_capacity = capacity;
    }
    leg->held_at = 0;
    leg->held_size = there;
    return true;
}

bool leg_hold(struct leg *leg, struct slice bytes) {
    if (bytes.size == 0) {
        return true;
    }
    if (leg->held_size - leg->held_at + bytes.size > LIMIT_EDGE_HELD_BYTES) {
        limit_hit(LIMIT_ID_EDGE_HELD_BYTES);
        return false;
    }
    bool has_room = leg->held != nullptr && leg->held_size + bytes.size <= leg->held_capacity;
    if (!has_room && !grow(leg, bytes.size)) {
        return false;
    }
    memcpy(leg->held + leg->held_size, bytes.data, bytes.size);
    leg->held_size += bytes.size;
    return true;
}

struct slice leg_held(const struct leg *leg) {
    return slice_of(leg->held + leg->held_at, leg->held_size - leg->held_at);
}

void leg_drop(struct leg *leg, size_t size) {
    leg->held_at += size;
    if (leg->held_at == leg->held_size) {
        free(leg->held);
        leg->held = nullptr;
        leg->held_size = leg->held_at = leg->held_capacity = 0;
    }
}

bool leg_has_more(const struct leg *leg) {
    return leg->held != nullptr || (leg->tls != nullptr && SSL_has_pending(leg->tls) == 1);
}

/* Of what a call works on: held bytes come before those that were just received. */
static bool gather(struct leg *leg, struct slice bytes, struct slice *ret_input) {
    if (leg->held == nullptr) {
        *ret_input = bytes;
        return true;
    }
    if (!leg_hold(leg, bytes)) {
        return false;
    }
    *ret_input = leg_held(leg);
    return true;
}

/* What was not taken is held from here on. */
static bool keep(struct leg *leg, struct slice rest) {
    if (leg->held != nullptr) {
        leg_drop(leg, leg->held_size - leg->held_at - rest.size);
        return true;
    }
    return leg_hold(leg, rest);
}

static enum leg_result failure(const struct leg *leg) {
    return leg->is_overrun ? LEG_NO_MEMORY : LEG_BROKEN;
}

enum leg_result leg_handshake(struct leg *leg, struct slice bytes) {
    if (!gather(leg, bytes, &leg->input)) {
        return LEG_NO_MEMORY;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(leg->tls);
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(leg->tls, result);
    struct slice rest = leg->input;
    leg->input = (struct slice){};
    leg->is_handshaken = result == 1;
    if (!keep(leg, rest)) {
        return LEG_NO_MEMORY;
    }
    if (result == 1) {
        return LEG_DONE;
    }
    return error == SSL_ERROR_WANT_READ ? LEG_MORE : failure(leg);
}

/* All of `bytes` into a leg, whatever its marks: its caller stops before there is too much. */
static bool seal(struct leg *to, struct slice bytes) {
    size_t written = 0;
    if (to->tls == nullptr) {
        return io_send(to->io, &to->stream, bytes);
    }
    while (bytes.size > 0) {
        ERR_clear_error();
        if (SSL_write_ex(to->tls, bytes.data, bytes.size, &written) != 1) {
            return false;
        }
        make_good(to, written / GOOD_FOR_BYTES);
        bytes = slice_of(bytes.data + written, bytes.size - written);
    }
    return true;
}

/* Opens one piece, straight into the output of a leg in clear. */
static int open_piece(struct leg *leg, struct leg *to, size_t *ret_size) {
    if (to->tls == nullptr) {
        size_t room = 0;
        uint8_t *into = io_send_room(to->io, &to->stream, &room);
        if (into == nullptr) {
            to->is_overrun = true;
            return -1;
        }
        int result = SSL_read_ex(leg->tls, into, room, ret_size);
        io_send_added(to->io, &to->stream, result == 1 ? *ret_size : 0);
        return result;
    }
    uint8_t piece[SSL3_RT_MAX_PLAIN_LENGTH];
    int result = SSL_read_ex(leg->tls, piece, sizeof piece, ret_size);
    if (result == 1 && !seal(to, slice_of(piece, *ret_size))) {
        to->is_overrun = true;
        return -1;
    }
    return result;
}

/* SSL_get_error(), but that a close_notify after a user_canceled is an end too: libssl 3.5 still
 * thinks of the first alert then, finds nothing wrong, and blames the socket. */
static int error_of(const SSL *tls, int result) {
    int error = SSL_get_error(tls, result);
    bool is_end =
        error == SSL_ERROR_SYSCALL && (SSL_get_shutdown(tls) & SSL_RECEIVED_SHUTDOWN) != 0;
    return is_end ? SSL_ERROR_ZERO_RETURN : error;
}

static enum leg_result open_all(struct leg *leg, struct leg *to, uint64_t *ret_moved) {
    for (;;) {
        size_t size = 0;
        if (io_is_full(&to->stream)) {
            return LEG_FULL;
        }
        ERR_clear_error();
        int result = open_piece(leg, to, &size);
        *ret_moved += result == 1 ? size : 0;
        if (result == 1) {
            make_good(leg, 1 + size / GOOD_FOR_BYTES);
            continue;
        }
        if (to->is_overrun) {
            return LEG_NO_MEMORY;
        }
        switch (error_of(leg->tls, result)) {
        case SSL_ERROR_WANT_READ:
            return LEG_DONE;
        case SSL_ERROR_ZERO_RETURN:
            return LEG_END;
        default:
            return failure(leg);
        }
    }
}

/* In pieces, so that it ends soon after the other leg is full. */
static enum leg_result seal_all(struct leg *leg, struct leg *to, uint64_t *ret_moved) {
    while (leg->input.size > 0) {
        if (io_is_full(&to->stream)) {
            return LEG_FULL;
        }
        size_t size = leg->input.size < PIECE_BYTES ? leg->input.size : PIECE_BYTES;
        if (!seal(to, slice_of(leg->input.data, size))) {
            return LEG_NO_MEMORY;
        }
        leg->input = slice_of(leg->input.data + size, leg->input.size - size);
        *ret_moved += size;
    }
    return LEG_DONE;
}

enum leg_result leg_move(struct leg *leg, struct slice bytes, struct leg *to, uint64_t *ret_moved) {
    if (!gather(leg, bytes, &leg->input)) {
        return LEG_NO_MEMORY;
    }
    enum leg_result result =
        leg->tls == nullptr ? seal_all(leg, to, ret_moved) : open_all(leg, to, ret_moved);
    struct slice rest = leg->input;
    leg->input = (struct slice){};
    if (!keep(leg, rest)) {
        return LEG_NO_MEMORY;
    }
    return result;
}

enum leg_result leg_take(struct leg *leg, struct slice bytes, struct builder *text) {
    enum leg_result result = LEG_DONE;
    if (!gather(leg, bytes, &leg->input)) {
        return LEG_NO_MEMORY;
    }
    while (result == LEG_DONE) {
        uint8_t piece[SSL3_RT_MAX_PLAIN_LENGTH];
        size_t size = 0;
        size_t room = text->size_max - text->size;
        ERR_clear_error();
        int got = room == 0 ? 0
                            : SSL_read_ex(leg->tls, piece,
                                          room < sizeof piece ? room : sizeof piece, &size);
        int error = room == 0 || got == 1 ? SSL_ERROR_NONE : error_of(leg->tls, got);
        make_good(leg, got == 1 ? 1 : 0);
        builder_bytes(text, slice_of(piece, size));
        if (error == SSL_ERROR_WANT_READ) {
            break;
        }
        if (room == 0 || !builder_is_ok(text)) {
            result = room == 0 ? LEG_FULL : LEG_NO_MEMORY;
        } else if (error != SSL_ERROR_NONE) {
            result = error == SSL_ERROR_ZERO_RETURN ? LEG_END : failure(leg);
        }
    }
    struct slice rest = leg->input;
    leg->input = (struct slice){};
    return keep(leg, rest) ? result : LEG_NO_MEMORY;
}

bool leg_say(struct leg *leg, struct slice bytes) {
    return seal(leg, bytes);
}

void leg_shut(struct leg *leg) {
    if (leg->tls != nullptr && leg->is_handshaken) {
        ERR_clear_error();
        (void)SSL_shutdown(leg->tls);
    }
    io_shut(leg->io, &leg->stream);
}

void leg_deinit(struct leg *leg) {
    SSL_free(leg->tls);
    leg->tls = nullptr;
    free(leg->held);
    leg->held = nullptr;
    leg->held_size = leg->held_at = leg->held_capacity = 0;
    leg->input = (struct slice){};
    leg->idle_records = 0;
    leg->is_ended = leg->has_eof = leg->is_overrun = false; /* the next server starts afresh */
}
