/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/head.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "proxy/server.h"
#include "proxy/session.h"

/* About one connection only (RFC 9110, section 7.6.1), or written anew. */
static const char *const DROPPED[] = {
    "connection",
    "proxy-connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-authenticate",
    "te",
    "trailer",
    "upgrade",
    "transfer-encoding",
    "content-length",
    "http2-settings",
};

/* Walks "name\0value\0". */
static bool next_field(struct slice *fields, const char **ret_name, const char **ret_value) {
    if (fields->size == 0) {
        return false;
    }
    const char *name = (const char *)fields->data;
    const char *value = name + strlen(name) + 1;
    size_t used = (size_t)(value - name) + strlen(value) + 1;
    *ret_name = name;
    *ret_value = value;
    *fields = slice_of(fields->data + used, fields->size - used);
    return true;
}

/* How often a field comes; *ret_value is the last one's. */
static size_t count_field(const struct exchange_head *head, const char *wanted,
                          const char **ret_value) {
    struct slice fields = builder_slice(&head->fields);
    const char *name;
    const char *value;
    size_t count = 0;
    while (next_field(&fields, &name, &value)) {
        if (strcasecmp(name, wanted) == 0) {
            *ret_value = value;
            count++;
        }
    }
    return count;
}

/* Whether a comma-separated list has the word. */
static bool list_has(const char *list, const char *word) {
    size_t size = strlen(word);
    while (*list != '\0') {
        list += strspn(list, " \t,");
        size_t part = strcspn(list, " \t,");
        if (part == size && strncasecmp(list, word, size) == 0) {
            return true;
        }
        list += part;
    }
    return false;
}

static bool connection_names(const struct exchange_head *head, const char *word) {
    struct slice fields = builder_slice(&head->fields);
    const char *name;
    const char *value;
    while (next_field(&fields, &name, &value)) {
        bool is_it =
            strcasecmp(name, "connection") == 0 || strcasecmp(name, "proxy-connection") == 0;
        if (is_it && list_has(value, word)) {
            return true;
        }
    }
    return false;
}

/* A list of codings, or the same field twice, is read differently by different programs. */
static const char *check_framing(const struct exchange_head *head, bool *ret_chunked) {
    const char *value = "";
    size_t codings = count_field(head, "transfer-encoding", &value);
    *ret_chunked = codings == 1 && strcasecmp(value, "chunked") == 0;
    if (codings > 0 && !*ret_chunked) {
        return "its Transfer-Encoding is not just chunked";
    }
    size_t lengths = count_field(head, "content-length", &value);
    if (lengths > 1 || (lengths == 1 && codings > 0)) {
        return "it tells its length twice";
    }
    if (lengths == 1 && (value[0] == '\0' || strspn(value, "0123456789") != strlen(value))) {
        return "its Content-Length is no number";
    }
    return nullptr;
}

const char *head_check_request(struct exchange *exchange) {
    const struct exchange_head *head = &exchange->asked;
    const char *value = "";
    if (exchange->request.http_major != 1 || exchange->request.http_minor > 1) {
        return "the request is not HTTP/1.1";
    }
    const char *wrong = check_framing(head, &exchange->request_chunked);
    if (wrong != nullptr) {
        return wrong;
    }
    size_t hosts = count_field(head, "host", &value);
    if (hosts > 1 || (hosts == 0 && exchange->request.http_minor == 1)) {
        return "a request has one Host field";
    }
    if (exchange->request.method == HTTP_CONNECT &&
        (exchange->request_chunked || count_field(head, "content-length", &value) > 0)) {
        return "a CONNECT has no body";
    }
    bool is_old = exchange->request.http_minor == 0;
    exchange->client_keeps = !is_old && !connection_names(head, "close");
    return nullptr;
}

