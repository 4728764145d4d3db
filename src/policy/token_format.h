/* SPDX-License-Identifier: Apache-2.0
 *
 * The form of a capability token. Pure bytes: nothing here knows a key or a clock.
 *
 *   token   = block(root) | u8 count | count x block(caveat) | seal[32]
 *   root    = "alc" 0x01 | id[16] | nonce[16] | expires_ms u64 | max_ops u32 | operation
 *           | globs | digest? | sandbox | peer | constraints | policy digest[32]
 *   caveat  = 0x01 operation | 0x02 globs (not none) | 0x03 u32 | 0x04 u64
 *   globs   = u8 count | count x string       digest? = 0x00, or 0x01 | digest[32]
 *   peer    = 0x01 | pidfd inode u64 | uid u32, or 0x02 | pid u32 | start u64 | uid u32
 *   constraints = template string | file, total u64 | files u32 | u8 count
 *           | count x (count u32 | window u64 | rule string)
 *
 * Numbers are little-endian; block and string are those of base/bytes.h. As text, a token is
 * "alc_" and the bytes in base64url. Every token has one form: what token_parse() takes,
 * token_format() writes back byte for byte. A caveat or version nobody knows is refused.
 */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/hash.h"

enum {
    TOKEN_ID_BYTES = 16,
    TOKEN_NONCE_BYTES = 16,
    TOKEN_WORD_BYTES_MAX = 64,   /* of an operation, a sandbox id, a template, a rule */
    TOKEN_GLOB_BYTES_MAX = 1024, /* of one path glob */
    TOKEN_RATE_COUNT_MAX = 4,
    TOKEN_TEXT_BYTES_MAX = 4 + ((int)LIMIT_TOKEN_BYTES * 4 + 2) / 3,
};

struct token_id {
    uint8_t bytes[TOKEN_ID_BYTES];
};

enum token_peer_kind : uint8_t {
    TOKEN_PEER_PIDFD = 1, /* inode of its pidfd, which pidfs never gives to another process */
    TOKEN_PEER_START = 2, /* process id and start time, where there is no pidfs */
};

/* Who holds a token. Fields of the other kind are 0. */
struct token_peer {
    enum token_peer_kind kind;
    uint32_t uid;
    uint64_t pidfd_inode;
    uint32_t pid;
    uint64_t start_ticks; /* field 22 of /proc/PID/stat */
};

/* No globs: only requests that have no path. */
struct token_globs {
    const char *globs[LIMIT_TOKEN_GLOBS];
    unsigned count;
};

struct token_rate {
    uint32_t count;
    uint64_t window_ms;
    const char *rule; /* whose rate it is */
};

/* What the remembered decision asks of whoever acts on it. */
struct token_constraints {
    const char *template_name; /* "": any */
    uint64_t file_bytes_max;   /* UINT64_MAX: none */
    uint64_t total_bytes_max;  /* UINT64_MAX: none */
    uint32_t files_max;        /* UINT32_MAX: none */
    struct token_rate rates[TOKEN_RATE_COUNT_MAX];
    unsigned rate_count;
};

/* The root: what was granted, to whom, until when. Strings are never nullptr. */
struct token_grant {
    struct token_id id;
    uint8_t nonce[TOKEN_NONCE_BYTES];
    uint64_t expires_ms;   /* valid before it, not at it */
    uint32_t max_ops;      /* at least 1 */
    const char *operation; /* exact, or a prefix with a final '*' */
    struct token_globs paths;
    bool has_argument_digest;
    struct digest argument_digest; /* zero when it has none */
    const char *sandbox_id;        /* "": outside of any */
    struct token_peer peer;
    struct token_constraints constraints;
    struct digest policy_digest;
};

enum token_caveat_kind : uint8_t {
    TOKEN_CAVEAT_OPERATION = 1,
    TOKEN_CAVEAT_PATHS = 2,
    TOKEN_CAVEAT_OPS = 3,
    TOKEN_CAVEAT_EXPIRES = 4,
};

/* One more condition. All conditions hold, so a caveat can only take away. */
struct token_caveat {
    enum token_caveat_kind kind;
    const char *operation;    /* OPERATION */
    struct token_globs paths; /* PATHS; at least one */
    uint32_t max_ops;         /* OPS; of the root's count, at least 1 */
    uint64_t expires_ms;      /* EXPIRES */
    struct slice encoded;     /* as sealed; set by token_parse(), ignored by the writers */
};

/* Borrows the bytes it was parsed from. */
struct token {
    struct token_grant grant;
    struct slice root; /* as sealed */
    struct token_caveat caveats[LIMIT_TOKEN_CAVEATS];
    unsigned caveat_count;
    struct digest seal;
};

/* false for anything that is not exactly one well-formed token. */
bool token_parse(struct slice bytes, struct token *ret_token);
/* The same from text, decoded into `buffer`, which the token then borrows. */
bool token_parse_text(struct slice text, uint8_t buffer[static LIMIT_TOKEN_BYTES],
                      struct token *ret_token);

/* Appends; false for what token_parse() would not take back, or when the builder failed. */
bool token_format_root(const struct token_grant *grant, struct builder *out);
bool token_format_caveat(const struct token_caveat *caveat, struct builder *out);
/* The token again, out of its encoded root and caveats and its seal. */
bool token_format(const struct token *token, struct builder *out);
bool token_format_text(const struct token *token, struct builder *out);

/* The form of an operation: printable ASCII, not empty, `*` only at the end. */
bool token_operation_is_valid(const char *operation);
