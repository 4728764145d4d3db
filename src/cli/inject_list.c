/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inject_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/host.h"
#include "sys/fd.h"

enum { NAME_BYTES_MAX = 128 };

static void wipe_text(const char *text) {
    char *memory;
    memcpy(&memory, &text, sizeof memory);
    if (memory != nullptr) {
        explicit_bzero(memory, strlen(memory));
        free(memory);
    }
}

void inject_list_wipe(struct inject_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        wipe_text(list->rows[i].host);
        wipe_text(list->rows[i].name);
        wipe_text(list->rows[i].value);
    }
    free(list->rows);
    *list = (struct inject_list){};
}

static status_t malformed(const char *why, struct error *err) {
    (void)error_set(err, ERROR_USAGE, 0, "--inject cannot be used: %s", why);
    error_hint(err, "Write it like: --inject 'api.example.com: Authorization: Bearer ${TOKEN}'");
    return (status_t){ERROR_USAGE};
}

static status_t take_host(struct slice text, struct egress_inject *inject, struct error *err) {
    static const struct slice HTTP = SLICE_LITERAL("http://");
    static const struct slice HTTPS = SLICE_LITERAL("https://");
    struct host host;
    inject->is_tls = !slice_starts_with(text, HTTP);
    size_t skip = inject->is_tls ? (slice_starts_with(text, HTTPS) ? HTTPS.size : 0) : HTTP.size;
    const char *wrong = host_parse_authority(slice_of(text.data + skip, text.size - skip),
                                             inject->is_tls ? 443 : 80, &host, &inject->port);
    if (wrong != nullptr) {
        char why[128];
        (void)snprintf(why, sizeof why, "its host is none: %s", wrong);
        return malformed(why, err);
    }
    inject->host = strdup(host.text);
    return STATUS_OK;
}

/* A token (RFC 9110, section 5.6.2), and none that says where a message ends or whom it is for. */
static status_t take_name(struct slice text, struct egress_inject *inject, struct error *err) {
    static const char letters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char *const OURS[] = {"host",       "content-length", "transfer-encoding",
                                       "connection", "upgrade",        "te",
                                       "trailer",    "expect"};
    char name[NAME_BYTES_MAX + 1];
    if (text.size == 0 || text.size > NAME_BYTES_MAX) {
        return malformed("the header has no name", err);
    }
    memcpy(name, text.data, text.size);
    name[text.size] = '\0';
    if (strspn(name, letters) != text.size) {
        return malformed("the header's name has a character that no name has", err);
    }
    for (size_t i = 0; i < sizeof OURS / sizeof OURS[0]; i++) {
        if (strcasecmp(name, OURS[i]) == 0) {
            return malformed("this header is the proxy's own", err);
        }
    }
    inject->name = strdup(name);
    return STATUS_OK;
}

static status_t read_file(const char *path, struct builder *out, struct error *err) {
    CLEANUP(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return error_set(err, ERROR_IO, errno, "cannot open the file of --inject");
    }
    TRY(fd_read_to_end(fd, "the file of --inject", out, err));
    if (out->size > 0 && out->data[out->size - 1] == '\n') {
        out->size--;
    }
    return STATUS_OK;
}

/* Puts the values of variables where they are named. */
static status_t expand(const char *text, struct builder *out, struct error *err) {
    while (*text != '\0') {
        const char *start = strstr(text, "${");
        if (start == nullptr) {
            builder_text(out, text);
            break;
        }
        builder_bytes(out, slice_of(text, (size_t)(start - text)));
        const char *end = strchr(start, '}');
        char name[NAME_BYTES_MAX + 1];
        size_t size = end != nullptr ? (size_t)(end - start) - 2 : 0;
        if (size == 0 || size > NAME_BYTES_MAX) {
            return malformed("it has no name between ${ and }", err);
        }
        memcpy(name, start + 2, size);
        name[size] = '\0';
        const char *value = getenv(name);
        if (value == nullptr || value[0] == '\0') {
            return error_set(err, ERROR_USAGE, 0, "the variable %.60s of --inject is not set",
                             name);
        }
        builder_text(out, value);
        text = end + 1;
    }
    return STATUS_OK;
}

static bool is_field_value(struct slice value) {
    for (size_t i = 0; i < value.size; i++) {
        if ((value.data[i] < ' ' && value.data[i] != '\t') || value.data[i] == 0x7f) {
            return false;
        }
    }
    return value.size > 0 && value.data[0] != ' ' && value.data[value.size - 1] != ' ';
}

static status_t take_value(const char *text, struct egress_inject *inject, struct error *err) {
    struct builder value;
    builder_init(&value, LIMIT_EGRESS_SECRET_BYTES);
    status_t status = text[0] == '@' ? read_file(text + 1, &value, err) : expand(text, &value, err);
    if (status_is_ok(status) && !builder_is_ok(&value)) {
        limit_hit(LIMIT_ID_EGRESS_SECRET_BYTES);
        status = error_set(err, ERROR_LIMIT, 0, "the value of --inject is too long");
    }
    if (status_is_ok(status) && !is_field_value(builder_slice(&value))) {
        status = malformed("its value is empty, or has a character that no header has", err);
    }
    if (status_is_ok(status)) {
        inject->value = strdup(builder_c_string(&value));
    }
    if (value.data != nullptr) {
        explicit_bzero(value.data, value.capacity);
    }
    builder_deinit(&value);
    return status;
}

static status_t take(const char *option, struct egress_inject *inject, struct error *err) {
    const char *host_end = strstr(option, ": ");
    const char *name_end = host_end != nullptr ? strstr(host_end + 2, ": ") : nullptr;
    if (name_end == nullptr) {
        return malformed("it is not HOST: NAME: VALUE", err);
    }
    const char *name = host_end + 2;
    TRY(take_host(slice_of(option, (size_t)(host_end - option)), inject, err));
    TRY(take_name(slice_of(name, (size_t)(name_end - name)), inject, err));
    return take_value(name_end + 2, inject, err);
}

status_t inject_list_add(struct inject_list *list, const char *option, struct error *err) {
    if (list->count == LIMIT_EGRESS_INJECT) {
        limit_hit(LIMIT_ID_EGRESS_INJECT);
        return error_set(err, ERROR_LIMIT, 0, "a run has at most %lld headers of --inject",
                         (long long)LIMIT_EGRESS_INJECT);
    }
    list->rows = reallocarray(list->rows, list->count + 1, sizeof *list->rows);
    ASSERT(list->rows != nullptr);
    list->rows[list->count] = (struct egress_inject){};
    return take(option, &list->rows[list->count++], err);
}
