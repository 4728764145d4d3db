/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/diff_names.h"

#include <string.h>

static bool name_is_plain(const char *path) {
    for (const char *c = path; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\') {
            return false;
        }
    }
    return true;
}

static void name_quoted(const char *text, struct builder *out) {
    static const char from[] = "\a\b\t\n\v\f\r\"\\";
    static const char to[] = "abtnvfr\"\\";
    for (const char *c = text; *c != '\0'; c++) {
        const char *found = strchr(from, *c);
        if (found != nullptr) {
            builder_format(out, "\\%c", to[found - from]);
        } else if (*c < ' ' || *c > '~') {
            builder_format(out, "\\%03o", (unsigned)(unsigned char)*c);
        } else {
            builder_u8(out, (uint8_t)*c);
        }
    }
}

void diff_name(const char *prefix, const char *path, struct builder *out) {
    if (name_is_plain(path)) {
        builder_text(out, prefix);
        builder_text(out, path);
        return;
    }
    builder_u8(out, '"');
    builder_text(out, prefix);
    name_quoted(path, out);
    builder_u8(out, '"');
}

void diff_name_line(const char *prefix, const char *path, struct builder *out) {
    diff_name(prefix, path, out);
    if (name_is_plain(path) && strchr(path, ' ') != nullptr) {
        builder_u8(out, '\t');
    }
}
