/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/review.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "codec/text.h"

enum { NAMED_COUNT_MAX = 3, PATHS_BYTES_MAX = 16384 };

void review_init(struct review *review, const char *hint) {
    *review = (struct review){.reviewer = POLICY_REVIEWER_CLIENT, .hint = hint};
}

void review_deinit(struct review *review) {
    for (size_t i = 0; i < review->count; i++) {
        free((char *)(uintptr_t)review->items[i].path);
    }
    free(review->items);
}

static char *shown_copy(const char *what) {
    struct builder shown;
    size_t size;
    builder_init(&shown, (size_t)4 * LIMIT_PATH_BYTES + 1);
    text_escape(slice_of_string(what), &shown);
    builder_u8(&shown, '\0');
    char *copy = (char *)builder_take(&shown, &size);
    builder_deinit(&shown);
    if (copy == nullptr) {
        abort();
    }
    return copy;
}

void review_add(struct review *review, const char *what, const struct policy_decision *decision) {
    ASSERT(decision->outcome == POLICY_REVIEW);
    const struct policy_obligations *asked = &decision->obligations;
    if (asked->reviewer < review->reviewer) {
        review->reviewer = asked->reviewer;
    }
    if (asked->reviewers_min > review->reviewers_min) {
        review->reviewers_min = asked->reviewers_min;
        review->many_rule = decision->rule;
    }
    if (review->count == LIMIT_REVIEW_PATHS) {
        review->overflow = true;
        return;
    }
    if (review->count == review->capacity) {
        review->capacity = review->capacity == 0 ? 16 : 2 * review->capacity;
        review->items = reallocarray(review->items, review->capacity, sizeof *review->items);
        if (review->items == nullptr) {
            abort();
        }
    }
    review->items[review->count++] =
        (struct kernel_review_item){.path = shown_copy(what), .reason = decision->reasons[0]};
}

static status_t refuse_overflow(const struct review *review, struct error *err) {
    limit_hit(LIMIT_ID_REVIEW_PATHS);
    (void)error_set(err, ERROR_POLICY_REVIEW, 0,
                    "a person has to agree to more than %lld paths, too many for one question",
                    (long long)LIMIT_REVIEW_PATHS);
    error_detail(err, "the limit REVIEW_PATHS; the first of them is %.300s", review->items[0].path);
    error_hint(err, "%s", review->many_hint != nullptr ? review->many_hint : review->hint);
    return (status_t){ERROR_POLICY_REVIEW};
}

static status_t refuse(const struct review *review, const struct kernel *kernel,
                       struct error *err) {
    struct builder names;
    builder_init(&names, ERROR_MESSAGE_BYTES_MAX - 64);
    size_t shown = review->count < NAMED_COUNT_MAX ? review->count : NAMED_COUNT_MAX;
    for (size_t i = 0; i < shown; i++) {
        builder_format(&names, "%s%.100s", i == 0 ? "" : ", ", review->items[i].path);
    }
    if (review->count > shown) {
        builder_format(&names, " and %zu more", review->count - shown);
    }
    (void)error_set(err, ERROR_POLICY_REVIEW, 0, "a person has to agree to: %s",
                    builder_c_string(&names));
    builder_deinit(&names);
    error_detail(err, "%s%s", review->items[0].reason,
                 kernel->client_agrees ? "; --yes does not answer for a person" : "");
    error_hint(err, "%s", review->hint);
    return (status_t){ERROR_POLICY_REVIEW};
}

static status_t refuse_many(const struct review *review, struct error *err) {
    (void)error_set(err, ERROR_POLICY_REVIEW, 0, "the rule %s wants %u people to agree",
                    review->many_rule, (unsigned)review->reviewers_min);
    error_detail(err, "at one terminal there is one");
    error_hint(err, "Lower reviewers in that rule, or take it out: airlock policy check shows the "
                    "file");
    return (status_t){ERROR_POLICY_REVIEW};
}

status_t review_ask(const struct review *review, const struct kernel *kernel, const char **ret_by,
                    struct error *err) {
    *ret_by = nullptr;
    if (review->overflow) {
        return refuse_overflow(review, err);
    }
    if (review->count == 0) {
        return STATUS_OK;
    }
    if (review->reviewers_min > 1) {
        return refuse_many(review, err);
    }
    if (kernel->client_agrees) {
        *ret_by = "client";
        return review->reviewer == POLICY_REVIEWER_CLIENT ? STATUS_OK : refuse(review, kernel, err);
    }
    *ret_by = "terminal";
    bool agreed = kernel->ask_review != nullptr &&
                  kernel->ask_review(kernel->ask_context, review->items, review->count);
    return agreed ? STATUS_OK : refuse(review, kernel, err);
}

struct json *review_paths(const struct review *review) {
    struct json *paths = json_array_new();
    size_t used = 0;
    for (size_t i = 0; i < review->count; i++) {
        used += strlen(review->items[i].path) + 8;
        if (used > PATHS_BYTES_MAX) {
            json_append_text(paths, "...");
            break;
        }
        json_append_text(paths, review->items[i].path);
    }
    return paths;
}
