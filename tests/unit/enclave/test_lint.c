/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enclave/lint.h"

static struct lint_report report;
static char folder_name[64];
static int folder = -1;

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder_name, sizeof folder_name, "/tmp/lint.XXXXXX");
    assert_non_null(mkdtemp(folder_name));
    folder = open(folder_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(folder, "lib", 0700), 0);
    int fd = openat(folder, "proxy", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    (void)unlinkat(folder, "lib", AT_REMOVEDIR);
    (void)unlinkat(folder, "proxy", 0);
    (void)close(folder);
    return rmdir(folder_name);
}

#define HASH "\"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\""
/* Nothing is wrong with it; one key a line, so that rows can take out or add one. */
#define GOOD                                                        \
    "libos.entrypoint = \"/proxy\"\n"                               \
    "loader.log_level = \"error\"\n"                                \
    "loader.argv = [\"proxy\"]\n"                                   \
    "fs.root = { type = \"tmpfs\" }\n"                              \
    "fs.mounts = [ { path = \"/proxy\", uri = \"file:proxy\" } ]\n" \
    "sys.fds.limit = 65536\n"                                       \
    "sys.disallow_subprocesses = true\n"                            \
    "sgx.max_threads = 16\n"                                        \
    "sgx.enclave_size = \"512M\"\n"                                 \
    "sgx.remote_attestation = \"dcap\"\n"                           \
    "sgx.trusted_files = [ { uri = \"file:proxy\", sha256 = " HASH " } ]\n"
enum { GOOD_LINES = 11 };

static void lint(const char *text) {
    lint_manifest(slice_of_string(text), folder, &report);
}

static void show(const char *text) {
    print_message("%s\n", text);
    for (uint32_t i = 0; i < report.count; i++) {
        print_message("  %u: %s: %s\n", report.findings[i].line,
                      lint_rule_slug(report.findings[i].rule), report.findings[i].message);
    }
}

static void a_good_manifest_has_no_findings(void **state) {
    (void)state;
    lint(GOOD);
    if (report.count != 0) {
        show(GOOD);
    }
    assert_int_equal(report.count, 0);
}

/* One line more, one finding, on that line. */
static void each_line_is_found(void **state) {
    (void)state;
    static const struct {
        const char *line;
        enum lint_rule rule;
    } ROWS[] = {
        {"sgx.thread_num = 4", LINT_REMOVED_KEY},
        {"sgx.nonpie_binary = true", LINT_REMOVED_KEY},
        {"sgx.ra_client_spid = \"\"", LINT_REMOVED_KEY},
        {"sgx.ra_client_linkable = false", LINT_REMOVED_KEY},
        {"sgx.require_avx = true", LINT_REMOVED_KEY},
        {"sgx.protected_files = [\"file:x\"]", LINT_REMOVED_KEY},
        {"loader.entrypoint = \"file:libsysdb.so\"", LINT_REMOVED_KEY},
        {"loader.preload = \"file:libsysdb.so\"", LINT_REMOVED_KEY},
        {"fs.mount.lib.type = \"chroot\"", LINT_REMOVED_KEY},
        {"loader.pal_internal_mem_size = \"64M\"", LINT_REMOVED_KEY},
        {"sgx.max_thread = 4", LINT_UNKNOWN_KEY},
        {"SGX.debug = true", LINT_UNKNOWN_KEY},
        {"sgx.cpu_features.avx2 = \"required\"", LINT_UNKNOWN_KEY},
        {"sys.insecure_allow_eventfd = true", LINT_UNKNOWN_KEY},
        {"unknown = 1", LINT_UNKNOWN_KEY},
        {"sgx.debug = \"true\"", LINT_WRONG_KIND},
        {"sgx.isvsvn = \"1\"", LINT_WRONG_KIND},
        {"sgx.seal_key = 1", LINT_WRONG_KIND},
        {"fs.start_dir = [\"/\"]", LINT_WRONG_KIND},
        {"sgx.cpu_features.avx = \"on\"", LINT_WRONG_VALUE},
        {"sgx.cpu_features.mpx = \"unspecified\"", LINT_WRONG_VALUE},
        {"loader.env.A = { passthrough = false }", LINT_WRONG_VALUE},
        {"loader.env.A = { value = \"1\", passthrough = true }", LINT_WRONG_VALUE},
        {"loader.env.A = { passthrough = true }", LINT_ENVIRONMENT},
        {"loader.env.LD_PRELOAD = { passthrough = true }", LINT_LOADER_ENVIRONMENT},
        {"sgx.debug = true", LINT_DEBUG},
        {"sgx.enable_stats = true", LINT_DEBUG},
        {"sgx.vtune_profile = true", LINT_DEBUG},
        {"sgx.profile.enable = \"all\"", LINT_DEBUG},
        {"sys.debug__mock_syscalls = [ { name = \"sched_yield\" } ]", LINT_DEBUG},
        {"loader.insecure__use_cmdline_argv = true", LINT_INSECURE},
        {"loader.insecure__use_host_env = true", LINT_INSECURE},
        {"loader.insecure__disable_aslr = true", LINT_INSECURE},
        {"sys.insecure__allow_eventfd = true", LINT_INSECURE},
        {"sgx.insecure__rpc_thread_num = 2", LINT_INSECURE},
        {"fs.insecure__keys.default = \"00112233445566778899aabbccddeeff\"", LINT_INSECURE},
        {"loader.log_file = \"log\"", LINT_LOG_FILE},
        {"loader.argv_src_file = \"file:argv\"", LINT_ARGV},
        {"sgx.file_check_policy = \"allow_all_but_log\"", LINT_FILE_POLICY},
        {"sgx.allowed_files = [\"file:x\"]", LINT_ALLOWED_FILE},
        {"sgx.allowed_files = [\"file:x/\"]", LINT_ALLOWED_FOLDER},
        {"sgx.allowed_files = [\"file:lib\"]", LINT_ALLOWED_FOLDER},
        {"sgx.allowed_files = [\"file:\"]", LINT_URI},
        {"sgx.allowed_files = [\"/etc/passwd\"]", LINT_URI},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[4096];
        (void)snprintf(text, sizeof text, GOOD "%s\n", ROWS[i].line);
        lint(text);
        if (report.count != 1 || report.findings[0].rule != ROWS[i].rule ||
            report.findings[0].line != GOOD_LINES + 1) {
            show(ROWS[i].line);
        }
        assert_int_equal(report.count, 1);
        assert_int_equal(report.findings[0].rule, ROWS[i].rule);
        assert_int_equal(report.findings[0].line, GOOD_LINES + 1);
        assert_true(strlen(lint_advice(&report.findings[0])) > 0);
    }
}

