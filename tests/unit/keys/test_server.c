/* SPDX-License-Identifier: Apache-2.0 */
#include "keys/server.h"

#include "history.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "keys/client.h"
#include "sys/socket.h"

static void one_history_is_signed_and_no_other(void **state) {
    (void)state;
    static struct history ours;
    static struct history forked;
    struct signer signer;
    history_build(&ours, LEAVES);
    history_build(&forked, 5);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    assert_int_equal(ask(&signer, &ours, 0, 3), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&signer, &ours, 3, 8), KEYS_ANSWER_SIGNED);
    assert_int_equal(ask(&signer, &ours, 8, 8), KEYS_ANSWER_SIGNED); /* is there already */
    assert_int_equal(signed_size(KEYS_FILE_CHECKPOINT), 8);
    assert_int_equal(ask(&signer, &forked, 8, 8), KEYS_ANSWER_REWRITTEN);
    assert_int_equal(ask(&signer, &forked, 8, 12), KEYS_ANSWER_REWRITTEN);
    assert_int_equal(ask(&signer, &forked, 0, 12), KEYS_ANSWER_STALE);
    assert_int_equal(ask(&signer, &ours, 3, 9), KEYS_ANSWER_STALE); /* overtaken */
    assert_int_equal(ask(&signer, &ours, 3, 7), KEYS_ANSWER_STALE); /* smaller */
    assert_int_equal(signed_size(KEYS_FILE_CHECKPOINT), 8);
    signer_close(&signer);
    /* A new process with the same folder is bound by the same checkpoint. */
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    assert_int_equal(ask(&signer, &forked, 8, 12), KEYS_ANSWER_REWRITTEN);
    assert_int_equal(ask(&signer, &ours, 8, 16), KEYS_ANSWER_SIGNED);
    signer_close(&signer);
}

static void key_and_origin_stay_the_same(void **state) {
    (void)state;
    struct signer first;
    struct signer second;
    struct stat seed;
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &first, &err)));
    assert_int_equal(fstatat(folder, KEYS_FILE_SEED, &seed, 0), 0);
    assert_int_equal(seed.st_mode & 0777, 0600);
    /* A vkey that got lost is the key's own again. */
    assert_int_equal(unlinkat(folder, KEYS_FILE_VKEY, 0), 0);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &second, &err)));
    assert_memory_equal(&first.vkey, &second.vkey, sizeof first.vkey);
    assert_int_equal(faccessat(folder, KEYS_FILE_VKEY, F_OK, 0), 0);
    signer_close(&first);
    signer_close(&second);
}

