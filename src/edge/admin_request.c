/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/admin_request.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "codec/host.h"

enum {
    OK = 200,
    BAD = 400,
    MISSING = 404,
    METHOD = 405,
    MISDIRECTED = 421,
    TOO_LONG = 431,
    VERSION = 505,
};

static struct admin_request *request_of(llhttp_t *parser) {
    return parser->data;
}

/* What does not fit is counted all the same. */
static void add(char *to, size_t capacity, size_t *size, struct slice bytes) {
    for (size_t i = 0; i < bytes.size; i++, (*size)++) {
        if (*size < capacity) {
            to[*size] = (char)bytes.data[i];
        }
    }
}

static int on_url(llhttp_t *parser, const char *at, size_t size) {
    struct admin_request *request = request_of(parser);
    add(request->url, sizeof request->url, &request->url_size, slice_of(at, size));
    return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t size) {
    struct admin_request *request = request_of(parser);
    add(request->name, sizeof request->name, &request->name_size, slice_of(at, size));
    return 0;
}

static int on_name_end(llhttp_t *parser) {
    struct admin_request *request = request_of(parser);
    request->is_host = request->name_size == 4 && strncasecmp(request->name, "host", 4) == 0;
    request->hosts += request->is_host ? 1 : 0;
    request->name_size = 0;
    return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t size) {
    struct admin_request *request = request_of(parser);
    if (request->is_host) {
        add(request->host, sizeof request->host, &request->host_size, slice_of(at, size));
    }
    return 0;
}

bool admin_request_names_this(const struct admin_request *request) {
    struct slice text = slice_of(request->host, request->host_size);
    struct host host;
    uint16_t port;
    if (text.size > sizeof request->host) {
        return false;
    }
    return (host_parse(text, true, &host) == nullptr ||
            host_parse_authority(text, 80, &host, &port) == nullptr) &&
           (host.is_address || strcmp(host.text, "localhost") == 0);
}

/* The path of the target, without the authority of the absolute form and without a query. */
static struct slice path_of(const struct admin_request *request) {
    struct slice url = slice_of(request->url, request->url_size);
    if (url.size > sizeof request->url) {
        return (struct slice){};
    }
    size_t at = 0;
    if (url.size > 7 && strncasecmp(request->url, "http://", 7) == 0) {
        const char *slash = memchr(request->url + 7, '/', url.size - 7);
        at = slash != nullptr ? (size_t)(slash - request->url) : url.size;
    }
    const char *query = memchr(request->url + at, '?', url.size - at);
    size_t end = query != nullptr ? (size_t)(query - request->url) : url.size;
    return slice_of(request->url + at, end - at);
}

static unsigned judge(struct admin_request *request) {
    static const char *const PAGES[] = {
        [ADMIN_METRICS] = "/metrics", [ADMIN_HEALTH] = "/health", [ADMIN_READY] = "/ready"};
    const llhttp_t *parser = &request->parser;
    if (parser->http_major != 1) {
        return VERSION;
    }
    bool needs_host = parser->http_minor >= 1;
    if (request->hosts > 1 || (needs_host && request->hosts == 0)) {
        return BAD;
    }
    if (parser->method != HTTP_GET && parser->method != HTTP_HEAD) {
        return METHOD;
    }
    if (parser->content_length > 0 || (parser->flags & F_TRANSFER_ENCODING) != 0) {
        return BAD; /* a body is not looked at here */
    }
    struct slice path = path_of(request);
    for (uint8_t i = 0; i <= ADMIN_READY; i++) {
        if (slice_equal(path, slice_of_string(PAGES[i]))) {
            request->page = (enum admin_page)i;
            return 0;
        }
    }
    return MISSING;
}

/* Everything is known here, since there are no bodies: what follows is the next request. */
static int on_head(llhttp_t *parser) {
    struct admin_request *request = request_of(parser);
    request->is_complete = true;
    request->status = judge(request);
    request->is_head = parser->method == HTTP_HEAD;
    bool is_known = request->status == 0 || request->status == MISSING;
    request->keeps = is_known && llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void) {
    static const llhttp_settings_t SETTINGS = {
        .on_url = on_url,
        .on_header_field = on_name,
        .on_header_field_complete = on_name_end,
        .on_header_value = on_value,
        .on_headers_complete = on_head,
    };
    return &SETTINGS;
}

void admin_request_init(struct admin_request *request) {
    *request = (struct admin_request){};
    llhttp_init(&request->parser, HTTP_REQUEST, settings());
    request->parser.data = request;
}

size_t admin_request_feed(struct admin_request *request, struct slice bytes) {
    size_t left = LIMIT_EDGE_ADMIN_HEAD_BYTES - request->size;
    size_t size = bytes.size < left ? bytes.size : left;
    const char *start = (const char *)bytes.data;
    llhttp_errno_t result = llhttp_execute(&request->parser, start, size);
    if (result == HPE_PAUSED && request->is_complete) {
        return (size_t)(llhttp_get_error_pos(&request->parser) - start);
    }
    request->size += size;
    if (result != HPE_OK) {
        request->is_complete = true;
        request->status = BAD;
    } else if (request->size == LIMIT_EDGE_ADMIN_HEAD_BYTES) {
        limit_hit(LIMIT_ID_EDGE_ADMIN_HEAD_BYTES);
        request->is_complete = true;
        request->status = TOO_LONG;
    }
    return size;
}

const char *admin_status_text(unsigned status) {
    switch (status) {
    case OK:
        return "OK";
    case BAD:
        return "Bad Request";
    case MISSING:
        return "Not Found";
    case METHOD:
        return "Method Not Allowed";
    case MISDIRECTED:
        return "Misdirected Request";
    case TOO_LONG:
        return "Request Header Fields Too Large";
    case VERSION:
        return "HTTP Version Not Supported";
    default:
        return "Service Unavailable";
    }
}

void admin_answer_head(const struct admin_answer *answer, struct builder *out) {
    static const char DAYS[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char MONTHS[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)answer->date;
    struct tm utc = {};
    (void)gmtime_r(&seconds, &utc);
    builder_format(out, "HTTP/1.1 %u %s\r\n", answer->status, admin_status_text(answer->status));
    builder_format(out, "Date: %s, %02d %s %d %02d:%02d:%02d GMT\r\n", DAYS[utc.tm_wday],
                   utc.tm_mday, MONTHS[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour, utc.tm_min,
                   utc.tm_sec);
    builder_format(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", answer->type, answer->size);
    builder_text(out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    builder_text(out, answer->status == METHOD ? "Allow: GET, HEAD\r\n" : "");
    builder_text(out, answer->closes ? "Connection: close\r\n\r\n" : "\r\n");
}
