/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_scope.h"

#include <string.h>

#include "policy/glob.h"

static const struct token_verdict FITS = {TOKEN_VALID, TOKEN_ROOT};

static struct token_verdict fails(enum token_result result, int caveat) {
    return (struct token_verdict){result, caveat};
}

struct token_verdict token_scope_expiry(const struct token *token, uint64_t now_ms) {
    if (now_ms >= token->grant.expires_ms) {
        return fails(TOKEN_EXPIRED, TOKEN_ROOT);
    }
    for (unsigned i = 0; i < token->caveat_count; i++) {
        const struct token_caveat *caveat = &token->caveats[i];
        if (caveat->kind == TOKEN_CAVEAT_EXPIRES && now_ms >= caveat->expires_ms) {
            return fails(TOKEN_EXPIRED, (int)i);
        }
    }
    return FITS;
}

int token_scope_max_ops(const struct token *token, uint32_t *ret_max_ops) {
    int who = TOKEN_ROOT;
    uint32_t max_ops = token->grant.max_ops;
    for (unsigned i = 0; i < token->caveat_count; i++) {
        const struct token_caveat *caveat = &token->caveats[i];
        if (caveat->kind == TOKEN_CAVEAT_OPS && caveat->max_ops < max_ops) {
            max_ops = caveat->max_ops;
            who = (int)i;
        }
    }
    *ret_max_ops = max_ops;
    return who;
}

bool token_operation_covers(const char *outer, const char *inner) {
    size_t size = strlen(outer);
    if (size > 0 && outer[size - 1] == '*') {
        return strncmp(outer, inner, size - 1) == 0;
    }
    return strcmp(outer, inner) == 0;
}

status_t token_glob_check(const char *glob, struct error *err) {
    struct glob compiled;
    const char *problem = glob_compile(slice_of_string(glob), 0, &compiled);
    if (problem != nullptr) {
        return error_set(err, ERROR_USAGE, 0, "cannot put this glob into a token: %s", problem);
    }
    glob_deinit(&compiled);
    return STATUS_OK;
}

/* Never true by mistake for a path the caller forgot to resolve: it has no such component. */
static bool path_is_resolved(const char *path) {
    for (;;) {
        size_t size = strcspn(path, "/");
        if (size == 0 || (size <= 2 && memcmp(path, "..", size) == 0)) {
            return false;
        }
        if (path[size] == '\0') {
            return true;
        }
        path += size + 1;
    }
}

enum glob_answer { GLOB_MISSES, GLOB_TAKES, GLOB_EXCLUDES };

/* What one glob says of a path. A glob that cannot be compiled excludes everything. */
static enum glob_answer glob_ask(const char *pattern, struct slice path, bool is_folder) {
    struct glob glob;
    if (glob_compile(slice_of_string(pattern), 0, &glob) != nullptr) {
        return GLOB_EXCLUDES;
    }
    enum glob_answer answer = GLOB_MISSES;
    if (glob_match(&glob, path, is_folder)) {
        answer = glob.excludes ? GLOB_EXCLUDES : GLOB_TAKES;
    }
    glob_deinit(&glob);
    return answer;
}

/* Exclusion beats inclusion, in whatever order they stand. */
static bool globs_match(const struct token_globs *globs, const struct token_facts *facts) {
    struct slice path = slice_of_string(facts->path);
    bool taken = false;
    for (unsigned i = 0; i < globs->count; i++) {
        enum glob_answer answer = glob_ask(globs->globs[i], path, facts->path_is_folder);
        if (answer == GLOB_EXCLUDES) {
            return false;
        }
        taken = taken || answer == GLOB_TAKES;
    }
    return taken;
}

static struct token_verdict judge_operation(const struct token *token, const char *operation) {
    if (!token_operation_covers(token->grant.operation, operation)) {
        return fails(TOKEN_WRONG_OPERATION, TOKEN_ROOT);
    }
    for (unsigned i = 0; i < token->caveat_count; i++) {
        const struct token_caveat *caveat = &token->caveats[i];
        if (caveat->kind == TOKEN_CAVEAT_OPERATION &&
            !token_operation_covers(caveat->operation, operation)) {
            return fails(TOKEN_WRONG_OPERATION, (int)i);
        }
    }
    return FITS;
}

/* A token with paths is for requests about a path, one without for requests about none. */
static struct token_verdict judge_path(const struct token *token, const struct token_facts *facts) {
    if (facts->path == nullptr) {
        return token->grant.paths.count == 0 ? FITS : fails(TOKEN_WRONG_PATH, TOKEN_ROOT);
    }
    if (!path_is_resolved(facts->path) || !globs_match(&token->grant.paths, facts)) {
        return fails(TOKEN_WRONG_PATH, TOKEN_ROOT);
    }
    for (unsigned i = 0; i < token->caveat_count; i++) {
        const struct token_caveat *caveat = &token->caveats[i];
        if (caveat->kind == TOKEN_CAVEAT_PATHS && !globs_match(&caveat->paths, facts)) {
            return fails(TOKEN_WRONG_PATH, (int)i);
        }
    }
    return FITS;
}