static void a_damaged_folder_is_refused(void **state) {
    (void)state;
    static struct history ours;
    struct signer signer;
    history_build(&ours, LEAVES);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    assert_int_equal(ask(&signer, &ours, 0, 3), KEYS_ANSWER_SIGNED);
    /* Somebody who holds no key writes a checkpoint that would let a smaller log be signed. */
    write_text(KEYS_FILE_CHECKPOINT, "example.com\n1\n");
    assert_int_equal(ask(&signer, &ours, 0, 4), KEYS_ANSWER_DAMAGED);
    signer_close(&signer);
    /* The key of a signed log is gone: no other key takes its place. */
    assert_int_equal(unlinkat(folder, KEYS_FILE_SEED, 0), 0);
    assert_false(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    assert_int_equal(faccessat(folder, KEYS_FILE_SEED, F_OK, 0), -1);
    write_text(KEYS_FILE_SEED, "airlock log key, Ed25519 seed\n00ff\n");
    assert_false(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
}

/* Without its last checkpoint a key that was used would sign any tree. */
static void a_lost_checkpoint_ends_signing(void **state) {
    (void)state;
    static struct history ours;
    static struct history forked;
    struct signer signer;
    struct signer beside;
    history_build(&ours, LEAVES);
    history_build(&forked, 1);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    assert_true(status_is_ok(
        signer_open(&SIGNER_SCHEME_LOG, folder, &beside, &err))); /* before the first signature */
    assert_int_equal(ask(&signer, &ours, 0, 3), KEYS_ANSWER_SIGNED);
    assert_int_equal(unlinkat(folder, KEYS_FILE_CHECKPOINT, 0), 0);
    assert_int_equal(ask(&signer, &forked, 0, 4), KEYS_ANSWER_LOST);
    assert_int_equal(ask(&beside, &forked, 0, 4), KEYS_ANSWER_LOST);
    signer_close(&beside);
    signer_close(&signer);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    assert_int_equal(ask(&signer, &forked, 0, 4), KEYS_ANSWER_LOST);
    assert_int_equal(ask(&signer, &ours, 0, 4), KEYS_ANSWER_LOST);
    signer_close(&signer);
    assert_int_equal(signed_size(KEYS_FILE_CHECKPOINT), 0);
}

/* A crash between key and first checkpoint, and between first checkpoint and mark. */
static void a_key_that_never_answered_goes_on(void **state) {
    (void)state;
    static struct history ours;
    struct signer signer;
    struct builder seed;
    bool found = false;
    history_build(&ours, LEAVES);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    signer_close(&signer);
    builder_init(&seed, 256);
    assert_true(status_is_ok(file_read(folder, KEYS_FILE_SEED, &seed, &found, &err)));
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    assert_int_equal(ask(&signer, &ours, 0, 3), KEYS_ANSWER_SIGNED);
    signer_close(&signer);
    write_text(KEYS_FILE_SEED, builder_c_string(&seed)); /* as before the mark */
    builder_deinit(&seed);
    assert_true(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
    assert_int_equal(ask(&signer, &ours, 3, 5), KEYS_ANSWER_SIGNED);
    assert_int_equal(unlinkat(folder, KEYS_FILE_CHECKPOINT, 0), 0);
    assert_int_equal(ask(&signer, &ours, 0, 5), KEYS_ANSWER_LOST);
    signer_close(&signer);
    write_text(KEYS_FILE_SEED, "airlock log key, Ed25519 seed\n"
                               "0000000000000000000000000000000000000000000000000000000000000000\n"
                               "signet\n");
    assert_false(status_is_ok(signer_open(&SIGNER_SCHEME_LOG, folder, &signer, &err)));
}

static void a_malformed_request_is_no_request(void **state) {
    (void)state;
    struct keys_request request = {.size = 1};
    struct keys_request back;
    uint8_t bytes[KEYS_REQUEST_BYTES];
    keys_request_encode(&request, bytes);
    assert_true(keys_request_decode(slice_of(bytes, sizeof bytes), &back));
    assert_false(keys_request_decode(slice_of(bytes, sizeof bytes - 1), &back));
    bytes[0] ^= 1;
    assert_false(keys_request_decode(slice_of(bytes, sizeof bytes), &back));
    request = (struct keys_request){.size = 1, .proof.count = LIMIT_PROOF_HASHES + 1};
    keys_request_encode(&request, bytes);
    assert_false(keys_request_decode(slice_of(bytes, sizeof bytes), &back));
    request = (struct keys_request){.size = 1, .old_size = 2};
    keys_request_encode(&request, bytes);
    assert_false(keys_request_decode(slice_of(bytes, sizeof bytes), &back));
}

static void the_process_signs_and_ends_with_its_client(void **state) {
    (void)state;
    static struct history ours;
    static struct history forked;
    char program[4096];
    struct keys_client *client;
    struct merkle_proof proof = {.count = 0};
    enum keys_sign_result result;
    history_build(&ours, LEAVES);
    history_build(&forked, 1);
    (void)snprintf(program, sizeof program, "%s/src/airlock-keys", getenv("AIRLOCK_BUILD_DIR"));
    assert_true(
        status_is_ok(keys_client_start_program(KEYS_SIGNER_LOG, program, folder, &client, &err)));
    assert_true(
        status_is_ok(keys_client_sign(client, 0, 4, &ours.roots[4], &proof, &result, &err)));
    assert_int_equal(result, KEYS_SIGNED);
    assert_int_equal(signed_size(KEYS_FILE_CHECKPOINT), 4);
    assert_false(
        status_is_ok(keys_client_sign(client, 4, 4, &forked.roots[4], &proof, &result, &err)));
    assert_int_equal(err.code, ERROR_KEYS_FAILED);
    assert_non_null(strstr(err.message, "rewritten"));
    assert_true(status_is_ok(keys_client_sign(client, 0, 4, &ours.roots[5], &proof, &result,
                                              &err)) == false);
    keys_client_stop(client);
    assert_int_equal(waitpid(-1, nullptr, WNOHANG), -1); /* no child is left */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_history_is_signed_and_no_other, set_up, tear_down),
        cmocka_unit_test_setup_teardown(key_and_origin_stay_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_folder_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_lost_checkpoint_ends_signing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_key_that_never_answered_goes_on, set_up, tear_down),
        cmocka_unit_test(a_malformed_request_is_no_request),
        cmocka_unit_test_setup_teardown(the_process_signs_and_ends_with_its_client, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests_name("keys", tests, nullptr, nullptr);
}
