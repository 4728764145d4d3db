/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "keys/client.h"
#include "keys/note_keys.h"

static void open_both(struct signer *log, struct signer *pq) {
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, log, &err)));
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_PQ, folder, pq, &err)));
}

static void close_both(struct signer *log, struct signer *pq) {
    signer_close(pq);
    signer_close(log);
}

static void a_second_key_needs_a_first_one(void **state) {
    (void)state;
    struct signer pq;
    assert_false(status_is_ok(signer_open(&SIGNER_SCHEME_PQ, folder, &pq, &err)));
    assert_int_equal(err.code, ERROR_KEYS_FAILED);
    assert_int_equal(faccessat(folder, KEYS_FILE_PQ_SEED, F_OK, 0), -1);
    write_text(KEYS_FILE_VKEY, "no key at all\n");
    assert_false(status_is_ok(signer_open(&SIGNER_SCHEME_PQ, folder, &pq, &err)));
    assert_int_equal(faccessat(folder, KEYS_FILE_PQ_SEED, F_OK, 0), -1);
}

static void only_what_the_first_key_signed_is_signed(void **state) {
    (void)state;
    static struct history ours;
    static struct history forked;
    struct signer log;
    struct signer pq;
    history_build(&ours, LEAVES);
    history_build(&forked, 5);
    open_both(&log, &pq);
    assert_int_equal(ask(&pq, &ours, 0, 3), KEYS_ANSWER_NOT_FIRST); /* nothing is signed yet */
    assert_int_equal(ask(&log, &ours, 0, 3), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&pq, &ours, 0, 4), KEYS_ANSWER_STALE);
    assert_int_equal(ask(&pq, &ours, 0, 2), KEYS_ANSWER_STALE);
    assert_int_equal(signed_size(KEYS_FILE_PQ_CHECKPOINT), 0);
    assert_int_equal(ask(&pq, &ours, 0, 3), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&pq, &ours, 3, 3), KEYS_ANSWER_SIGNED); /* is there already */
    assert_int_equal(ask(&log, &ours, 3, 8), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&pq, &forked, 3, 8), KEYS_ANSWER_REWRITTEN);
    assert_int_equal(signed_size(KEYS_FILE_PQ_CHECKPOINT), 3);
    assert_int_equal(ask(&pq, &ours, 3, 8), KEYS_ANSWER_SIGNED);
    assert_int_equal(signed_size(KEYS_FILE_PQ_CHECKPOINT), 8);
    close_both(&log, &pq);
}

/* Even an Ed25519 key that signs everything leads the second one into no second history. */
static void a_stolen_first_key_makes_no_second_history(void **state) {
    (void)state;
    static struct history ours;
    static struct history forked;
    struct signer log;
    struct signer pq;
    struct builder seed;
    bool found = false;
    history_build(&ours, LEAVES);
    history_build(&forked, 1);
    open_both(&log, &pq);
    builder_init(&seed, 512);
    assert_true(status_is_ok(file_read(folder, KEYS_FILE_SEED, &seed, &found, &err)));
    assert_int_equal(ask(&log, &ours, 0, 6), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&pq, &ours, 0, 6), KEYS_ANSWER_SIGNED);
    signer_close(&log);
    /* Put back to where it has never signed: it begins another history. */
    write_text(KEYS_FILE_SEED, builder_c_string(&seed));
    builder_deinit(&seed);
    assert_int_equal(unlinkat(folder, KEYS_FILE_CHECKPOINT, 0), 0);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &log, &err)));
    assert_int_equal(ask(&log, &forked, 0, 9), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&pq, &forked, 6, 9), KEYS_ANSWER_REWRITTEN);
    assert_int_equal(ask(&pq, &forked, 0, 9), KEYS_ANSWER_STALE);
    assert_int_equal(signed_size(KEYS_FILE_PQ_CHECKPOINT), 6);
    close_both(&log, &pq);
}

/* keys/log.vkey is everybody's to write who can write there; it is believed once. */
static void another_log_is_not_followed(void **state) {
    (void)state;
    static struct history ours;
    struct signer log;
    struct signer pq;
    history_build(&ours, LEAVES);
    open_both(&log, &pq);
    close_both(&log, &pq);
    assert_int_equal(unlinkat(folder, KEYS_FILE_SEED, 0), 0);
    assert_int_equal(unlinkat(folder, KEYS_FILE_VKEY, 0), 0);
    open_both(&log, &pq); /* a new first key with the same origin */
    assert_int_equal(ask(&log, &ours, 0, 4), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&pq, &ours, 0, 4), KEYS_ANSWER_NOT_FIRST);
    close_both(&log, &pq);
    write_text(KEYS_FILE_ORIGIN, "example.com/another\n");
    assert_false(status_is_ok(signer_open(&SIGNER_SCHEME_PQ, folder, &pq, &err)));
    assert_int_equal(err.code, ERROR_KEYS_FAILED);
}

