/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/permit.h"

#include <string.h>
#include <strings.h>

static bool is_limited(const struct egress_target *target) {
    return target->methods[0] != '\0' || target->paths[0] != '\0';
}

/* Whether one of the lines is the text, or with a star at its end begins it. */
static bool lines_have(const char *lines, const char *text, size_t size) {
    while (*lines != '\0') {
        size_t length = strcspn(lines, "\n");
        bool open = length > 0 && lines[length - 1] == '*';
        size_t compared = open ? length - 1 : length;
        if ((open ? size >= compared : size == compared) && memcmp(lines, text, compared) == 0) {
            return true;
        }
        lines += length + (lines[length] == '\n');
    }
    return false;
}

/* What a server may take for another path than it looks like. */
static bool path_is_odd(const char *path, size_t size) {
    static const char *const ODD[] = {"..",  "//",  "/./", "\\",  "%2e",
                                      "%2f", "%5c", "%00", "%25", ";"};
    char text[2048];
    if (size >= sizeof text) {
        return true;
    }
    memcpy(text, path, size);
    text[size] = '\0';
    for (size_t i = 0; i < sizeof ODD / sizeof ODD[0]; i++) {
        if (strcasestr(text, ODD[i]) != nullptr) {
            return true;
        }
    }
    return size > 1 && text[size - 1] == '.' && text[size - 2] == '/';
}

const char *permit_request(const struct egress_config *config,
                           const struct permit_request *request) {
    const char *why = nullptr;
    size_t size = strcspn(request->path, "?");
    for (uint32_t i = 0; i < config->target_count; i++) {
        const struct egress_target *target = &config->targets[i];
        if (!egress_target_covers(target, request->host, request->port)) {
            continue;
        }
        bool method = target->methods[0] == '\0' ||
                      lines_have(target->methods, request->method, strlen(request->method));
        bool path = target->paths[0] == '\0' || (!path_is_odd(request->path, size) &&
                                                 lines_have(target->paths, request->path, size));
        if (method && path) {
            return nullptr;
        }
        why = method ? "its group does not list this path" : "its group does not list this method";
    }
    return why;
}

const char *permit_tunnel(const struct egress_config *config, const char *host, uint16_t port) {
    const char *why = nullptr;
    for (uint32_t i = 0; i < config->target_count; i++) {
        const struct egress_target *target = &config->targets[i];
        if (egress_target_covers(target, host, port)) {
            if (!is_limited(target)) {
                return nullptr;
            }
            why = "its group limits methods or paths, which a tunnel hides";
        }
    }
    return why;
}