const char *head_check_response(struct exchange *exchange) {
    const char *value = "";
    unsigned status = exchange->response.status_code;
    bool is_old = exchange->request.http_minor == 0;
    if (exchange->response.http_major != 1 || status < 100 || status > 599 || status == 101) {
        return "the response cannot be handed on";
    }
    const char *wrong = check_framing(&exchange->answered, &exchange->response_chunked);
    bool has_length = count_field(&exchange->answered, "content-length", &value) > 0;
    if (!has_length && status >= 200) {
        /* Chunked, or until the end of the connection: the client gets chunks, if it can. */
        exchange->response_chunked = !is_old;
        exchange->client_keeps = exchange->client_keeps && !is_old;
    }
    return wrong;
}

static bool is_dropped(const struct exchange_head *head, const char *name) {
    for (size_t i = 0; i < sizeof DROPPED / sizeof DROPPED[0]; i++) {
        if (strcasecmp(name, DROPPED[i]) == 0) {
            return true;
        }
    }
    return connection_names(head, name);
}

static bool put_text(struct queue *out, const char *text) {
    return queue_put(out, slice_of_string(text));
}

static bool put_field(struct queue *out, const char *name, const char *value) {
    return put_text(out, name) && put_text(out, ": ") && put_text(out, value) &&
           put_text(out, "\r\n");
}

static const struct egress_inject *find_inject(const struct session *session, const char *name,
                                               uint32_t from) {
    const struct egress_config *config = &session->egress->config;
    for (uint32_t i = from; i < config->inject_count; i++) {
        const struct egress_inject *inject = &config->injects[i];
        if (inject->port == session->port && strcmp(inject->host, session->host.text) == 0 &&
            inject->is_tls == (session->upstream.tls != nullptr) &&
            (name == nullptr || strcasecmp(inject->name, name) == 0)) {
            return inject;
        }
    }
    return nullptr;
}

static bool put_injected(const struct session *session, struct queue *out) {
    const struct egress_config *config = &session->egress->config;
    const struct egress_inject *inject = find_inject(session, nullptr, 0);
    while (inject != nullptr) {
        if (!put_field(out, inject->name, inject->value)) {
            return false;
        }
        inject = find_inject(session, nullptr, (uint32_t)(inject - config->injects) + 1);
    }
    return true;
}

static bool put_host(const struct session *session, struct queue *out) {
    char text[HOST_TEXT_BYTES + 16];
    bool is_usual = session->port == (session->upstream.tls != nullptr ? 443 : 80);
    bool brackets = session->host.is_address && session->host.address.size == 16;
    int size = snprintf(text, sizeof text, brackets ? "[%s]" : "%s", session->host.text);
    if (!is_usual) {
        (void)snprintf(text + size, sizeof text - (size_t)size, ":%u", session->port);
    }
    return put_field(out, "Host", text);
}

/* The path of an absolute form; the whole of an origin form. */
static const char *path_of(const char *url) {
    if (url[0] == '/' || strcmp(url, "*") == 0) {
        return url;
    }
    const char *authority = strstr(url, "://") + 3;
    return authority + strcspn(authority, "/?#");
}

const char *exchange_path(struct exchange *exchange) {
    const char *path = path_of(builder_c_string(&exchange->asked.url));
    return path[0] == '\0' ? "/" : path;
}

bool head_put_request(struct exchange *exchange, struct queue *out) {
    const struct session *session = exchange->session;
    const char *path = path_of(builder_c_string(&exchange->asked.url));
    bool is_bare = path[0] == '\0' || path[0] == '?';
    bool fits = put_text(out, llhttp_method_name((llhttp_method_t)exchange->request.method)) &&
                put_text(out, " ") && put_text(out, is_bare ? "/" : "") && put_text(out, path) &&
                put_text(out, " HTTP/1.1\r\n") && put_host(session, out);
    struct slice fields = builder_slice(&exchange->asked.fields);
    const char *name;
    const char *value;
    while (fits && next_field(&fields, &name, &value)) {
        if (!is_dropped(&exchange->asked, name) && strcasecmp(name, "host") != 0 &&
            find_inject(session, name, 0) == nullptr) {
            fits = put_field(out, name, value);
        }
    }
    fits = fits && put_injected(session, out);
    if (exchange->request_chunked) {
        fits = fits && put_field(out, "Transfer-Encoding", "chunked");
    } else if (count_field(&exchange->asked, "content-length", &value) > 0) {
        fits = fits && put_field(out, "Content-Length", value);
    }
    return fits && put_text(out, "\r\n");
}

