/* SPDX-License-Identifier: Apache-2.0
 *
 * What a manifest does to the enclave, whatever its files are.
 */
#include <string.h>

#include "base/bits.h"
#include "enclave/lint_internal.h"
#include "enclave/manifest.h"

enum { FD_LIMIT_LEAST = 4096, THREADS_LEAST = 4 };

/* The keys whose names say it: fs.insecure__keys, sgx.insecure__..., sys.debug__... */
static void check_names(struct lint *lint, const struct toml_value *table) {
    for (const struct toml_value *at = table->first; at != nullptr; at = at->next) {
        bool is_off = at->kind == TOML_BOOL && at->integer == 0;
        bool is_none = at->kind == TOML_INTEGER && at->integer == 0;
        if (at->key == nullptr || is_off || is_none) {
            continue;
        }
        if (strncmp(at->key, "insecure__", 10) == 0) {
            lint_add(lint, LINT_INSECURE, at, "%s is set", at->key);
        } else if (strncmp(at->key, "debug__", 7) == 0) {
            lint_add(lint, LINT_DEBUG, at, "%s is set", at->key);
        }
    }
}

static void check_debug(struct lint *lint) {
    static const char *const SECTIONS[] = {"fs", "libos", "loader", "sgx", "sys"};
    static const char *const SWITCHES[] = {"sgx.debug", "sgx.enable_stats", "sgx.vtune_profile"};
    for (size_t i = 0; i < sizeof SECTIONS / sizeof SECTIONS[0]; i++) {
        const struct toml_value *section = toml_get(lint->root, SECTIONS[i]);
        if (section != nullptr) {
            check_names(lint, section);
        }
    }
    for (size_t i = 0; i < sizeof SWITCHES / sizeof SWITCHES[0]; i++) {
        if (toml_find_true(lint->root, SWITCHES[i])) {
            lint_add(lint, LINT_DEBUG, toml_find(lint->root, SWITCHES[i]), "%s is true",
                     SWITCHES[i]);
        }
    }
    const char *profile = toml_find_text(lint->root, "sgx.profile.enable");
    if (profile != nullptr && strcmp(profile, "none") != 0) {
        lint_add(lint, LINT_DEBUG, toml_find(lint->root, "sgx.profile.enable"),
                 "sgx.profile.enable is \"%s\"", profile);
    }
}

static void check_log(struct lint *lint) {
    static const char *const TALKATIVE[] = {"warning", "debug", "trace", "all"};
    const struct toml_value *level = toml_find(lint->root, "loader.log_level");
    const struct toml_value *file = toml_find(lint->root, "loader.log_file");
    for (size_t i = 0; i < sizeof TALKATIVE / sizeof TALKATIVE[0]; i++) {
        if (level != nullptr && level->kind == TOML_TEXT &&
            strcmp(level->text, TALKATIVE[i]) == 0) {
            lint_add(lint, LINT_LOG_LEVEL, level, "loader.log_level is \"%s\"", level->text);
        }
    }
    if (file != nullptr) {
        lint_add(lint, LINT_LOG_FILE, file, "loader.log_file is set");
    }
}

static void check_argv(struct lint *lint) {
    const struct toml_value *argv = toml_find(lint->root, "loader.argv");
    const struct toml_value *file = toml_find(lint->root, "loader.argv_src_file");
    if (argv == nullptr && file == nullptr) {
        lint_add(lint, LINT_ARGV, nullptr, "there is no loader.argv");
    } else if (argv != nullptr && file != nullptr) {
        lint_add(lint, LINT_ARGV, file, "loader.argv_src_file stands beside loader.argv");
        lint_advise(lint, "Say one of them; Gramine takes no two.");
    } else if (argv != nullptr && argv->count == 0) {
        lint_add(lint, LINT_ARGV, argv, "loader.argv is empty");
    }
}

