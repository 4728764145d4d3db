/* SPDX-License-Identifier: Apache-2.0
 *
 * A policy file's text into a document (rule.h), or into diagnostics. Pure: the text is handed in,
 * no file and no clock is touched. All or nothing: a file with one error gives no document. What a
 * file may say stands in docs/policy.md.
 */
#pragma once

#include "base/error.h"
#include "policy/diagnostics.h"
#include "policy/rule.h"

/* Reads a whole file. `file` names it in positions and must outlive `diagnostics`; the document
 * keeps a copy. `diagnostics` is set on success too (warnings) and needs no initialising. An empty
 * text is a document without rules and one warning. On success the caller owns *ret_document.
 *
 * Errors: ERROR_POLICY_INVALID with the first diagnostic as its message and hint, ERROR_LIMIT with
 * the same, ERROR_NO_MEMORY. */
status_t policy_load(struct slice text, const char *file, struct policy_diagnostics *diagnostics,
                     struct policy_document **ret_document, struct error *err);
void policy_document_free(struct policy_document *document); /* nullptr is fine */
void policy_document_freep(struct policy_document **document);

/* A field's key in YAML. Constant. */
const char *policy_field_text(enum policy_field field);
