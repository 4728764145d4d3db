/* SPDX-License-Identifier: Apache-2.0
 *
 * The order is: keys, form of the envelope, signatures, and only then what the envelope holds. So
 * nothing of a statement is looked at, or shown, that its makers did not sign. Every file is opened
 * once, without following a link, and what is read of it is what is compared.
 */
#include "release/check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "sys/fd.h"

enum { PIECE_BYTES = 65536, NAME_TEXT_BYTES = 1024 };

struct check {
    const struct release_request *request;
    release_on_problem *on_problem;
    void *context;
    struct release_result *result;
    int folder; /* owned */
    size_t problems;
    bool seen[LIMIT_RELEASE_FILES];
};

static void problem(struct check *check, const char *name, const char *what) {
    struct builder text;
    builder_init(&text, (size_t)4 * NAME_TEXT_BYTES);
    text_escape(slice_of_string(name), &text);
    check->problems++;
    check->on_problem(check->context,
                      &(struct release_problem){.file = builder_c_string(&text), .what = what});
    builder_deinit(&text);
}

static status_t unverified(const char *what, const char *why, struct error *err) {
    (void)error_set(err, ERROR_RELEASE_UNVERIFIED, 0, "%s is not signed as it must be", what);
    error_detail(err, "%s", why);
    return (status_t){ERROR_RELEASE_UNVERIFIED};
}

