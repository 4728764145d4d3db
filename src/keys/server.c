/* SPDX-License-Identifier: Apache-2.0
 *
 * keys/log.key is two lines, and a third once the key has signed. From then on a missing
 * last_checkpoint is a loss and no beginning: nothing is signed any more, because without it any
 * tree would do. The checkpoint is durable before the mark, and the mark before the answer, so that
 * a crash in between leaves a key that can go on.
 */
#include "keys/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "codec/text.h"
#include "keys/slots.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/random.h"

static const char SEED_HEADER[] = "airlock log key, Ed25519 seed\n";
static const char SEED_SIGNED[] = "signed\n";
enum {
    SEED_TEXT_BYTES = sizeof SEED_HEADER - 1 + 2 * ED25519_SEED_BYTES + 1 + sizeof SEED_SIGNED - 1,
};

struct seed {
    uint8_t bytes[ED25519_SEED_BYTES];
    bool has_signed;
};

static status_t lock_take(int folder, int *ret_lock, struct error *err) {
    CLEANUP(fd_closep)
    int lock = file_open_beneath(folder, KEYS_FILE_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, true);
    int failed = lock < 0 ? -1 : 0;
    while (failed == 0 && flock(lock, LOCK_EX) != 0) {
        failed = errno == EINTR ? 0 : -1;
    }
    if (failed != 0) {
        return error_set(err, ERROR_IO, errno, "cannot lock %s", KEYS_FILE_LOCK);
    }
    *ret_lock = fd_take(&lock);
    return STATUS_OK;
}

static status_t write_file(int folder, const char *name, struct slice bytes, struct error *err) {
    return file_write_atomic(folder, name, bytes,
                             &(struct file_write_options){.mode = 0600, .durable = true}, err);
}

static bool is_there(int folder, const char *name) {
    return faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static status_t origin_read(int folder, char ret_origin[static NOTE_NAME_BYTES], bool *ret_found,
                            struct error *err) {
    struct builder text;
    builder_init(&text, NOTE_NAME_BYTES);
    status_t status = file_read(folder, KEYS_FILE_ORIGIN, &text, ret_found, err);
    if (status_is_ok(status) && *ret_found) {
        struct cursor cursor = cursor_of(builder_slice(&text));
        struct slice line = cursor_until(&cursor, '\n');
        if (cursor_is_finished(&cursor) && note_name_is_valid(line)) {
            memset(ret_origin, 0, NOTE_NAME_BYTES);
            memcpy(ret_origin, line.data, line.size);
        } else {
            status = error_set(err, ERROR_KEYS_FAILED, 0, "keys/%s is damaged", KEYS_FILE_ORIGIN);
        }
    }
    builder_deinit(&text);
    return status;
}

static bool seed_parse(struct slice text, struct seed *ret_seed) {
    struct cursor cursor = cursor_of(text);
    struct slice header = cursor_bytes(&cursor, sizeof SEED_HEADER - 1);
    struct slice line = cursor_until(&cursor, '\n');
    ret_seed->has_signed = cursor_is_ok(&cursor) && !cursor_is_finished(&cursor);
    return (!ret_seed->has_signed || slice_equal(cursor_bytes(&cursor, sizeof SEED_SIGNED - 1),
                                                 SLICE_LITERAL(SEED_SIGNED))) &&
           cursor_is_finished(&cursor) && slice_equal(header, slice_of_string(SEED_HEADER)) &&
           text_unhex(line, ret_seed->bytes, ED25519_SEED_BYTES);
}

static void text_wipe(struct builder *text) {
    if (text->data != nullptr) {
        explicit_bzero(text->data, text->capacity);
    }
    builder_deinit(text);
}

/* The caller wipes *ret_seed. */
static status_t seed_read(int folder, struct seed *ret_seed, bool *ret_found, struct error *err) {
    struct builder text;
    builder_init(&text, SEED_TEXT_BYTES);
    status_t status = file_read(folder, KEYS_FILE_SEED, &text, ret_found, err);
    if (status_is_ok(status) && *ret_found && !seed_parse(builder_slice(&text), ret_seed)) {
        status = error_set(err, ERROR_KEYS_FAILED, 0, "keys/%s is damaged", KEYS_FILE_SEED);
    }
    text_wipe(&text);
    return status;
}

static status_t seed_write(int folder, const struct seed *seed, struct error *err) {
    struct builder text;
    builder_init(&text, SEED_TEXT_BYTES);
    builder_text(&text, SEED_HEADER);
    text_hex(slice_of(seed->bytes, ED25519_SEED_BYTES), &text);
    builder_u8(&text, '\n');
    builder_text(&text, seed->has_signed ? SEED_SIGNED : "");
    status_t status = builder_is_ok(&text)
                          ? write_file(folder, KEYS_FILE_SEED, builder_slice(&text), err)
                          : error_set(err, ERROR_NO_MEMORY, 0, "cannot write the log key");
    text_wipe(&text);
    return status;
}

/* Under the lock. */
static status_t seed_mark_signed(struct signer *signer, struct error *err) {
    struct seed seed;
    bool found = false;
    status_t status = seed_read(signer->folder, &seed, &found, err);
    if (status_is_ok(status) && !found) {
        status = error_set(err, ERROR_KEYS_FAILED, ENOENT, "keys/%s is gone", KEYS_FILE_SEED);
    }
    if (status_is_ok(status) && !seed.has_signed) {
        seed.has_signed = true;
        status = seed_write(signer->folder, &seed, err);
    }
    explicit_bzero(&seed, sizeof seed);
    signer->has_signed = status_is_ok(status);
    return status;
}

/* At first use. The order lets a crash at any point be finished by the next start: an origin alone
 * is harmless, and the vkey is written again from the key. */
static status_t first_use(int folder, struct error *err) {
    CLEANUP(fd_closep) int lock = -1;
    TRY(lock_take(folder, &lock, err));
    if (is_there(folder, KEYS_FILE_SEED)) {
        return STATUS_OK; /* another process was faster */
    }
    if (is_there(folder, KEYS_FILE_CHECKPOINT)) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "the key of a log that was signed is gone");
    }
    if (!is_there(folder, KEYS_FILE_ORIGIN)) {
        uint64_t number;
        random_fill(&number, sizeof number);
        char origin[64];
        int size = snprintf(origin, sizeof origin, "airlock.local/%016" PRIx64 "\n", number);
        TRY(write_file(folder, KEYS_FILE_ORIGIN, slice_of(origin, (size_t)size), err));
    }
    struct seed seed = {.has_signed = false};
    random_fill(seed.bytes, sizeof seed.bytes);
    status_t status = seed_write(folder, &seed, err);
    explicit_bzero(&seed, sizeof seed);
    return status;
}

