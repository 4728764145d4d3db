/* SPDX-License-Identifier: Apache-2.0
 *
 * The tree against manifest_keys.def. A path is matched part by part: "fs.mounts[].uri". The walk
 * stops at the first part that no row begins with, so that one wrong word is one finding.
 */
#include <stdio.h>
#include <string.h>

#include "codec/nearest.h"
#include "enclave/lint_internal.h"

enum { KIND_TEXT = 1, KIND_INTEGER = 2, KIND_BOOL = 4, KIND_ANY = 64, PATH_BYTES = 512 };
/* Of a word that text_nearest() takes. */
enum { NEAREST_BYTES_MAX = 32 };

#define TEXT KIND_TEXT
#define INTEGER KIND_INTEGER
#define BOOL KIND_BOOL
#define ANY KIND_ANY

struct key_row {
    const char *path;
    unsigned kinds;
    const char *values; /* of a key that is there; what stands in the place of a removed one */
};

static const struct key_row KEYS[] = {
#define KEY(path, kinds, values) {path, kinds, values},
#include "enclave/manifest_keys.def"
#undef KEY
};

static const struct key_row REMOVED_KEYS[] = {
#define REMOVED(path, kinds, instead) {path, kinds, instead},
#include "enclave/manifest_keys.def"
#undef REMOVED
};

#undef TEXT
#undef INTEGER
#undef BOOL
#undef ANY

enum { KEY_COUNT = sizeof KEYS / sizeof KEYS[0] };
enum { REMOVED_COUNT = sizeof REMOVED_KEYS / sizeof REMOVED_KEYS[0] };

enum match : uint8_t { MATCH_NONE, MATCH_BEGINS, MATCH_WHOLE };

static size_t part_size(const char *path) {
    return path[0] == '[' ? 2 : strcspn(path, ".[");
}

/* Whether `path` is what `pattern` says, or where it begins. */
static enum match match(const char *pattern, const char *path) {
    while (*path != '\0') {
        size_t wanted = part_size(pattern);
        size_t there = part_size(path);
        bool is_any = wanted == 1 && pattern[0] == '*' && path[0] != '[';
        if (wanted == 0 || (!is_any && (wanted != there || memcmp(pattern, path, there) != 0))) {
            return MATCH_NONE;
        }
        pattern += wanted;
        path += there;
        pattern += *pattern == '.' ? 1 : 0;
        path += *path == '.' ? 1 : 0;
    }
    return *pattern == '\0' ? MATCH_WHOLE : MATCH_BEGINS;
}

static unsigned kind_of(const struct toml_value *value) {
    switch (value->kind) {
    case TOML_TEXT:
        return KIND_TEXT;
    case TOML_INTEGER:
        return KIND_INTEGER;
    case TOML_BOOL:
        return KIND_BOOL;
    case TOML_TABLE:
    case TOML_ARRAY:
        break;
    }
    return 0;
}

static bool is_one_of(const char *values, const char *text) {
    size_t size = strlen(text);
    for (;;) {
        size_t there = strcspn(values, "|");
        if (there == size && memcmp(values, text, size) == 0) {
            return true;
        }
        if (values[there] == '\0') {
            return false;
        }
        values += there + 1;
    }
}

static bool find_removed(struct lint *lint, const struct toml_value *value, const char *path) {
    for (size_t i = 0; i < REMOVED_COUNT; i++) {
        const struct key_row *row = &REMOVED_KEYS[i];
        if (match(row->path, path) == MATCH_WHOLE &&
            (row->kinds == KIND_ANY || (row->kinds & kind_of(value)) != 0)) {
            lint_add(lint, LINT_REMOVED_KEY, value, "%s is gone%s", path,
                     row->kinds == KIND_ANY ? "" : " in this form");
            lint_advise(lint, "Instead %s.", row->values);
            return true;
        }
    }
    return false;
}

