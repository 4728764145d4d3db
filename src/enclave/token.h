/* SPDX-License-Identifier: Apache-2.0
 *
 * What the maker and the verifier of evidence agree on: the names in the token. Inside enclave
 * only.
 */
#pragma once

/* RFC 9711 wants a URI; this one needs no domain that somebody could lose. */
#define TOKEN_PROFILE "urn:uuid:978db723-1be0-4a7c-806b-ddc54932cdd4"
#define TOKEN_HEADER "{\"alg\":\"ES256\",\"typ\":\"eat+jwt\"}"

/* What report data begins with. */
#define TOKEN_DOMAIN "airlock/attest/2"

/* Names of claims: RFC 9711, RFC 7519, and below "binding" and "quote" our own. */
#define CLAIM_NONCE "eat_nonce"
#define CLAIM_ISSUED "iat"
#define CLAIM_PROFILE "eat_profile"
#define CLAIM_DEBUG "dbgstat"
#define CLAIM_SUBMODS "submods"
#define CLAIM_BINDING "binding"
#define BINDING_KIND "kind"
#define BINDING_EXPORTER "exporter"
#define BINDING_SPKI "spki"
#define BINDING_GROUP "group"
#define BINDING_CONFIG "config"
#define SUBMOD_QUOTE "quote"
#define QUOTE_TYPE "type"
#define QUOTE_BYTES "quote"
#define DEBUG_ENABLED "enabled" /* the only value that stands for what nothing protects */

enum { TOKEN_CLAIMS = 6, TOKEN_BINDINGS = 5 };