static status_t vkey_write(const struct signer *signer, struct error *err) {
    struct builder text;
    builder_init(&text, 1024);
    note_vkey_format(&signer->vkey, &text);
    builder_u8(&text, '\n');
    status_t status = write_file(signer->folder, KEYS_FILE_VKEY, builder_slice(&text), err);
    builder_deinit(&text);
    return status;
}

static status_t signer_load(struct signer *signer, struct error *err) {
    char origin[NOTE_NAME_BYTES];
    struct seed seed;
    bool seed_found = false;
    bool origin_found = false;
    TRY(seed_read(signer->folder, &seed, &seed_found, err));
    if (!seed_found) {
        TRY(first_use(signer->folder, err));
        TRY(seed_read(signer->folder, &seed, &seed_found, err));
    }
    TRY(origin_read(signer->folder, origin, &origin_found, err));
    if (!seed_found || !origin_found) {
        explicit_bzero(&seed, sizeof seed);
        return error_set(err, ERROR_KEYS_FAILED, 0, "the log key or its origin is missing");
    }
    status_t status = ed25519_key_new(seed.bytes, &signer->key, err);
    signer->has_signed = seed.has_signed;
    explicit_bzero(&seed, sizeof seed);
    TRY(status);
    uint8_t public_key[ED25519_PUBLIC_BYTES];
    ed25519_key_public(signer->key, public_key);
    note_vkey_make(origin, public_key, &signer->vkey);
    return is_there(signer->folder, KEYS_FILE_VKEY) ? STATUS_OK : vkey_write(signer, err);
}

void signer_close(struct signer *signer) {
    ed25519_key_free(signer->key);
    signer->key = nullptr;
}

/* No checkpoint is there. The key may have signed its first one since it was loaded here. */
static enum keys_answer last_missing(const struct signer *signer) {
    struct error err = {0};
    struct seed seed = {.has_signed = true};
    bool found = false;
    bool has_signed = signer->has_signed ||
                      !status_is_ok(seed_read(signer->folder, &seed, &found, &err)) || !found ||
                      seed.has_signed;
    explicit_bzero(&seed, sizeof seed);
    return has_signed ? KEYS_ANSWER_LOST : KEYS_ANSWER_SIGNED;
}