static void check_variable(struct lint *lint, const struct toml_value *variable) {
    const struct toml_value *passthrough = toml_get(variable, "passthrough");
    if (passthrough == nullptr || passthrough->kind != TOML_BOOL) {
        return;
    }
    if (passthrough->integer == 0) {
        lint_add(lint, LINT_WRONG_VALUE, variable, "loader.env.%s has passthrough = false",
                 variable->key);
        lint_advise(lint, "Leave it out: nothing of the host's environment comes in by itself.");
    } else if (toml_get(variable, "value") != nullptr) {
        lint_add(lint, LINT_WRONG_VALUE, variable, "loader.env.%s has a value and passthrough",
                 variable->key);
        lint_advise(lint, "Say one of them; Gramine takes no two.");
    } else {
        bool is_loader = strncmp(variable->key, "LD_", 3) == 0;
        lint_add(lint, is_loader ? LINT_LOADER_ENVIRONMENT : LINT_ENVIRONMENT, variable,
                 "loader.env.%s is the host's", variable->key);
    }
}

static void check_environment(struct lint *lint) {
    const struct toml_value *environment = toml_find(lint->root, "loader.env");
    if (environment == nullptr || environment->kind != TOML_TABLE) {
        return;
    }
    for (const struct toml_value *at = environment->first; at != nullptr; at = at->next) {
        check_variable(lint, at);
    }
}

static bool integer_of(struct lint *lint, const char *path, int64_t *ret) {
    const struct toml_value *value = toml_find(lint->root, path);
    if (value == nullptr || value->kind != TOML_INTEGER) {
        return false;
    }
    *ret = value->integer;
    return true;
}

static void check_limits(struct lint *lint) {
    int64_t fds = 900; /* Gramine's default */
    int64_t threads = 4;
    bool has_fds = integer_of(lint, "sys.fds.limit", &fds);
    bool has_threads = integer_of(lint, "sgx.max_threads", &threads);
    if (fds < FD_LIMIT_LEAST) {
        lint_add(lint, LINT_FD_LIMIT, toml_find(lint->root, "sys.fds.limit"),
                 "%s: %lld descriptors", has_fds ? "sys.fds.limit" : "there is no sys.fds.limit",
                 (long long)fds);
    }
    if (!has_threads || threads <= THREADS_LEAST) {
        lint_add(lint, LINT_THREADS, toml_find(lint->root, "sgx.max_threads"), "%s: %lld threads",
                 has_threads ? "sgx.max_threads" : "there is no sgx.max_threads",
                 (long long)threads);
    }
}

static void check_size(struct lint *lint) {
    const struct toml_value *value = toml_find(lint->root, "sgx.enclave_size");
    uint64_t bytes = 0;
    if (value != nullptr && value->kind == TOML_TEXT &&
        (!manifest_size(value->text, &bytes) || !bits_has_one(bytes))) {
        lint_add(lint, LINT_ENCLAVE_SIZE, value, "sgx.enclave_size is \"%s\"", value->text);
    }
}

static void check_switches(struct lint *lint) {
    const struct toml_value *policy = toml_find(lint->root, "sgx.file_check_policy");
    const struct toml_value *quotes = toml_find(lint->root, "sgx.remote_attestation");
    if (policy != nullptr && policy->kind == TOML_TEXT &&
        strcmp(policy->text, "allow_all_but_log") == 0) {
        lint_add(lint, LINT_FILE_POLICY, policy, "sgx.file_check_policy is \"%s\"", policy->text);
    }
    if (!toml_find_true(lint->root, "sys.disallow_subprocesses")) {
        lint_add(lint, LINT_SUBPROCESSES, toml_find(lint->root, "sys.disallow_subprocesses"),
                 "sys.disallow_subprocesses is not true");
    }
    if (quotes == nullptr || (quotes->kind == TOML_TEXT && strcmp(quotes->text, "none") == 0)) {
        lint_add(lint, LINT_NO_QUOTES, quotes, "sgx.remote_attestation is none");
    }
    if (toml_find_true(lint->root, "sgx.preheat_enclave") &&
        toml_find_true(lint->root, "sgx.edmm_enable")) {
        lint_add(lint, LINT_PREHEAT, toml_find(lint->root, "sgx.preheat_enclave"),
                 "sgx.preheat_enclave stands beside sgx.edmm_enable");
    }
}

void lint_rules(struct lint *lint) {
    check_debug(lint);
    check_log(lint);
    check_argv(lint);
    check_environment(lint);
    check_limits(lint);
    check_size(lint);
    check_switches(lint);
}