/* One word of the good manifest changed. */
static void each_change_is_found(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
        enum lint_rule rule;
        uint32_t line;
    } ROWS[] = {
        {"\"error\"", "\"info\"", LINT_WRONG_VALUE, 2}, /* what old manifests say */
        {"\"error\"", "\"debug\"", LINT_LOG_LEVEL, 2},
        {"loader.argv = [\"proxy\"]", "", LINT_ARGV, 0},
        {"[\"proxy\"]", "[]", LINT_ARGV, 3},
        {"fs.root = { type = \"tmpfs\" }", "", LINT_ROOT_MOUNT, 0},
        {"65536", "900", LINT_FD_LIMIT, 6},
        {"sys.fds.limit = 65536", "", LINT_FD_LIMIT, 0},
        {"sys.disallow_subprocesses = true", "", LINT_SUBPROCESSES, 0},
        {"sgx.max_threads = 16", "", LINT_THREADS, 0},
        {"max_threads = 16", "max_threads = 4", LINT_THREADS, 8},
        {"\"512M\"", "\"500M\"", LINT_ENCLAVE_SIZE, 9},
        {"\"512M\"", "\"512MB\"", LINT_ENCLAVE_SIZE, 9},
        {"\"512M\"", "\"\"", LINT_ENCLAVE_SIZE, 9},
        {"\"512M\"", "\"0\"", LINT_ENCLAVE_SIZE, 9},
        {"\"512M\"", "\"99999999999999999999G\"", LINT_ENCLAVE_SIZE, 9},
        {"\"dcap\"", "\"none\"", LINT_NO_QUOTES, 10},
        {"\"dcap\"", "true", LINT_REMOVED_KEY, 10},
        {"0123456789abcdef\"", "\"", LINT_HASH, 11},
        {", sha256 = " HASH, "", LINT_NO_HASH, 11},
        {"libos.entrypoint = \"/proxy\"", "", LINT_MISSING_KEY, 0},
        {"entrypoint = \"/proxy\"", "entrypoint = \"proxy\"", LINT_ENTRYPOINT, 1},
        {"entrypoint = \"/proxy\"", "entrypoint = \"/proxy2\"", LINT_ENTRYPOINT, 1},
        {" } ]\nsys", " }, { path = \"/l\", uri = \"file:lib\" } ]\nsys", LINT_UNTRUSTED_MOUNT, 5},
        {" } ]\nsys",
         " }, { path = \"/d/l\", type = \"tmpfs\" }, { path = \"/d\", type = \"tmpfs\" } ]\nsys",
         LINT_HIDDEN_MOUNT, 5},
        {" } ]\nsys", " }, { path = \"l\", type = \"tmpfs\" } ]\nsys", LINT_MOUNT_PATH, 5},
        {" } ]\nsys", " }, { path = \"/a/../b\", type = \"tmpfs\" } ]\nsys", LINT_MOUNT_PATH, 5},
        {" } ]\nsys", " }, { path = \"/l\", type = \"untrusted_shm\" } ]\nsys", LINT_SHARED_MEMORY,
         5},
        {" } ]\nsys", " }, { path = \"/l\", type = \"encrypted\", uri = \"file:e\" } ]\nsys",
         LINT_MOUNT_KEY, 5},
        {" } ]\n", " }, { uri = \"file:lib\", sha256 = " HASH " } ]\n", LINT_FOLDER_SLASH, 11},
        {" } ]\n", " }, { uri = \"file:x\", sha256 = " HASH " } ]\n", LINT_NO_FILE, 11},
        {" } ]\n", " }, { uri = \"proxy\", sha256 = " HASH " } ]\n", LINT_URI, 11},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[4096];
        const char *good = GOOD;
        const char *at = strstr(good, ROWS[i].from);
        for (const char *next = at; next != nullptr && ROWS[i].line == 11;) { /* the last one */
            at = next;
            next = strstr(at + 1, ROWS[i].from);
        }
        assert_non_null(at);
        (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, ROWS[i].to,
                       at + strlen(ROWS[i].from));
        lint(text);
        if (report.count != 1 || report.findings[0].rule != ROWS[i].rule ||
            report.findings[0].line != ROWS[i].line) {
            show(text);
        }
        assert_int_equal(report.count, 1);
        assert_int_equal(report.findings[0].rule, ROWS[i].rule);
        assert_int_equal(report.findings[0].line, ROWS[i].line);
    }
}