static void unknown(struct lint *lint, const struct toml_value *value, const char *path) {
    const char *words[KEY_COUNT];
    size_t count = 0;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (strlen(KEYS[i].path) <= NEAREST_BYTES_MAX && strchr(KEYS[i].path, '*') == nullptr) {
            words[count++] = KEYS[i].path;
        }
    }
    const char *nearest = text_nearest(path, words, count);
    lint_add(lint, LINT_UNKNOWN_KEY, value, "Gramine knows no %s", path);
    if (nearest != nullptr) {
        lint_advise(lint, "Did you mean %s?", nearest);
    }
}

/* A value that is no table and no array. */
static void check_leaf(struct lint *lint, const struct toml_value *value, const char *path) {
    bool is_known = false;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        enum match matched = match(KEYS[i].path, path);
        if (matched == MATCH_WHOLE && (KEYS[i].kinds & (kind_of(value) | KIND_ANY)) != 0) {
            if (KEYS[i].values[0] != '\0' && !is_one_of(KEYS[i].values, value->text)) {
                lint_add(lint, LINT_WRONG_VALUE, value, "%s cannot be \"%s\"", path, value->text);
                lint_advise(lint, "It is one of %s.", KEYS[i].values);
            }
            return;
        }
        is_known = is_known || matched != MATCH_NONE;
    }
    if (is_known) {
        lint_add(lint, LINT_WRONG_KIND, value, "%s cannot be %s", path,
                 toml_kind_text(value->kind));
    } else {
        unknown(lint, value, path);
    }
}

/* Whether some row goes on behind `path`, and whether one says not to look further. */
static bool goes_on(const char *path, bool *ret_is_opaque) {
    bool does = false;
    *ret_is_opaque = false;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        enum match matched = match(KEYS[i].path, path);
        does = does || matched == MATCH_BEGINS;
        *ret_is_opaque =
            *ret_is_opaque || (matched == MATCH_WHOLE && (KEYS[i].kinds & KIND_ANY) != 0);
    }
    return does;
}

/* Whether `path` is a key by itself, as one that wants another kind of value. */
static bool is_key(const char *path) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (match(KEYS[i].path, path) == MATCH_WHOLE) {
            return true;
        }
    }
    return false;
}

static void walk(struct lint *lint, const struct toml_value *parent, const char *path);

static void check(struct lint *lint, const struct toml_value *value, const char *path) {
    bool is_opaque = false;
    if (find_removed(lint, value, path)) {
        return;
    }
    if (value->kind != TOML_TABLE && value->kind != TOML_ARRAY) {
        check_leaf(lint, value, path);
        return;
    }
    if (goes_on(path, &is_opaque)) {
        walk(lint, value, path);
    } else if (!is_opaque && is_key(path)) {
        lint_add(lint, LINT_WRONG_KIND, value, "%s cannot be %s", path,
                 toml_kind_text(value->kind));
    } else if (!is_opaque) {
        unknown(lint, value, path);
    }
}

/* As deep as TOML trees are here. */
static void walk(struct lint *lint, const struct toml_value *parent, const char *path) {
    char next[PATH_BYTES];
    for (const struct toml_value *at = parent->first; at != nullptr; at = at->next) {
        if (at->key == nullptr) {
            (void)snprintf(next, sizeof next, "%s[]", path);
        } else if (strpbrk(at->key, ".[") != nullptr) { /* no key of Gramine's; it may be a name */
            (void)snprintf(next, sizeof next, "%s.*", path);
        } else {
            (void)snprintf(next, sizeof next, "%s%s%s", path, path[0] == '\0' ? "" : ".", at->key);
        }
        check(lint, at, next);
    }
}

void lint_keys(struct lint *lint) {
    static const char *const REQUIRED[] = {"libos.entrypoint", "fs.mounts"};
    walk(lint, lint->root, "");
    for (size_t i = 0; i < sizeof REQUIRED / sizeof REQUIRED[0]; i++) {
        if (toml_find(lint->root, REQUIRED[i]) == nullptr) {
            lint_add(lint, LINT_MISSING_KEY, nullptr, "there is no %s", REQUIRED[i]);
        }
    }
}
