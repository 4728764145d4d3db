/* SPDX-License-Identifier: Apache-2.0
 *
 * One checkpoint, one witness: the exchange of C2SP tlog-witness.
 *
 * We say from which size the proof leads, as far as we know what the witness has; when it answers
 * 409 with another size, it is asked once more from there. What it sends is believed in one point
 * only: a cosignature by the key that was named in `witness add`, over the very checkpoint we sent.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/checkpoint.h"
#include "audit/cosigned.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "kernel/witnesses.h"
#include "keys/cosignature.h"
#include "witness/client.h"

struct sync {
    struct audit_log *log;
    const struct witness_row *row;
    struct slice note; /* the last checkpoint, signed by us */
    struct checkpoint checkpoint;
    uint64_t old_size;
    uint8_t *buffer; /* WITNESS_REPLY_BYTES */
};

static status_t refused(const struct sync *sync, const char *why, const char *hint,
                        struct error *err) {
    status_t status =
        error_set(err, ERROR_WITNESS_REFUSED, 0, "witness %s did not cosign", sync->row->name);
    error_detail(err, "%s", why);
    error_hint(err, "%s", hint);
    return status;
}

static status_t lied(const struct sync *sync, const char *why, struct error *err) {
    status_t status = error_set(err, ERROR_WITNESS_LIED, 0,
                                "witness %s did not answer with its cosignature", sync->row->name);
    error_detail(err, "%s", why);
    return status;
}

/* What kept the question from being answered. */
static status_t unanswered(const struct sync *sync, const struct witness_reply *reply,
                           struct error *err) {
    static const char *const WHY[WITNESS_OUTCOME_COUNT] = {
        [WITNESS_BAD_URL] = "its URL is none",
        [WITNESS_UNKNOWN_HOST] = "its host is neither an address nor a name in /etc/hosts",
        [WITNESS_NO_CA] = "the certificates to trust cannot be read",
        [WITNESS_UNREACHABLE] = "the connection failed",
        [WITNESS_TIMEOUT] = "it took too long",
        [WITNESS_UNTRUSTED] = "TLS failed",
        [WITNESS_MALFORMED] = "what it sent is no HTTP response, or is cut short",
        [WITNESS_TOO_LONG] = "its response is too long",
        [WITNESS_INTERNAL] = "airlock-witness could not be confined",
    };
    status_t status = error_set(err, ERROR_WITNESS_UNREACHABLE, (int)reply->os_errno,
                                "cannot ask witness %s at %s", sync->row->name, sync->row->url);
    error_detail(err, "%s%s%s", WHY[reply->outcome], reply->text[0] != '\0' ? ": " : "",
                 reply->text);
    if (reply->outcome == WITNESS_UNKNOWN_HOST) {
        error_hint(err, "Airlock asks no DNS server: give the URL an IP address, or add the host "
                        "to /etc/hosts.");
    } else if (reply->outcome == WITNESS_NO_CA || reply->outcome == WITNESS_UNTRUSTED) {
        error_hint(err, "Name the certificates to trust: airlock log witness add NAME VKEY URL "
                        "--ca FILE");
    }
    return status;
}

static status_t compose(const struct sync *sync, struct builder *out, struct error *err) {
    struct merkle_proof proof = {0};
    TRY(merkle_prove_consistency(sync->old_size, sync->checkpoint.size, audit_log_read_hash,
                                 sync->log, &proof, err));
    builder_format(out, "old %" PRIu64 "\n", sync->old_size);
    for (unsigned i = 0; i < proof.count; i++) {
        text_base64(slice_of(proof.hashes[i].bytes, DIGEST_BYTES), out);
        builder_u8(out, '\n');
    }
    builder_u8(out, '\n');
    builder_bytes(out, sync->note);
    return builder_is_ok(out) ? STATUS_OK
                              : error_set(err, ERROR_LIMIT, 0, "the checkpoint does not fit");
}

static status_t ask(const struct sync *sync, struct witness_reply *ret_reply, struct error *err) {
    CLEANUP(builder_deinit) struct builder body;
    builder_init(&body, WITNESS_BODY_BYTES);
    TRY(compose(sync, &body, err));
    const struct witness_request request = {
        .url = sync->row->url,
        .ca = sync->row->ca,
        .body = builder_slice(&body),
    };
    TRY(witness_ask(&request, sync->buffer, ret_reply, err));
    return ret_reply->outcome == WITNESS_ANSWERED ? STATUS_OK : unanswered(sync, ret_reply, err);
}

/* 409: the witness says which tree of ours it has. */
static status_t take_size(struct sync *sync, const struct witness_reply *reply, struct error *err) {
    uint64_t size = 0;
    struct cursor cursor = cursor_of(reply->body);
    struct slice line = cursor_until(&cursor, '\n');
    if (!reply->is_size || !cursor_is_finished(&cursor) || !note_parse_decimal(line, &size)) {
        return refused(sync, "it has another tree, and does not say which (409)",
                       "Ask its operator what it has of this log.", err);
    }
    if (size > sync->checkpoint.size) {
        (void)refused(sync, "", "Hold the log against a receipt: airlock log verify --receipt FILE",
                      err);
        error_detail(err,
                     "it has seen %" PRIu64 " entries of this log, of which %" PRIu64
                     " are signed here: the log was rolled back, or has a second writer",
                     size, sync->checkpoint.size);
        return (status_t){ERROR_WITNESS_REFUSED};
    }
    if (size == sync->old_size) {
        return refused(sync, "it names the size it was sent, and still does not have it (409)",
                       "Ask its operator what it has of this log.", err);
    }
    sync->old_size = size;
    return STATUS_OK;
}