bool head_put_response(struct exchange *exchange, struct queue *out) {
    const struct exchange_head *head = &exchange->answered;
    unsigned status = exchange->response.status_code;
    char line[32];
    (void)snprintf(line, sizeof line, "HTTP/1.1 %u ", status);
    bool fits = put_text(out, line) && queue_put(out, builder_slice(&head->reason)) &&
                put_text(out, "\r\n");
    struct slice fields = builder_slice(&head->fields);
    const char *name;
    const char *value;
    while (fits && next_field(&fields, &name, &value)) {
        fits = is_dropped(head, name) || put_field(out, name, value);
    }
    bool has_no_body = exchange->is_head || status < 200 || status == 204 || status == 304;
    if (count_field(head, "content-length", &value) > 0 && status >= 200 && status != 204) {
        fits = fits && put_field(out, "Content-Length", value);
    } else if (exchange->response_chunked && !has_no_body) {
        fits = fits && put_field(out, "Transfer-Encoding", "chunked");
    }
    if (status >= 200 && !exchange->client_keeps) {
        fits = fits && put_field(out, "Connection", "close");
    }
    return fits && put_text(out, "\r\n");
}

/* The authority of "http://AUTHORITY/path": no user, no fragment, nothing else before it. */
static const char *absolute_target(const char *url, struct host *ret_host, uint16_t *ret_port) {
    if (strncasecmp(url, "https://", 8) == 0) {
        return "https goes through CONNECT";
    }
    if (strncasecmp(url, "http://", 7) != 0) {
        return url[0] == '/' ? "this is a proxy: a request names the whole URL"
                             : "only http:// URLs are fetched";
    }
    const char *authority = url + 7;
    struct slice text = slice_of(authority, strcspn(authority, "/?#"));
    if (strchr(url, '#') != nullptr) {
        return "a request's URL has no fragment";
    }
    if (text.size > 0 && memchr(text.data, '@', text.size) != nullptr) {
        return "a user in a URL is not handed on";
    }
    return host_parse_authority(text, 80, ret_host, ret_port);
}

const char *exchange_target(struct exchange *exchange, struct host *ret_host, uint16_t *ret_port) {
    const struct session *session = exchange->session;
    const char *url = builder_c_string(&exchange->asked.url);
    if (session->client.tls != nullptr) { /* within a tunnel that was opened: origin form */
        *ret_host = session->host;
        *ret_port = session->port;
        return url[0] == '/' || strcmp(url, "*") == 0 ? nullptr : "a request names its path only";
    }
    if (exchange_is_connect(exchange)) {
        return host_parse_authority(slice_of_string(url), 0, ret_host, ret_port);
    }
    return absolute_target(url, ret_host, ret_port);
}

static const char *status_text(unsigned status) {
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 408:
        return "Request Timeout";
    case 431:
        return "Request Header Fields Too Large";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "Error";
    }
}

void exchange_refuse(struct queue *out, unsigned status, const char *denied, const char *why) {
    char text[2048];
    char body[1024];
    int size = snprintf(body, sizeof body, "airlock: %s%s%s\n", denied,
                        denied[0] != '\0' ? ": " : "", why);
    size = size < (int)sizeof body ? size : (int)sizeof body - 1;
    (void)snprintf(text, sizeof text,
                   "HTTP/1.1 %u %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
                   "%s%s%sConnection: close\r\n\r\n%s",
                   status, status_text(status), size, status == 403 ? "Airlock-Denied: " : "",
                   status == 403 ? why : "", status == 403 ? "\r\n" : "", body);
    (void)queue_put(out, slice_of_string(text));
}
