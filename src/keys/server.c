/* SPDX-License-Identifier: Apache-2.0
 *
 * Once a key has signed its file says so (seed_file.h). From then on a missing last checkpoint is a
 * loss and no beginning: nothing is signed any more, because without it any tree would do. The
 * checkpoint is durable before the mark, and the mark before the answer, so that a crash in between
 * leaves a key that can go on.
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
#include "keys/slots.h"
#include "sys/fd.h"
#include "sys/file.h"
#include "sys/random.h"

enum { VKEY_TEXT = 512 }; /* the log's own, with room to spare */

static const struct keys_files *files_of(const struct signer *signer) {
    return keys_files_of(signer->scheme->signer);
}

static status_t lock_take(const struct signer *signer, int *ret_lock, struct error *err) {
    const char *name = files_of(signer)->lock;
    CLEANUP(fd_closep)
    int lock = file_open_beneath(signer->folder, name, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, true);
    int failed = lock < 0 ? -1 : 0;
    while (failed == 0 && flock(lock, LOCK_EX) != 0) {
        failed = errno == EINTR ? 0 : -1;
    }
    if (failed != 0) {
        return error_set(err, ERROR_IO, errno, "cannot lock %s", name);
    }
    *ret_lock = fd_take(&lock);
    return STATUS_OK;
}

/* The caller wipes *ret_seed. */
static status_t read_seed(const struct signer *signer, struct seed *ret_seed, bool *ret_found,
                          struct error *err) {
    return seed_read(signer->folder, files_of(signer)->seed, &signer->scheme->form, ret_seed,
                     ret_found, err);
}