/* Reads a file of at most `size_max` bytes. */
static status_t read_file(int folder, const char *path, size_t size_max, struct builder *ret_bytes,
                          bool *ret_found, struct error *err) {
    CLEANUP(fd_closep) int fd = openat(folder, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    builder_init(ret_bytes, size_max);
    *ret_found = fd >= 0;
    if (fd < 0) {
        return errno == ENOENT ? STATUS_OK
                               : error_set(err, ERROR_IO, errno, "cannot open %s", path);
    }
    status_t status = fd_read_to_end(fd, path, ret_bytes, err);
    if (!status_is_ok(status) && err->code == ERROR_LIMIT) {
        limit_hit(LIMIT_ID_RELEASE_ENVELOPE_BYTES);
        return unverified(path, "it is longer than any is", err);
    }
    return status;
}

status_t release_check_signatures(const struct envelope *envelope, const struct release_keys *keys,
                                  struct error *err) {
    bool has_signed[RELEASE_KIND_ECDSA] = {};
    struct builder message;
    builder_init(&message, envelope->payload.size + 256);
    envelope_encode(STATEMENT_PAYLOAD_TYPE, builder_slice(&envelope->payload), &message);
    const char *fault = builder_is_ok(&message) ? nullptr : "it is too long";
    for (size_t i = 0; i < envelope->count && fault == nullptr; i++) {
        const struct envelope_signature *signature = &envelope->list[i];
        uint8_t kind = 0;
        while (kind < RELEASE_KIND_ECDSA &&
               !release_key_verify(keys, (enum release_kind)kind, builder_slice(&message),
                                   signature->bytes)) {
            kind++;
        }
        if (kind == RELEASE_KIND_ECDSA) {
            fault = "a signature fits neither of the keys";
        } else if (has_signed[kind]) {
            fault = "two signatures are by one key";
        } else if (signature->key_id[0] != '\0' &&
                   strcmp(signature->key_id, release_key_id(keys, (enum release_kind)kind)) != 0) {
            fault = "a signature names another key than the one it fits";
        } else {
            has_signed[kind] = true;
        }
    }
    builder_deinit(&message);
    if (fault == nullptr && !has_signed[RELEASE_KIND_ED25519]) {
        fault = "the Ed25519 key has not signed it";
    }
    if (fault == nullptr && !has_signed[RELEASE_KIND_MLDSA65]) {
        fault = "the ML-DSA-65 key has not signed it";
    }
    return fault == nullptr ? STATUS_OK : unverified(RELEASE_PROVENANCE, fault, err);
}

/* The bundle says the same as the envelope, and is signed where a key for it is there. */
static status_t check_bundle_bytes(struct check *check, const struct release_keys *keys,
                                   const struct envelope *envelope, const struct envelope *bundle,
                                   struct error *err) {
    struct builder message;
    if (!slice_equal(builder_slice(&bundle->payload), builder_slice(&envelope->payload))) {
        return unverified(RELEASE_BUNDLE, "it is about another build", err);
    }
    if (bundle->count != 1) {
        return unverified(RELEASE_BUNDLE, "it has more than one signature", err);
    }
    check->result->bundle = RELEASE_BUNDLE_SAME;
    if (release_key_id(keys, RELEASE_KIND_ECDSA) == nullptr) {
        return STATUS_OK;
    }
    builder_init(&message, bundle->payload.size + 256);
    envelope_encode(STATEMENT_PAYLOAD_TYPE, builder_slice(&bundle->payload), &message);
    bool fits = builder_is_ok(&message) &&
                release_key_verify(keys, RELEASE_KIND_ECDSA, builder_slice(&message),
                                   bundle->list[0].bytes);
    builder_deinit(&message);
    if (!fits) {
        return unverified(RELEASE_BUNDLE, "its signature does not fit the ECDSA key", err);
    }
    check->result->bundle = RELEASE_BUNDLE_VERIFIED;
    return STATUS_OK;
}

static status_t check_bundle(struct check *check, const struct release_keys *keys,
                             const struct envelope *envelope, struct error *err) {
    struct builder text;
    struct envelope bundle = {};
    bool is_found = false;
    status_t status = read_file(check->folder, RELEASE_BUNDLE, (size_t)LIMIT_RELEASE_ENVELOPE_BYTES,
                                &text, &is_found, err);
    if (status_is_ok(status) && is_found) {
        status = envelope_parse_bundle(builder_slice(&text), STATEMENT_PAYLOAD_TYPE, RELEASE_BUNDLE,
                                       &bundle, err);
        if (status_is_ok(status)) {
            status = check_bundle_bytes(check, keys, envelope, &bundle, err);
        }
        envelope_deinit(&bundle);
    }
    builder_deinit(&text);
    return status;
}

static status_t check_envelope(struct check *check, const struct release_keys *keys,
                               struct error *err) {
    const char *named = check->request->provenance;
    const char *path = named != nullptr ? named : RELEASE_PROVENANCE;
    struct builder text;
    struct envelope envelope = {};
    bool is_found = false;
    status_t status = read_file(named != nullptr ? AT_FDCWD : check->folder, path,
                                (size_t)LIMIT_RELEASE_ENVELOPE_BYTES, &text, &is_found, err);
    if (status_is_ok(status) && !is_found) {
        status = error_set(err, ERROR_RELEASE_MISSING, ENOENT, "cannot open %s", path);
    }
    if (status_is_ok(status)) {
        status = envelope_parse(builder_slice(&text), STATEMENT_PAYLOAD_TYPE, RELEASE_PROVENANCE,
                                &envelope, err);
    }
    if (status_is_ok(status)) {
        status = release_check_signatures(&envelope, keys, err);
    }
    if (status_is_ok(status)) {
        status = statement_parse(builder_slice(&envelope.payload), &check->result->statement, err);
    }
    if (status_is_ok(status)) {
        status = check_bundle(check, keys, &envelope, err);
    }
    envelope_deinit(&envelope);
    builder_deinit(&text);
    return status;
}

static status_t digest_of(int fd, const char *name, struct digest *ret_digest, struct error *err) {
    static uint8_t piece[PIECE_BYTES];
    struct sha256 hash;
    ssize_t got;
    sha256_init(&hash);
    do {
        got = read(fd, piece, sizeof piece);
        if (got > 0) {
            sha256_update(&hash, slice_of(piece, (size_t)got));
        }
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (got < 0) {
        return error_set(err, ERROR_IO, errno, "cannot read %s", name);
    }
    sha256_final(&hash, ret_digest);
    return STATUS_OK;
}

static status_t check_file(struct check *check, const char *name, struct error *err) {
    const struct statement_subject *subject = statement_find(&check->result->statement, name);
    struct digest digest;
    struct stat facts;
    if (subject == nullptr) {
        problem(check, name, "unknown");
        return STATUS_OK;
    }
    check->seen[subject - check->result->statement.subjects] = true;
    CLEANUP(fd_closep)
    int fd = openat(check->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && errno != ELOOP && errno != ENXIO) {
        return error_set(err, ERROR_IO, errno, "cannot open %s", name);
    }
    if (fd < 0 || fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode)) {
        problem(check, name, "not-a-file");
        return STATUS_OK;
    }
    TRY(digest_of(fd, name, &digest, err));
    check->result->file_count++;
    if (!digest_equal(&digest, &subject->digest)) {
        problem(check, name, "changed");
    }
    return STATUS_OK;
}

static bool is_own_name(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
           strcmp(name, RELEASE_PROVENANCE) == 0 || strcmp(name, RELEASE_BUNDLE) == 0;
}

static status_t check_folder(struct check *check, struct error *err) {
    int again = openat(check->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = again >= 0 ? fdopendir(again) : nullptr;
    if (folder == nullptr) {
        fd_closep(&again);
        return error_set(err, ERROR_IO, errno, "cannot list %s", check->request->path);
    }
    status_t status = STATUS_OK;
    const struct dirent *entry;
    while (status_is_ok(status) && (entry = readdir(folder)) != nullptr) {
        if (!is_own_name(entry->d_name)) {
            status = check_file(check, entry->d_name, err);
        }
    }
    (void)closedir(folder);
    for (size_t i = 0; i < check->result->statement.count; i++) {
        if (!check->seen[i]) {
            problem(check, check->result->statement.subjects[i].name, "missing");
        }
    }
    return status;
}

/* Opens the folder; *ret_name is the file's when the request is for one. */
static status_t open_folder(struct check *check, const char **ret_name, struct error *err) {
    const char *path = check->request->path;
    char above[LIMIT_PATH_BYTES];
    struct stat facts;
    if (stat(path, &facts) != 0) {
        return error_set(err, errno == ENOENT ? ERROR_RELEASE_MISSING : ERROR_IO, errno,
                         "cannot open %s", path);
    }
    *ret_name = nullptr;
    if (!S_ISDIR(facts.st_mode)) {
        const char *slash = strrchr(path, '/');
        size_t size = slash == nullptr ? 0 : slash == path ? 1 : (size_t)(slash - path);
        *ret_name = slash == nullptr ? path : slash + 1;
        if (size >= sizeof above) {
            return error_set(err, ERROR_IO, ENAMETOOLONG, "cannot open %s", path);
        }
        memcpy(above, path, size);
        above[size] = '\0';
        path = size == 0 ? "." : above;
    }
    check->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return check->folder >= 0 ? STATUS_OK : error_set(err, ERROR_IO, errno, "cannot open %s", path);
}

static status_t check_all(struct check *check, const struct release_keys *keys, struct error *err) {
    const char *name = nullptr;
    TRY(open_folder(check, &name, err));
    TRY(check_envelope(check, keys, err));
    if (name != nullptr) {
        TRY(check_file(check, name, err));
    } else {
        TRY(check_folder(check, err));
    }
    if (check->problems == 0) {
        return STATUS_OK;
    }
    return error_set(err, ERROR_RELEASE_UNVERIFIED, 0, "%zu file%s not what was signed",
                     check->problems, check->problems == 1 ? " is" : "s are");
}

status_t release_check(const struct release_request *request, release_on_problem *on_problem,
                       void *context, struct release_result *ret_result, struct error *err) {
    struct check check = {
        .request = request,
        .on_problem = on_problem,
        .context = context,
        .result = ret_result,
        .folder = -1,
    };
    struct release_keys keys = {};
    struct builder text;
    bool is_found = false;
    *ret_result = (struct release_result){};
    status_t status = read_file(AT_FDCWD, request->keys, (size_t)LIMIT_RELEASE_ENVELOPE_BYTES,
                                &text, &is_found, err);
    if (status_is_ok(status) && !is_found) {
        status = error_set(err, ERROR_RELEASE_KEY, ENOENT, "cannot open %s", request->keys);
    }
    if (status_is_ok(status)) {
        status = release_keys_parse(builder_slice(&text), request->keys, &keys, err);
    }
    builder_deinit(&text);
    if (status_is_ok(status)) {
        status = check_all(&check, &keys, err);
    }
    release_keys_deinit(&keys);
    fd_closep(&check.folder);
    return status;
}

void release_result_deinit(struct release_result *result) {
    statement_deinit(&result->statement);
}