static void an_untrusted_program_is_found(void **state) {
    (void)state;
    lint("libos.entrypoint = \"/proxy\"\n"
         "fs.mounts = [ { path = \"/proxy\", uri = \"file:proxy\" } ]\n");
    bool is_found = false;
    for (uint32_t i = 0; i < report.count; i++) {
        is_found = is_found ||
                   (report.findings[i].rule == LINT_ENTRYPOINT && report.findings[i].line == 1);
    }
    assert_true(is_found);
}

static void a_key_among_the_trusted_is_found(void **state) {
    (void)state;
    int fd = openat(folder, "server.key", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    char text[4096];
    (void)snprintf(text, sizeof text, "%.*s, { uri = \"file:server.key\", sha256 = " HASH " } ]\n",
                   (int)(strlen(GOOD) - 3), GOOD);
    lint(text);
    (void)unlinkat(folder, "server.key", 0);
    assert_int_equal(report.count, 1);
    assert_int_equal(report.findings[0].rule, LINT_TRUSTED_KEY);
}

static void no_toml_is_one_finding(void **state) {
    (void)state;
    lint(GOOD "sgx.debug = \n");
    assert_int_equal(report.count, 1);
    assert_int_equal(report.findings[0].rule, LINT_SYNTAX);
    assert_int_equal(report.findings[0].line, GOOD_LINES + 1);
}

static void findings_have_an_end(void **state) {
    (void)state;
    static char text[64 * 1024];
    size_t size = 0;
    for (unsigned i = 0; i < LINT_FINDINGS_MAX + 10; i++) {
        size += (size_t)snprintf(text + size, sizeof text - size, "unknown%u = 1\n", i);
    }
    lint(text);
    assert_int_equal(report.count, LINT_FINDINGS_MAX);
    assert_true(report.is_cut);
}

int main(void) {
#define ROW(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_good_manifest_has_no_findings),
        ROW(each_line_is_found),
        ROW(each_change_is_found),
        ROW(an_untrusted_program_is_found),
        ROW(a_key_among_the_trusted_is_found),
        ROW(no_toml_is_one_finding),
        ROW(findings_have_an_end),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