static status_t write_seed(const struct signer *signer, const struct seed *seed,
                           struct error *err) {
    return seed_write(signer->folder, files_of(signer)->seed, &signer->scheme->form, seed, err);
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

/* Under the lock. */
static status_t seed_mark_signed(struct signer *signer, struct error *err) {
    struct seed seed;
    bool found = false;
    status_t status = read_seed(signer, &seed, &found, err);
    if (status_is_ok(status) && !found) {
        status =
            error_set(err, ERROR_KEYS_FAILED, ENOENT, "keys/%s is gone", files_of(signer)->seed);
    }
    if (status_is_ok(status) && !seed.has_signed) {
        seed.has_signed = true;
        status = write_seed(signer, &seed, err);
    }
    explicit_bzero(&seed, sizeof seed);
    signer->has_signed = status_is_ok(status);
    return status;
}

/* The key that a new one is to follow, for good: the log's, which must be there. */
static status_t followed_read(const struct signer *signer, struct seed *seed, struct error *err) {
    struct builder text;
    builder_init(&text, VKEY_TEXT);
    bool found = false;
    status_t status = file_read(signer->folder, KEYS_FILE_VKEY, &text, &found, err);
    struct cursor cursor = cursor_of(builder_slice(&text));
    if (status_is_ok(status) &&
        (!found || !note_vkey_parse(cursor_until(&cursor, '\n'), &seed->followed))) {
        status = error_set(err, ERROR_KEYS_FAILED, found ? 0 : ENOENT,
                           "keys/%s is missing or damaged", KEYS_FILE_VKEY);
    }
    builder_deinit(&text);
    return status;
}

static status_t origin_make(int folder, struct error *err) {
    uint64_t number;
    random_fill(&number, sizeof number);
    char origin[64];
    int size = snprintf(origin, sizeof origin, "airlock.local/%016" PRIx64 "\n", number);
    return write_file(folder, KEYS_FILE_ORIGIN, slice_of(origin, (size_t)size), err);
}

/* At first use. The order lets a crash at any point be finished by the next start: an origin alone
 * is harmless, and the vkey is written again from the key. */
static status_t first_use(const struct signer *signer, struct error *err) {
    const struct keys_files *files = files_of(signer);
    struct seed seed = {.has_signed = false};
    CLEANUP(fd_closep) int lock = -1;
    TRY(lock_take(signer, &lock, err));
    if (is_there(signer->folder, files->seed)) {
        return STATUS_OK; /* another process was faster */
    }
    if (is_there(signer->folder, files->checkpoint)) {
        return error_set(err, ERROR_KEYS_FAILED, 0, "the key of a log that was signed is gone");
    }
    if (signer->scheme->form.follows) {
        TRY(followed_read(signer, &seed, err));
    } else if (!is_there(signer->folder, KEYS_FILE_ORIGIN)) {
        TRY(origin_make(signer->folder, err));
    }
    random_fill(seed.bytes, sizeof seed.bytes);
    status_t status = write_seed(signer, &seed, err);
    explicit_bzero(&seed, sizeof seed);
    return status;
}

static status_t vkey_write(const struct signer *signer, struct error *err) {
    struct builder text;
    builder_init(&text, NOTE_PQ_VKEY_TEXT);
    signer->scheme->vkey_format(signer, &text);
    builder_u8(&text, '\n');
    status_t status =
        builder_is_ok(&text)
            ? write_file(signer->folder, files_of(signer)->vkey, builder_slice(&text), err)
            : error_set(err, ERROR_NO_MEMORY, 0, "cannot write a verifier key");
    builder_deinit(&text);
    return status;
}

static status_t seed_find(const struct signer *signer, struct seed *ret_seed, struct error *err) {
    bool found = false;
    TRY(read_seed(signer, ret_seed, &found, err));
    if (!found) {
        TRY(first_use(signer, err));
        TRY(read_seed(signer, ret_seed, &found, err));
    }
    return found ? STATUS_OK
                 : error_set(err, ERROR_KEYS_FAILED, ENOENT, "keys/%s is missing",
                             files_of(signer)->seed);
}

static status_t signer_load(struct signer *signer, struct error *err) {
    char origin[NOTE_NAME_BYTES];
    struct seed seed = {0};
    bool found = false;
    status_t status = seed_find(signer, &seed, err);
    if (status_is_ok(status)) {
        status = origin_read(signer->folder, origin, &found, err);
    }
    if (status_is_ok(status)) {
        status = found ? signer->scheme->load(signer, origin, &seed, err)
                       : error_set(err, ERROR_KEYS_FAILED, 0, "the log's origin is missing");
    }
    signer->has_signed = seed.has_signed;
    explicit_bzero(&seed, sizeof seed);
    TRY(status);
    return is_there(signer->folder, files_of(signer)->vkey) ? STATUS_OK : vkey_write(signer, err);
}

void signer_close(struct signer *signer) {
    if (signer->scheme != nullptr) {
        signer->scheme->unload(signer);
    }
}

/* No checkpoint is there. The key may have signed its first one since it was loaded here. */
static enum keys_answer last_missing(const struct signer *signer) {
    struct error err = {0};
    struct seed seed = {.has_signed = true};
    bool found = false;
    bool has_signed = signer->has_signed || !status_is_ok(read_seed(signer, &seed, &found, &err)) ||
                      !found || seed.has_signed;
    explicit_bzero(&seed, sizeof seed);
    return has_signed ? KEYS_ANSWER_LOST : KEYS_ANSWER_SIGNED;
}

/* Whether a checkpoint is one that this key signed. */
static bool last_is_ours(struct signer *signer, struct slice text, const struct note *note) {
    struct digest digest;
    sha256_of(text, &digest);
    if (!digest_equal(&digest, &signer->verified)) {
        if (strcmp(note->checkpoint.origin, signer->vkey.name) != 0 ||
            !signer->scheme->has_signed(signer, note)) {
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
    if (!status_is_ok(slots_read_newest(signer->folder, files_of(signer)->checkpoint, &text, &found,
                                        &signer->newest, &err))) {
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

/* Under the lock, and after last_read() under the same. */
static enum keys_answer keep(struct signer *signer, struct slice text, int *ret_errno) {
    struct error err = {0};
    if (!status_is_ok(slots_write(signer->folder, files_of(signer)->checkpoint, text,
                                  signer->newest, &err)) ||
        (!signer->has_signed && !status_is_ok(seed_mark_signed(signer, &err)))) {
        *ret_errno = err.os_errno;
        return KEYS_ANSWER_IO;
    }
    return KEYS_ANSWER_SIGNED;
}

static enum keys_answer sign_and_keep(struct signer *signer, const struct keys_request *request,
                                      struct slice first, int *ret_errno) {
    struct checkpoint checkpoint = {.size = request->size, .root = request->root};
    memcpy(checkpoint.origin, signer->vkey.name, NOTE_NAME_BYTES);
    struct builder text;
    struct error err = {0};
    builder_init(&text, NOTE_BYTES_MAX);
    checkpoint_format(&checkpoint, &text);
    ASSERT(builder_is_ok(&text)); /* a checkpoint is smaller than a note may be */
    enum keys_answer answer =
        status_is_ok(signer->scheme->sign(signer, &checkpoint, first, &text, &err))
            ? keep(signer, builder_slice(&text), ret_errno)
            : KEYS_ANSWER_NO_KEY;
    builder_deinit(&text);
    return answer;
}

/* Looks whether the followed key has signed the tree, and appends the line that says so. */
static enum keys_answer first_line(const struct signer *signer, const struct keys_request *request,
                                   struct slice text, struct builder *ret_line) {
    struct note note;
    struct note_line line;
    if (!note_parse(text, &note) || strcmp(note.checkpoint.origin, signer->vkey.name) != 0 ||
        note_verify(&note, &signer->vkey) != NOTE_VALID) {
        return KEYS_ANSWER_NOT_FIRST;
    }
    if (note.checkpoint.size != request->size) {
        return KEYS_ANSWER_STALE;
    }
    if (!digest_equal(&note.checkpoint.root, &request->root)) {
        return KEYS_ANSWER_REWRITTEN;
    }
    struct cursor cursor = cursor_of(note.signatures);
    while (ret_line->size == 0 && note_line_parse(&cursor, &line)) {
        if (note_line_claims(&line, signer->vkey.name, signer->vkey.key_id)) {
            builder_format(ret_line, "\xe2\x80\x94 %s ", signer->vkey.name);
            builder_bytes(ret_line, line.base64);
            builder_u8(ret_line, '\n');
        }
    }
    return KEYS_ANSWER_SIGNED;
}

static enum keys_answer sign_after_first(struct signer *signer, const struct keys_request *request,
                                         int *ret_errno) {
    struct builder text;
    struct builder line;
    struct error err = {0};
    bool found = false;
    enum keys_answer answer = KEYS_ANSWER_NOT_FIRST;
    builder_init(&text, NOTE_BYTES_MAX);
    builder_init(&line, NOTE_BYTES_MAX);
    if (status_is_ok(slots_read(signer->folder, KEYS_FILE_CHECKPOINT, &text, &found, &err)) &&
        found) {
        answer = first_line(signer, request, builder_slice(&text), &line);
    }
    if (answer == KEYS_ANSWER_SIGNED) {
        answer = sign_and_keep(signer, request, builder_slice(&line), ret_errno);
    }
    *ret_errno = answer == KEYS_ANSWER_NOT_FIRST ? err.os_errno : *ret_errno;
    builder_deinit(&line);
    builder_deinit(&text);
    return answer;
}

static enum keys_answer decide(struct signer *signer, const struct keys_request *request,
                               int *ret_errno) {
    struct error err = {0};
    CLEANUP(fd_closep) int lock = -1;
    struct checkpoint last;
    if (!status_is_ok(lock_take(signer, &lock, &err))) {
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
    return signer->scheme->form.follows
               ? sign_after_first(signer, request, ret_errno)
               : sign_and_keep(signer, request, SLICE_LITERAL(""), ret_errno);
}

status_t signer_open(const struct signer_scheme *scheme, int folder, struct signer *ret_signer,
                     struct error *err) {
    struct signer signer = {.folder = folder, .scheme = scheme};
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
