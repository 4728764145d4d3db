/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "engine/client.h"

static const char *const KIND_TEXTS[ENGINE_KIND_NAMES] = {
    [ENGINE_PODMAN] = "podman",
    [ENGINE_DOCKER] = "docker",
};

const char *engine_kind_text(enum engine_kind kind) {
    return KIND_TEXTS[kind];
}

bool engine_kind_find(const char *text, enum engine_kind *ret_kind) {
    for (unsigned i = 0; i < ENGINE_KIND_NAMES; i++) {
        if (strcmp(text, KIND_TEXTS[i]) == 0) {
            *ret_kind = (enum engine_kind)i;
            return true;
        }
    }
    return false;
}

status_t client_broken(const char *what, struct error *err) {
    return error_set(err, ERROR_ENGINE_PROGRAM, 0, "%s %s", CLIENT_PROGRAM, what);
}

status_t client_unanswered(const struct engine *engine, const struct engine_message *reply,
                           const char *what, struct error *err) {
    static const char *const WHY[ENGINE_OUTCOME_COUNT] = {
        [ENGINE_TIMEOUT] = "it took too long",
        [ENGINE_MALFORMED] = "what it answered is not what was asked for",
        [ENGINE_TOO_LONG] = "its answer is too long",
        [ENGINE_INTERNAL] = "the request cannot be put: a text in it is not UTF-8, or is too long",
    };
    const char *kind = engine_kind_text(engine->kind);
    status_t status;
    switch (reply->outcome) {
    case ENGINE_UNREACHABLE:
    case ENGINE_TIMEOUT:
        status = error_set(err, ERROR_ENGINE_UNREACHABLE, (int)reply->os_errno,
                           "cannot ask %s at %s to %s", kind, engine->socket, what);
        break;
    case ENGINE_REFUSED:
    case ENGINE_MISSING:
        status = error_set(err, ERROR_ENGINE_REFUSED, 0, "%s did not %s", kind, what);
        error_detail(err, "%s (status %u)", reply->text[0] != '\0' ? reply->text : "no reason told",
                     reply->status);
        return status;
    case ENGINE_INTERNAL:
        status = error_set(err, ERROR_ENGINE_PROGRAM, 0, "cannot ask %s to %s", kind, what);
        break;
    case ENGINE_MALFORMED:
    case ENGINE_TOO_LONG:
    case ENGINE_DONE:
    case ENGINE_OUTCOME_COUNT:
        status = error_set(err, ERROR_ENGINE_MALFORMED, 0, "%s did not %s", kind, what);
        break;
    }
    const char *why = reply->outcome < ENGINE_OUTCOME_COUNT ? WHY[reply->outcome] : nullptr;
    if (why != nullptr) {
        error_detail(err, "%s", why);
    }
    return status;
}

status_t client_lost(const struct engine *engine, struct error *err) {
    status_t status =
        error_set(err, ERROR_ENGINE_LOST, (int)engine->end.os_errno,
                  "%s lost the container while it ran", engine_kind_text(engine->kind));
    if (engine->end.outcome == ENGINE_MISSING) {
        error_detail(err, "it knows no such container any more: somebody removed it");
    } else if (engine->end.outcome == ENGINE_MALFORMED || engine->end.outcome == ENGINE_TOO_LONG) {
        error_detail(err, "what it sent is not of the form it must have");
    } else {
        error_detail(err, "it ended, or broke the connection");
    }
    return status;
}
