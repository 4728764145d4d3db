/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "codec/text.h"
#include "sandbox/plan.h"

static const char *const allowed[] = {"PATH",      "HOME", "USER", "LOGNAME",  "SHELL", "TERM",
                                      "COLORTERM", "LANG", "TZ",   "NO_COLOR", "CI",    nullptr};
static const char default_path[] =
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/* Where the egress proxy is: PLAN_LISTENER_PORT. Node looks at these since 24, and only when told.
 */
static const char *const proxy[] = {
    "HTTP_PROXY=http://127.0.0.1:3128",
    "HTTPS_PROXY=http://127.0.0.1:3128",
    "ALL_PROXY=socks5h://127.0.0.1:3128",
    "NO_PROXY=localhost,127.0.0.1,::1",
    "http_proxy=http://127.0.0.1:3128",
    "https_proxy=http://127.0.0.1:3128",
    "all_proxy=socks5h://127.0.0.1:3128",
    "no_proxy=localhost,127.0.0.1,::1",
    "NODE_USE_ENV_PROXY=1",
};
static const char *const trust[] = {
    "SSL_CERT_FILE=" PLAN_TRUST_PATH,  "NODE_EXTRA_CA_CERTS=" PLAN_TRUST_PATH,
    "CURL_CA_BUNDLE=" PLAN_TRUST_PATH, "REQUESTS_CA_BUNDLE=" PLAN_TRUST_PATH,
    "PIP_CERT=" PLAN_TRUST_PATH,       "GIT_SSL_CAINFO=" PLAN_TRUST_PATH,
};
static_assert(PLAN_LISTENER_PORT == 3128);
/* What tells of this system's files, which an image does not have. */
static const char *const of_host[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", nullptr};

static size_t name_length(const char *entry) {
    return strcspn(entry, "=");
}

static bool name_is_one_of(const char *entry, const char *const *names) {
    size_t length = name_length(entry);
    for (size_t i = 0; names[i] != nullptr; i++) {
        if (strlen(names[i]) == length && memcmp(entry, names[i], length) == 0) {
            return true;
        }
    }
    return false;
}

static bool name_is_allowed(const struct environment_options *options, const char *entry) {
    if (options->image && name_is_one_of(entry, of_host)) {
        return false;
    }
    return (name_length(entry) > 3 && memcmp(entry, "LC_", 3) == 0) ||
           name_is_one_of(entry, allowed);
}

static bool name_is_valid(const char *entry) {
    size_t length = name_length(entry);
    for (size_t i = 0; i < length; i++) {
        char c = entry[i];
        bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return length > 0;
}

static size_t entry_find(const struct environment *environment, const char *name, size_t length) {
    for (size_t i = 0; i < environment->count; i++) {
        const char *entry = environment->entries[i];
        if (strncmp(entry, name, length) == 0 && entry[length] == '=') {
            return i;
        }
    }
    return environment->count;
}

/* Adds or replaces; `entry` is copied. */
static void entry_set(struct environment *environment, const char *entry) {
    char *copy = strdup(entry);
    size_t index = entry_find(environment, entry, name_length(entry));
    if (index == environment->count) {
        environment->entries =
            reallocarray(environment->entries, environment->count + 2, sizeof(char *));
    }
    if (copy == nullptr || environment->entries == nullptr) {
        abort();
    }
    if (index == environment->count) {
        environment->count++;
        environment->entries[environment->count] = nullptr;
    } else {
        explicit_bzero(environment->entries[index], strlen(environment->entries[index]));
        free(environment->entries[index]);
    }
    environment->entries[index] = copy;
}

static const char *caller_entry(const char *const *caller, const char *name) {
    size_t length = strlen(name);
    for (size_t i = 0; caller[i] != nullptr; i++) {
        if (strncmp(caller[i], name, length) == 0 && caller[i][length] == '=') {
            return caller[i];
        }
    }
    return nullptr;
}

static status_t add_one(const struct environment_options *options, const char *added,
                        struct environment *environment, struct error *err) {
    if (!name_is_valid(added)) {
        /* Only the name may be shown: what follows could be a secret. */
        struct builder shown;
        builder_init(&shown, 256);
        text_escape(slice_of(added, name_length(added) < 40 ? name_length(added) : 40), &shown);
        (void)error_set(err, ERROR_USAGE, 0, "'%s' is not the name of a variable",
                        builder_c_string(&shown));
        builder_deinit(&shown);
        return (status_t){ERROR_USAGE};
    }
    if (strchr(added, '=') != nullptr) {
        entry_set(environment, added);
        return STATUS_OK;
    }
    const char *passed = caller_entry(options->caller, added);
    if (passed == nullptr) {
        (void)error_set(err, ERROR_USAGE, 0,
                        "the variable %s is not set, so it cannot be passed on", added);
        error_hint(err, "Give it a value with: --env %s=VALUE", added);
        return (status_t){ERROR_USAGE};
    }
    entry_set(environment, passed);
    return STATUS_OK;
}

static const char *entry_value(const struct environment *environment, const char *name) {
    size_t index = entry_find(environment, name, strlen(name));
    return index < environment->count ? environment->entries[index] + strlen(name) + 1 : nullptr;
}

/* HOME without double and trailing slashes: the plan takes one spelling only. */
static void home_normalise(struct environment *environment) {
    size_t index = entry_find(environment, "HOME", 4);
    if (index == environment->count) {
        return;
    }
    char *value = environment->entries[index] + sizeof "HOME=" - 1;
    size_t used = 0;
    for (size_t i = 0; value[i] != '\0'; i++) {
        if (value[i] != '/' || used == 0 || value[used - 1] != '/') {
            value[used++] = value[i];
        }
    }
    while (used > 1 && value[used - 1] == '/') {
        used--;
    }
    value[used] = '\0';
}

status_t environment_build(const struct environment_options *options,
                           struct environment *ret_environment, struct error *err) {
    ASSERT(options->caller != nullptr && options->run_id != nullptr);
    struct environment environment = {};
    for (size_t i = 0; options->caller[i] != nullptr; i++) {
        const char *entry = options->caller[i];
        if (name_is_allowed(options, entry) && name_is_valid(entry) &&
            strchr(entry, '=') != nullptr) {
            entry_set(&environment, options->caller[i]);
        }
    }
    for (size_t i = 0; options->network && i < sizeof proxy / sizeof proxy[0]; i++) {
        entry_set(&environment, proxy[i]);
    }
    for (size_t i = 0; options->trust && i < sizeof trust / sizeof trust[0]; i++) {
        entry_set(&environment, trust[i]);
    }
    for (size_t i = 0; options->added != nullptr && options->added[i] != nullptr; i++) {
        status_t status = add_one(options, options->added[i], &environment, err);
        if (!status_is_ok(status)) {
            environment_wipe(&environment);
            return status;
        }
    }
    const char *path = entry_value(&environment, "PATH");
    if (!options->image && (path == nullptr || path[0] == '\0')) {
        entry_set(&environment, default_path);
    }
    home_normalise(&environment);
    const char *home = entry_value(&environment, "HOME");
    if (home == nullptr || home[0] != '/' || home[1] == '\0') {
        entry_set(&environment, options->image  ? "HOME=/tmp"
                                : options->root ? "HOME=/root"
                                                : "HOME=/home/user");
    }
    char run[64];
    (void)snprintf(run, sizeof run, "AIRLOCK_RUN=%s", options->run_id);
    entry_set(&environment, run);
    environment.path = entry_value(&environment, "PATH");
    environment.home = entry_value(&environment, "HOME");
    *ret_environment = environment;
    return STATUS_OK;
}

void environment_wipe(struct environment *environment) {
    for (size_t i = 0; i < environment->count; i++) {
        explicit_bzero(environment->entries[i], strlen(environment->entries[i]));
        free(environment->entries[i]);
    }
    free(environment->entries);
    *environment = (struct environment){};
}