/* Whether a checkpoint is one that this key signed. */
static bool last_is_ours(struct signer *signer, struct slice text, const struct note *note) {
    struct digest digest;
    sha256_of(text, &digest);
    if (!digest_equal(&digest, &signer->verified)) {
        if (strcmp(note->checkpoint.origin, signer->vkey.name) != 0 ||
            note_verify(note, &signer->vkey) != NOTE_VALID) {
            return false;
        }
        signer->verified = digest;
    }
    return true;
}

/* The last checkpoint this key signed; size 0 when there is none yet. */
static enum keys_answer last_read(struct signer *signer, struct checkpoint *ret_last,
                                  int *ret_errno) {
    struct builder text;
    struct error err = {0};
    struct note note;
    bool found = false;
    enum keys_answer answer = KEYS_ANSWER_SIGNED;
    builder_init(&text, NOTE_BYTES_MAX);
    if (!status_is_ok(slots_read(signer->folder, &text, &found, &err))) {
        *ret_errno = err.os_errno;
        answer = err.code == ERROR_AUDIT_DAMAGED ? KEYS_ANSWER_DAMAGED : KEYS_ANSWER_IO;
    } else if (!found) {
        *ret_last = (struct checkpoint){0};
        answer = last_missing(signer);
    } else if (!note_parse(builder_slice(&text), &note) ||
               !last_is_ours(signer, builder_slice(&text), &note)) {
        answer = KEYS_ANSWER_DAMAGED;
    } else {
        *ret_last = note.checkpoint;
    }
    builder_deinit(&text);
    return answer;
}

static enum keys_answer sign_and_keep(struct signer *signer, const struct keys_request *request,
                                      int *ret_errno) {
    struct checkpoint checkpoint = {.size = request->size, .root = request->root};
    memcpy(checkpoint.origin, signer->vkey.name, NOTE_NAME_BYTES);
    struct builder text;
    struct error err = {0};
    uint8_t signature[ED25519_SIGNATURE_BYTES];
    builder_init(&text, NOTE_BYTES_MAX);
    checkpoint_format(&checkpoint, &text);
    ASSERT(builder_is_ok(&text)); /* a checkpoint is smaller than a note may be */
    ed25519_sign(signer->key, builder_slice(&text), signature);
    builder_u8(&text, '\n');
    note_format_signature(&signer->vkey, signature, &text);
    enum keys_answer answer = KEYS_ANSWER_SIGNED;
    if (!status_is_ok(slots_write(signer->folder, builder_slice(&text), &err)) ||
        (!signer->has_signed && !status_is_ok(seed_mark_signed(signer, &err)))) {
        *ret_errno = err.os_errno;
        answer = KEYS_ANSWER_IO;
    }
    builder_deinit(&text);
    return answer;
}

static enum keys_answer decide(struct signer *signer, const struct keys_request *request,
                               int *ret_errno) {
    struct error err = {0};
    CLEANUP(fd_closep) int lock = -1;
    struct checkpoint last;
    if (!status_is_ok(lock_take(signer->folder, &lock, &err))) {
        *ret_errno = err.os_errno;
        return KEYS_ANSWER_IO;
    }
    enum keys_answer answer = last_read(signer, &last, ret_errno);
    if (answer != KEYS_ANSWER_SIGNED) {
        return answer;
    }
    if (last.size > 0 && !signer->has_signed && !status_is_ok(seed_mark_signed(signer, &err))) {
        *ret_errno = err.os_errno;
        return KEYS_ANSWER_IO;
    }
    if (last.size == request->size && last.size > 0) {
        return digest_equal(&last.root, &request->root) ? KEYS_ANSWER_SIGNED
                                                        : KEYS_ANSWER_REWRITTEN;
    }
    if (last.size != request->old_size) {
        return KEYS_ANSWER_STALE;
    }
    if (!merkle_verify_consistency(last.size, request->size, &last.root, &request->root,
                                   &request->proof)) {
        return KEYS_ANSWER_REWRITTEN;
    }
    return sign_and_keep(signer, request, ret_errno);
}

status_t signer_open(int folder, struct signer *ret_signer, struct error *err) {
    struct signer signer = {.folder = folder};
    status_t status = signer_load(&signer, err);
    if (!status_is_ok(status)) {
        signer_close(&signer);
        return status;
    }
    struct checkpoint last;
    int os_errno = 0;
    (void)last_read(&signer, &last, &os_errno); /* judged again when it matters */
    *ret_signer = signer;
    return STATUS_OK;
}

void signer_answer(struct signer *signer, const struct keys_request *request,
                   struct keys_reply *ret_reply) {
    int os_errno = 0;
    enum keys_answer answer = decide(signer, request, &os_errno);
    *ret_reply = (struct keys_reply){answer, (uint32_t)os_errno};
}