static bool peer_equal(const struct token_peer *a, const struct token_peer *b) {
    return a->kind == b->kind && a->uid == b->uid && a->pidfd_inode == b->pidfd_inode &&
           a->pid == b->pid && a->start_ticks == b->start_ticks;
}

struct token_verdict token_scope_judge(const struct token *token, const struct token_facts *facts) {
    const struct token_grant *grant = &token->grant;
    if (!digest_equal(&grant->policy_digest, &facts->policy_digest)) {
        return fails(TOKEN_POLICY_CHANGED, TOKEN_ROOT);
    }
    struct token_verdict judged = judge_operation(token, facts->operation);
    if (judged.result == TOKEN_VALID) {
        judged = judge_path(token, facts);
    }
    if (judged.result != TOKEN_VALID) {
        return judged;
    }
    if (grant->has_argument_digest &&
        (facts->argument_digest == nullptr ||
         !digest_equal(&grant->argument_digest, facts->argument_digest))) {
        return fails(TOKEN_WRONG_ARGUMENTS, TOKEN_ROOT);
    }
    if (strcmp(grant->sandbox_id, facts->sandbox_id) != 0) {
        return fails(TOKEN_WRONG_SANDBOX, TOKEN_ROOT);
    }
    return peer_equal(&grant->peer, &facts->peer) ? FITS : fails(TOKEN_WRONG_PEER, TOKEN_ROOT);
}

/* How much of an anchored glob, behind its first slash if it begins with one, is plain names:
 * bytes up to the slash before the first component with a special character, or to the end. */
static size_t plain_prefix(const char *glob) {
    size_t size = strlen(glob);
    size_t special = strcspn(glob, "*?[\\");
    if (special == size) {
        return size > 0 && glob[size - 1] == '/' ? size - 1 : size;
    }
    while (special > 0 && glob[special - 1] != '/') {
        special--;
    }
    return special > 0 ? special - 1 : 0;
}

/* Whether all strictly below `folder` is taken by a glob that ends in slash and two stars. */
static bool covers_inside(const char *outer, struct slice folder) {
    size_t size = strlen(outer);
    char base[TOKEN_GLOB_BYTES_MAX + 2] = "/"; /* from the top, as outer's inner slash makes it */
    if (size < 4 || size > TOKEN_GLOB_BYTES_MAX || strcmp(outer + size - 3, "/**") != 0 ||
        outer[size - 4] == '\\') {
        return false;
    }
    size_t skip = outer[0] == '/' ? 1 : 0;
    memcpy(base + 1, outer + skip, size - 3 - skip);
    base[1 + size - 3 - skip] = '\0';
    return glob_ask(base, folder, true) == GLOB_TAKES;
}

/* Below what a glob takes it takes everything, so one that begins with plain names lies within
 * another that takes the folder of these names. */
bool token_glob_covers(const char *outer, const char *inner) {
    if (strcmp(outer, inner) == 0) {
        return true;
    }
    if (outer[0] == '!' || inner[0] == '!') {
        return false;
    }
    if (strcmp(outer, "**") == 0) {
        return true;
    }
    const char *slash = strchr(inner, '/');
    if (slash == nullptr || slash[1] == '\0') { /* at any depth */
        return false;
    }
    const char *names = inner[0] == '/' ? inner + 1 : inner;
    struct slice plain = slice_of(names, plain_prefix(names));
    if (plain.size == 0) {
        return false;
    }
    bool goes_on = strpbrk(names, "*?[\\") != nullptr;
    return glob_ask(outer, plain, goes_on) == GLOB_TAKES ||
           (goes_on && covers_inside(outer, plain));
}

static bool globs_cover(const struct token_globs *outer, const struct token_globs *inner) {
    for (unsigned i = 0; i < inner->count; i++) {
        bool covered = inner->globs[i][0] == '!'; /* takes away only */
        for (unsigned k = 0; k < outer->count && !covered; k++) {
            covered = token_glob_covers(outer->globs[k], inner->globs[i]);
        }
        if (!covered) {
            return false;
        }
    }
    return true;
}

/* Whether one condition of the token, a caveat of the same kind or the root's, covers another. */
static bool caveat_covers(const struct token_caveat *outer, const struct token_caveat *inner) {
    if (outer->kind != inner->kind) {
        return true;
    }
    switch (inner->kind) {
    case TOKEN_CAVEAT_OPERATION:
        return token_operation_covers(outer->operation, inner->operation);
    case TOKEN_CAVEAT_PATHS:
        return globs_cover(&outer->paths, &inner->paths);
    case TOKEN_CAVEAT_OPS:
        return inner->max_ops <= outer->max_ops;
    case TOKEN_CAVEAT_EXPIRES:
        return inner->expires_ms <= outer->expires_ms;
    }
    return false;
}

bool token_scope_covers(const struct token *token, const struct token_caveat *caveat) {
    const struct token_caveat root = {
        .kind = caveat->kind,
        .operation = token->grant.operation,
        .paths = token->grant.paths,
        .max_ops = token->grant.max_ops,
        .expires_ms = token->grant.expires_ms,
    };
    if (!caveat_covers(&root, caveat)) {
        return false;
    }
    for (unsigned i = 0; i < token->caveat_count; i++) {
        if (!caveat_covers(&token->caveats[i], caveat)) {
            return false;
        }
    }
    return true;
}
