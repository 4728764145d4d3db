/* SPDX-License-Identifier: Apache-2.0 */
#include "store/database.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "sys/file.h"

enum { INDEX_BYTES = 32768 };
enum { COUNT, ADD };

static const char *const SQL[] = {
    [COUNT] = "SELECT count(*) FROM t",
    [ADD] = "INSERT INTO t VALUES (1)",
};
static char folder[64];
static char path[96];
static char index_path[96];
static struct error err;

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/airlock-test-database-XXXXXX");
    if (mkdtemp(folder) == nullptr) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/a.db", folder);
    (void)snprintf(index_path, sizeof index_path, "%s/a.db-shm", folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    return status_is_ok(file_remove_tree(AT_FDCWD, folder, &err)) ? 0 : -1;
}

static void open_it(struct database *ret_database) {
    const struct database_options options = {.path = path,
                                             .name = "a.db",
                                             .sql = SQL,
                                             .schema = "CREATE TABLE IF NOT EXISTS t (n INTEGER)",
                                             .create = true};
    assert_true(status_is_ok(database_open(&options, ret_database, &err)));
}

static int count(struct database *database) {
    sqlite3_stmt *statement;
    assert_true(status_is_ok(database_statement(database, COUNT, &statement, &err)));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int rows = sqlite3_column_int(statement, 0);
    assert_int_equal(sqlite3_reset(statement), SQLITE_OK);
    return rows;
}

/* Opens, adds a row, closes; the log and its index stay. */
static int add_one(void) {
    struct database database;
    open_it(&database);
    assert_true(status_is_ok(database_run(&database, ADD, &err)));
    int rows = count(&database);
    database_close(&database);
    return rows;
}

static void read_index(uint8_t ret_bytes[static INDEX_BYTES]) {
    int fd = open(index_path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_size, INDEX_BYTES);
    assert_int_equal(read(fd, ret_bytes, INDEX_BYTES), INDEX_BYTES);
    (void)close(fd);
}

static void write_index(const uint8_t bytes[static INDEX_BYTES]) {
    int fd = open(index_path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, INDEX_BYTES), INDEX_BYTES);
    (void)close(fd);
}

static void an_old_index_is_not_believed(void **state) {
    (void)state;
    static uint8_t old[INDEX_BYTES];
    assert_int_equal(add_one(), 1);
    read_index(old);
    assert_int_equal(add_one(), 2);
    write_index(old);
    assert_int_equal(add_one(), 3);
}

static void nor_is_one_of_garbage(void **state) {
    (void)state;
    static uint8_t garbage[INDEX_BYTES];
    assert_int_equal(add_one(), 1);
    memset(garbage, 0xa5, sizeof garbage);
    write_index(garbage);
    assert_int_equal(add_one(), 2);
}

static void one_of_an_unknown_size_is_cut(void **state) {
    (void)state;
    static uint8_t garbage[INDEX_BYTES];
    assert_int_equal(add_one(), 1);
    memset(garbage, 0xa5, sizeof garbage);
    write_index(garbage);
    assert_int_equal(truncate(index_path, INDEX_BYTES / 2), 0);
    assert_int_equal(add_one(), 2);
    read_index(garbage);
}

/* Who opens it as the second finds the index as the first one left it. */
static void an_index_in_use_is_left_alone(void **state) {
    (void)state;
    struct database first;
    struct database second;
    assert_int_equal(add_one(), 1);
    open_it(&first);
    assert_true(status_is_ok(database_run(&first, ADD, &err)));
    open_it(&second);
    assert_int_equal(count(&second), 2);
    assert_true(status_is_ok(database_run(&second, ADD, &err)));
    assert_int_equal(count(&first), 3);
    database_close(&first);
    database_close(&second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_old_index_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nor_is_one_of_garbage, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_of_an_unknown_size_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_index_in_use_is_left_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
