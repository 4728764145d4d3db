/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/token_source.h"

#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "codec/text.h"
#include "policy/constraint.h"

static_assert((int)TOKEN_RATE_COUNT_MAX == (int)POLICY_RATE_COUNT_MAX);

static const char *template_or_null(const struct token_constraints *constraints) {
    return constraints->template_name[0] == '\0' ? nullptr : constraints->template_name;
}

/* "sha256:HEX"; false for any other form, which then fits no token that names arguments. */
static bool digest_of_text(const char *text, struct digest *ret_digest) {
    struct slice prefix = SLICE_LITERAL("sha256:");
    if (text == nullptr || !slice_starts_with(slice_of_string(text), prefix)) {
        return false;
    }
    return text_unhex(slice_of_string(text + prefix.size), ret_digest->bytes, DIGEST_BYTES);
}

/* What a request shows may break the constraints the decision had; the rest its maker sees to. */
static bool request_fits(const struct token_constraints *constraints,
                         const struct policy_request *request) {
    const struct policy_constraints remembered = {
        .template_name = template_or_null(constraints),
        .file_bytes_max = constraints->file_bytes_max,
        .total_bytes_max = constraints->total_bytes_max,
        .files_max = constraints->files_max,
        .present = true,
    };
    return policy_constraint_unmet(&remembered, request) == nullptr;
}

static enum policy_token_state check(void *context, const struct policy_request *request) {
    struct token_presented *presented = context;
    if (!presented->is_token) {
        presented->verdict = (struct token_verdict){TOKEN_MALFORMED, TOKEN_ROOT};
        return POLICY_TOKEN_INVALID;
    }
    bool is_native = request->engine == nullptr || strcmp(request->engine, "native") == 0;
    if (request->network_count > 0 || !is_native) { /* a token says nothing of either */
        presented->verdict = (struct token_verdict){TOKEN_WRONG_OPERATION, TOKEN_ROOT};
        return POLICY_TOKEN_INVALID;
    }
    struct digest arguments;
    const struct token_facts facts = {
        .now_ms = presented->bearer.now_ms,
        .operation = request->operation,
        .path = request->path,
        .path_is_folder = S_ISDIR(request->mode),
        .argument_digest =
            digest_of_text(request->argument_digest, &arguments) ? &arguments : nullptr,
        .sandbox_id = request->sandbox_id == nullptr ? "" : request->sandbox_id,
        .peer = presented->bearer.peer,
        .policy_digest = presented->bearer.policy_digest,
    };
    presented->verdict = token_judge(presented->bearer.authority, &presented->token, &facts);
    if (presented->verdict.result != TOKEN_VALID) {
        return POLICY_TOKEN_INVALID;
    }
    return request_fits(&presented->token.grant.constraints, request) ? POLICY_TOKEN_VALID
                                                                      : POLICY_TOKEN_UNFIT;
}

static bool use(void *context) {
    struct token_presented *presented = context;
    ASSERT(presented->verdict.result == TOKEN_VALID);
    presented->verdict = token_use(presented->bearer.authority, &presented->token);
    return presented->verdict.result == TOKEN_VALID;
}

static void format_id(const struct token_id *id, char ret[static 2 * TOKEN_ID_BYTES + 1]) {
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < TOKEN_ID_BYTES; i++) {
        ret[2 * i] = DIGITS[id->bytes[i] >> 4];
        ret[2 * i + 1] = DIGITS[id->bytes[i] & 15];
    }
    ret[2 * TOKEN_ID_BYTES] = '\0';
}

void token_presented_init(struct token_presented *presented, const struct token_bearer *bearer) {
    presented->bearer = *bearer;
    presented->verdict = (struct token_verdict){TOKEN_MALFORMED, TOKEN_ROOT};
    presented->is_token = token_parse_text(bearer->text, presented->buffer, &presented->token);
    presented->id[0] = '\0';
    if (presented->is_token) {
        format_id(&presented->token.grant.id, presented->id);
    }
    presented->source = (struct policy_token_source){
        .check = check,
        .use = use,
        .context = presented,
        .id = presented->id,
    };
}

void token_presented_obligations(const struct token_presented *presented,
                                 struct policy_obligations *ret_obligations) {
    ASSERT(presented->is_token);
    const struct token_constraints *constraints = &presented->token.grant.constraints;
    *ret_obligations = policy_obligations_none();
    ret_obligations->template_name = template_or_null(constraints);
    ret_obligations->file_bytes_max = constraints->file_bytes_max;
    ret_obligations->total_bytes_max = constraints->total_bytes_max;
    ret_obligations->files_max = constraints->files_max;
    ret_obligations->rate_count = constraints->rate_count;
    for (unsigned i = 0; i < constraints->rate_count; i++) {
        const struct token_rate *rate = &constraints->rates[i];
        ret_obligations->rates[i] = (struct policy_rate){rate->count, rate->window_ms, rate->rule};
    }
}

void token_constraints_of(const struct policy_obligations *obligations,
                          struct token_constraints *ret_constraints) {
    ASSERT(obligations->rate_count <= POLICY_RATE_COUNT_MAX);
    *ret_constraints = (struct token_constraints){
        .template_name = obligations->template_name == nullptr ? "" : obligations->template_name,
        .file_bytes_max = obligations->file_bytes_max,
        .total_bytes_max = obligations->total_bytes_max,
        .files_max = obligations->files_max,
        .rate_count = (unsigned)obligations->rate_count,
    };
    for (unsigned i = 0; i < ret_constraints->rate_count; i++) {
        const struct policy_rate *rate = &obligations->rates[i];
        ret_constraints->rates[i] = (struct token_rate){rate->count, rate->window_ms, rate->rule};
    }
}
