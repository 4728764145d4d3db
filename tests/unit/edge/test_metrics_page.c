/* SPDX-License-Identifier: Apache-2.0
 *
 * docs/proxy-metrics.md against the tables: every row of them stands there, and every name that it
 * uses, in an alert too, is one that /metrics has.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edge/access_log.h"
#include "edge/metrics.h"

#include "../page_kit.h"

static char page[1 << 16];

static int read_page(void **state) {
    (void)state;
    page_read("proxy-metrics.md", page, sizeof page);
    return 0;
}

/* The row is a line of the page, once. */
static void assert_row(const char *row) {
    const char *at = strstr(page, row);
    if (at == nullptr) {
        fail_msg("docs/proxy-metrics.md lacks the row: %s", row);
    } else if (strstr(at + 1, row) != nullptr) {
        fail_msg("docs/proxy-metrics.md has the row twice: %s", row);
    }
}

/* As the page writes them: "group, result"; "" for none. */
static void put_labels(char *to, size_t capacity, const char *const labels[static 3]) {
    static const char *const LABELS[][2] = {
#define METRIC_LABEL(name, text, values) {#name, text},
#include "metrics.def"
    };
    to[0] = '\0';
    for (size_t n = 0; n < 3 * (sizeof LABELS / sizeof LABELS[0]); n++) {
        const char *const *label = LABELS[n % (sizeof LABELS / sizeof LABELS[0])];
        const char *wanted = labels[n / (sizeof LABELS / sizeof LABELS[0])];
        if (strcmp(label[0], wanted) == 0 && strcmp(wanted, "NONE") != 0) {
            size_t size = strlen(to);
            bool is_server = strcmp(wanted, "SERVER") == 0;
            (void)snprintf(to + size, capacity - size, "%s%s", size > 0 ? ", " : "",
                           is_server ? "upstream, server" : label[1]);
        }
    }
}

static void every_metric_has_its_row(void **state) {
    (void)state;
    static const struct {
        const char *name, *kind, *labels[3], *help;
    } ROWS[] = {
#define METRIC(name, text, kind, label_1, label_2, label_3, help) \
    {text, #kind, {#label_1, #label_2, #label_3}, help},
#include "metrics.def"
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char labels[128];
        char kind[16];
        char row[512];
        put_labels(labels, sizeof labels, ROWS[i].labels);
        (void)snprintf(kind, sizeof kind, "%s", ROWS[i].kind);
        for (char *at = kind; *at != '\0'; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        (void)snprintf(row, sizeof row, "\n| `airlock_proxy_%s` | %s | %s | %s |\n", ROWS[i].name,
                       kind, labels, ROWS[i].help);
        assert_row(row);
    }
}

static void every_value_and_event_has_its_row(void **state) {
    (void)state;
    static const char *const ROWS[] = {
#define METRIC_OTHER(name, text, kind, labels, help) \
    "\n| `airlock_proxy_" text "` | " kind " | " labels " | " help " |\n",
#define HANDSHAKE(name, text, meaning) "\n| `" text "` | " meaning " |\n",
#define FALLBACK(name, text, meaning) "\n| `" text "` | " meaning " |\n",
#define REFUSAL(name, text, meaning) "\n| `" text "` | " meaning " |\n",
#define EDGE_ERROR(name, text, meaning) "\n| `" text "` | " meaning " |\n",
#define UDP_DROP(name, text, meaning) "\n| `" text "` | " meaning " |\n",
#include "metrics.def"
#define PROXY_EVENT(name, id, stranger, meaning) "\n| `" id "` | ",
#include "proxy_events.def"
#undef PROXY_EVENT
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        assert_row(ROWS[i]);
    }
}

static bool is_metric(const char *name, size_t size) {
    static const struct {
        const char *name;
        bool is_histogram;
    } NAMES[] = {
#define METRIC(name, text, kind, label_1, label_2, label_3, help) \
    {"airlock_proxy_" text, #kind[0] == 'H'},
#define METRIC_OTHER(name, text, kind, labels, help) {"airlock_proxy_" text, false},
#include "metrics.def"
    };
    static const char *const ENDS[] = {"", "_bucket", "_sum", "_count"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        for (size_t k = 0; k < (NAMES[i].is_histogram ? 4 : 1); k++) {
            char whole[160];
            int got = snprintf(whole, sizeof whole, "%s%s", NAMES[i].name, ENDS[k]);
            if ((size_t)got == size && memcmp(whole, name, size) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void every_name_is_one_that_is_there(void **state) {
    (void)state;
    size_t count = 0;
    for (const char *at = page; (at = strstr(at, "airlock_proxy_")) != nullptr; count++) {
        size_t size = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
        if (!is_metric(at, size)) {
            fail_msg("docs/proxy-metrics.md names %.*s, which is not there", (int)size, at);
        }
        at += size;
    }
    assert_in_range(count, METRIC_COUNT + METRIC_OTHER_COUNT + 5, 200);
}

/* What an alert asks a label for is a value that it can have. */
static void every_value_in_an_alert_is_one_that_is_there(void **state) {
    (void)state;
    static const char *const VALUES[] = {
        "epoll",
#define HANDSHAKE(name, text, meaning) text,
#define REFUSAL(name, text, meaning) text,
#define EDGE_ERROR(name, text, meaning) text,
#define RELOAD(name, text, meaning) text,
#include "metrics.def"
    };
    size_t count = 0;
    for (const char *at = page; (at = strstr(at, "=\"")) != nullptr; count++) {
        at += 2;
        size_t size = strcspn(at, "\"");
        bool found = false;
        for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
            found = found || (strlen(VALUES[i]) == size && memcmp(VALUES[i], at, size) == 0);
        }
        if (!found) {
            fail_msg("no label has the value \"%.*s\"", (int)size, at);
        }
    }
    assert_in_range(count, 5, 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_has_its_row),
        cmocka_unit_test(every_value_and_event_has_its_row),
        cmocka_unit_test(every_name_is_one_that_is_there),
        cmocka_unit_test(every_value_in_an_alert_is_one_that_is_there),
    };
    return cmocka_run_group_tests(tests, read_page, nullptr);
}