static void a_lost_key_or_checkpoint_ends_signing(void **state) {
    (void)state;
    static struct history ours;
    struct signer log;
    struct signer pq;
    struct builder seed;
    struct stat file;
    bool found = false;
    history_build(&ours, LEAVES);
    open_both(&log, &pq);
    assert_int_equal(ask(&log, &ours, 0, 4), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&pq, &ours, 0, 4), KEYS_ANSWER_SIGNED);
    builder_init(&seed, 512);
    assert_true(status_is_ok(file_read(folder, KEYS_FILE_PQ_SEED, &seed, &found, &err)));
    assert_int_equal(fstatat(folder, KEYS_FILE_PQ_SEED, &file, 0), 0);
    assert_int_equal(file.st_mode & 0777, 0600);
    signer_close(&pq);
    assert_int_equal(unlinkat(folder, KEYS_FILE_PQ_SEED, 0), 0);
    assert_false(status_is_ok(signer_open(&SIGNER_SCHEME_PQ, folder, &pq, &err)));
    assert_int_equal(faccessat(folder, KEYS_FILE_PQ_SEED, F_OK, 0), -1); /* no other is made */
    write_text(KEYS_FILE_PQ_SEED, builder_c_string(&seed));
    builder_deinit(&seed);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_PQ, folder, &pq, &err)));
    assert_int_equal(ask(&pq, &ours, 4, 4), KEYS_ANSWER_SIGNED);
    assert_int_equal(unlinkat(folder, KEYS_FILE_PQ_CHECKPOINT, 0), 0);
    assert_int_equal(ask(&pq, &ours, 0, 4), KEYS_ANSWER_LOST);
    write_text(KEYS_FILE_PQ_CHECKPOINT, "example.com\n1\n");
    assert_int_equal(ask(&pq, &ours, 0, 4), KEYS_ANSWER_DAMAGED);
    close_both(&log, &pq);
}

static void its_notes_carry_both_signatures(void **state) {
    (void)state;
    static struct history ours;
    struct signer log;
    struct signer pq;
    struct builder text;
    struct note note;
    struct note_signers signers = {0};
    struct note_keys keys = {.has_pq = true, .needs_pq = true};
    bool found = false;
    history_build(&ours, LEAVES);
    open_both(&log, &pq);
    keys.log = log.vkey;
    keys.pq = pq.pq_vkey;
    assert_memory_equal(&pq.vkey, &log.vkey, sizeof log.vkey);
    assert_int_equal(ask(&log, &ours, 0, 7), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&pq, &ours, 0, 7), KEYS_ANSWER_SIGNED);
    builder_init(&text, NOTE_BYTES_MAX);
    assert_true(status_is_ok(slots_read(folder, KEYS_FILE_PQ_CHECKPOINT, &text, &found, &err)));
    assert_true(note_parse(builder_slice(&text), &note));
    assert_int_equal(note.signature_count, 2);
    assert_int_equal(note_keys_verify(&note, &keys, &signers), NOTE_KEYS_VALID);
    assert_true(signers.has_pq);
    builder_deinit(&text);
    close_both(&log, &pq);
}

static void the_process_makes_its_key_when_the_log_has_one(void **state) {
    (void)state;
    static struct history ours;
    char program[4096];
    struct keys_client *client;
    struct signer log;
    struct merkle_proof proof = {.count = 0};
    enum keys_sign_result result;
    history_build(&ours, LEAVES);
    (void)snprintf(program, sizeof program, "%s/src/airlock-keys-pq", getenv("AIRLOCK_BUILD_DIR"));
    assert_true(
        status_is_ok(keys_client_start_program(KEYS_SIGNER_PQ, program, folder, &client, &err)));
    assert_false(
        status_is_ok(keys_client_sign(client, 0, 4, &ours.roots[4], &proof, &result, &err)));
    assert_int_equal(err.code, ERROR_KEYS_FAILED);
    assert_non_null(strstr(err.message, "airlock-keys-pq cannot use keys/log_pq.key"));
    assert_non_null(strstr(err.hint, "pq_signatures"));
    /* The same process goes on when the first key is there and has signed. */
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &log, &err)));
    assert_int_equal(ask(&log, &ours, 0, 4), KEYS_ANSWER_SIGNED);
    signer_close(&log);
    assert_true(
        status_is_ok(keys_client_sign(client, 0, 4, &ours.roots[4], &proof, &result, &err)));
    assert_int_equal(result, KEYS_SIGNED);
    assert_int_equal(signed_size(KEYS_FILE_PQ_CHECKPOINT), 4);
    keys_client_stop(client);
    assert_int_equal(waitpid(-1, nullptr, WNOHANG), -1); /* no child is left */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_key_needs_a_first_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_what_the_first_key_signed_is_signed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stolen_first_key_makes_no_second_history, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_log_is_not_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_key_or_checkpoint_ends_signing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(its_notes_carry_both_signatures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_process_makes_its_key_when_the_log_has_one, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("server_pq", tests, nullptr, nullptr);
}
