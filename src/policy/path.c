/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/path.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"

/* Length of a code point at `text` that HFS+ leaves out of comparisons (zero-width joiners,
 * direction marks, the byte order mark), 0 when there is none. All are three bytes of UTF-8. */
static size_t ignorable_length(const char *text, size_t size) {
    if (size < 3) {
        return 0;
    }
    uint8_t a = (uint8_t)text[0];
    uint8_t b = (uint8_t)text[1];
    uint8_t c = (uint8_t)text[2];
    if (a == 0xef && b == 0xbb && c == 0xbf) {
        return 3;
    }
    if (a != 0xe2) {
        return 0;
    }
    bool mark = b == 0x80 && ((c >= 0x8c && c <= 0x8f) || (c >= 0xaa && c <= 0xae));
    bool deprecated = b == 0x81 && c >= 0xaa && c <= 0xaf;
    return mark || deprecated ? 3 : 0;
}

/* Folds one component into `out`, which has room for size + 1 bytes; returns the folded length. */
static size_t component_fold(const char *text, size_t size, char *out) {
    size_t length = 0;
    for (size_t i = 0; i < size && text[i] != ':';) {
        size_t skip = ignorable_length(text + i, size - i);
        if (skip > 0) {
            i += skip;
            continue;
        }
        char c = text[i++];
        out[length++] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    while (length > 0 && (out[length - 1] == '.' || out[length - 1] == ' ')) {
        length--;
    }
    if (length == 5 && memcmp(out, "git~1", 5) == 0) {
        memcpy(out, ".git", 4);
        length = 4;
    }
    out[length] = '\0';
    return length;
}

static void component_add(struct policy_path *path, const char *text, size_t size, size_t *used) {
    if (size == 0 || (size == 1 && text[0] == '.')) {
        return;
    }
    if (size == 2 && text[0] == '.' && text[1] == '.') {
        if (path->count == 0) {
            path->escapes = true;
        } else {
            path->count--;
        }
        return;
    }
    /* One byte for the NUL; the folded form is never longer than its source. */
    if (path->count == POLICY_COMPONENT_COUNT_MAX || *used + size + 1 > sizeof path->text) {
        path->overflow = true;
        return;
    }
    char *out = path->text + *used;
    *used += component_fold(text, size, out) + 1;
    path->component[path->count++] = out;
}

static void path_add_all(struct policy_path *path, const char *text, size_t *used) {
    while (*text != '\0') {
        size_t size = strcspn(text, "/");
        component_add(path, text, size, used);
        text += size;
        text += *text == '/' ? 1 : 0;
    }
}

void policy_path_parse(const char *path, struct policy_path *ret_path) {
    ASSERT(path != nullptr && ret_path != nullptr);
    ret_path->count = 0;
    ret_path->overflow = false;
    ret_path->escapes = false;
    size_t used = 0;
    path_add_all(ret_path, path, &used);
}

void policy_path_resolve_link(const char *path, const char *target, const char *workspace_or_null,
                              struct policy_path *ret_path) {
    ASSERT(path != nullptr && target != nullptr && ret_path != nullptr);
    ret_path->count = 0;
    ret_path->overflow = false;
    ret_path->escapes = false;
    size_t used = 0;
    if (target[0] == '/') {
        size_t length = workspace_or_null != nullptr ? strlen(workspace_or_null) : 0;
        bool inside = length > 1 && strncmp(target, workspace_or_null, length) == 0 &&
                      (target[length] == '/' || target[length] == '\0');
        if (!inside) {
            ret_path->escapes = true;
            return;
        }
        path_add_all(ret_path, target + length, &used);
        return;
    }
    path_add_all(ret_path, path, &used);
    if (ret_path->count > 0) {
        ret_path->count--; /* the link itself; its folder is where the target starts */
    }
    path_add_all(ret_path, target, &used);
}