static status_t not_cosigned(const struct sync *sync, unsigned status, struct error *err) {
    char why[64];
    (void)snprintf(why, sizeof why, "it answered with status %u", status);
    switch (status) {
    case 400:
        return refused(sync, "it calls the request malformed (400)",
                       "The witness may speak another version of the protocol.", err);
    case 403:
        return refused(sync, "it does not trust the key of this log (403)",
                       "Give its operator the key: airlock log key", err);
    case 404:
        return refused(sync, "it does not know this log, or the URL is wrong (404)",
                       "Give its operator the origin and key of this log: airlock log key", err);
    case 409:
        return refused(sync, "its tree changed meanwhile (409)",
                       "Try again: airlock log witness sync", err);
    case 422:
        return refused(sync, "the log does not lead from the tree it has to this one (422)",
                       "The log was rewritten, or has a second writer. Check it with: airlock log "
                       "verify --receipt FILE",
                       err);
    default:
        return refused(sync, why, "Redirects are not followed: name the witness's own URL.", err);
    }
}

static status_t check(const struct sync *sync, const struct witness_reply *reply, uint64_t now_s,
                      struct cosignature *ret, struct error *err) {
    static const char *const WHY[] = {
        [COSIGNATURE_VALID] = "",
        [COSIGNATURE_MALFORMED] = "what it sent is no list of signatures",
        [COSIGNATURE_MISSING] = "no line is by the key that was named for it",
        [COSIGNATURE_WRONG] = "its signature does not fit the checkpoint it was sent",
        [COSIGNATURE_TIME] = "it is signed for a time that has not come",
    };
    struct note_vkey vkey;
    struct note note;
    if (!note_parse(sync->note, &note) ||
        !cosignature_vkey_parse(slice_of_string(sync->row->vkey), &vkey)) {
        return error_set(err, ERROR_INTERNAL, 0, "a checkpoint or key changed its form");
    }
    enum cosignature_verdict verdict = cosignature_check(reply->body, note.body, &vkey, now_s, ret);
    return verdict == COSIGNATURE_VALID ? STATUS_OK : lied(sync, WHY[verdict], err);
}

static status_t record(const struct sync *sync, uint64_t time_s, struct error *err) {
    struct builder root;
    struct audit_position position;
    struct json *fields = json_object_new();
    builder_init(&root, (size_t)2 * DIGEST_BYTES + 1);
    text_hex(slice_of(sync->checkpoint.root.bytes, DIGEST_BYTES), &root);
    json_set_text(fields, "root", builder_c_string(&root));
    builder_deinit(&root);
    json_set_integer(fields, "size", (int64_t)sync->checkpoint.size);
    json_set_integer(fields, "time_s", (int64_t)time_s);
    json_set_text(fields, "vkey", sync->row->vkey);
    json_set_text(fields, "witness", sync->row->name);
    struct audit_append append = {.event = AUDIT_EVENT_WITNESS_COSIGNED, .fields = fields};
    return audit_log_append(sync->log, &append, 1, &position, err);
}

static status_t cosign(struct sync *sync, const struct state *state, uint64_t now_s,
                       struct witness_sync *ret, struct error *err) {
    struct witness_reply reply;
    struct cosignature cosignature;
    TRY(ask(sync, &reply, err));
    if (reply.status == 409) {
        TRY(take_size(sync, &reply, err));
        TRY(ask(sync, &reply, err));
    }
    if (reply.status != 200) {
        return not_cosigned(sync, reply.status, err);
    }
    TRY(check(sync, &reply, now_s, &cosignature, err));
    TRY(record(sync, cosignature.time_s, err));
    TRY(cosigned_write(state, sync->row->name, sync->note, cosignature.line, err));
    ret->is_new = true;
    ret->time_s = cosignature.time_s;
    return STATUS_OK;
}

status_t witnesses_sync(struct audit_log *log, const struct state *state,
                        const struct witness_row *row, uint64_t now_s, struct witness_sync *ret,
                        struct error *err) {
    CLEANUP(builder_deinit) struct builder note;
    CLEANUP(memory_freep) uint8_t *buffer = malloc(WITNESS_REPLY_BYTES);
    struct sync sync = {.log = log, .row = row, .buffer = buffer};
    struct cosigned_state known;
    builder_init(&note, NOTE_BYTES_MAX);
    if (buffer == nullptr) {
        return error_set(err, ERROR_NO_MEMORY, 0, "cannot ask a witness");
    }
    TRY(checkpoint_published_text(state, &note, &sync.checkpoint, err));
    if (sync.checkpoint.size == 0) {
        return error_set(err, ERROR_AUDIT_NO_SUCH_ENTRY, 0, "nothing of this log was signed yet");
    }
    sync.note = builder_slice(&note);
    TRY(cosigned_find(state, row->name, sync.note, &known, err));
    sync.old_size = known.known_size;
    struct witness_sync result = {.size = sync.checkpoint.size};
    if (!known.is_current) {
        TRY(cosign(&sync, state, now_s, &result, err));
    }
    *ret = result;
    return STATUS_OK;
}
