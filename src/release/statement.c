/* SPDX-License-Identifier: Apache-2.0 */
#include "release/statement.h"

#include <string.h>

#include "codec/text.h"

static const char STATEMENT_TYPE[] = "https://in-toto.io/Statement/v1";
static const char PREDICATE_TYPE[] = "https://slsa.dev/provenance/v1";
enum { NAME_BYTES_MAX = 255 };

static bool is_file_name(const char *name) {
    size_t size = strlen(name);
    return size > 0 && size <= NAME_BYTES_MAX && name[0] != '.' && strchr(name, '/') == nullptr &&
           text_is_plain(slice_of_string(name));
}

static bool text_equals(const struct json *object, const char *key, const char *expected) {
    const char *text = json_get_text(object, key);
    return text != nullptr && strcmp(text, expected) == 0;
}

static const char *plain_text(const struct json *object, const char *key) {
    const char *text = json_get_text(object, key);
    return text != nullptr && text_is_plain(slice_of_string(text)) ? text : nullptr;
}

/* nullptr, or what is wrong with it. */
static const char *read_subject(const struct json *value, struct statement *statement) {
    struct statement_subject *subject = &statement->subjects[statement->count];
    const char *name = json_get_text(value, "name");
    const char *hex = json_get_text(json_get(value, "digest"), "sha256");
    if (name == nullptr || !is_file_name(name)) {
        return "a subject has no name of a file";
    }
    if (statement_find(statement, name) != nullptr) {
        return "two subjects have one name";
    }
    if (hex == nullptr ||
        !text_unhex(slice_of_string(hex), subject->digest.bytes, sizeof subject->digest.bytes)) {
        return "a subject has no SHA-256";
    }
    subject->name = name;
    statement->count++;
    return nullptr;
}

static const char *read_predicate(const struct json *predicate, struct statement *statement) {
    const struct json *definition = json_get(predicate, "buildDefinition");
    const struct json *details = json_get(predicate, "runDetails");
    statement->builder = plain_text(json_get(details, "builder"), "id");
    statement->source =
        plain_text(json_array_at(json_get(definition, "resolvedDependencies"), 0), "uri");
    if (plain_text(definition, "buildType") == nullptr || statement->builder == nullptr ||
        json_object_count(json_get(definition, "externalParameters")) == 0) {
        return "its provenance names no builder, kind of build or parameters";
    }
    return statement->source != nullptr ? nullptr : "its provenance names no source";
}

static const char *read_statement(struct statement *statement) {
    const struct json *subjects = json_get(statement->tree, "subject");
    if (!text_equals(statement->tree, "_type", STATEMENT_TYPE) ||
        !text_equals(statement->tree, "predicateType", PREDICATE_TYPE)) {
        return "it is no in-toto statement with SLSA provenance, both of version 1";
    }
    size_t count = json_array_count(subjects);
    if (count == 0) {
        return "it is about nothing";
    }
    if (count > (size_t)LIMIT_RELEASE_FILES) {
        limit_hit(LIMIT_ID_RELEASE_FILES);
        return "it is about more files than a release has";
    }
    for (size_t i = 0; i < count; i++) {
        const char *fault = read_subject(json_array_at(subjects, i), statement);
        if (fault != nullptr) {
            return fault;
        }
    }
    return read_predicate(json_get(statement->tree, "predicate"), statement);
}

status_t statement_parse(struct slice payload, struct statement *ret_statement, struct error *err) {
    struct error reason;
    ret_statement->tree = nullptr;
    ret_statement->count = 0;
    const char *fault = nullptr;
    if (!status_is_ok(json_parse(payload, "the provenance", &ret_statement->tree, &reason))) {
        fault = reason.message;
    } else {
        fault = read_statement(ret_statement);
    }
    if (fault == nullptr) {
        return STATUS_OK;
    }
    (void)error_set(err, ERROR_RELEASE_UNVERIFIED, 0, "what was signed is no provenance");
    error_detail(err, "%s", fault);
    return (status_t){ERROR_RELEASE_UNVERIFIED};
}

void statement_deinit(struct statement *statement) {
    json_free(statement->tree);
    statement->tree = nullptr;
}

const struct statement_subject *statement_find(const struct statement *statement,
                                               const char *name) {
    for (size_t i = 0; i < statement->count; i++) {
        if (strcmp(statement->subjects[i].name, name) == 0) {
            return &statement->subjects[i];
        }
    }
    return nullptr;
}
