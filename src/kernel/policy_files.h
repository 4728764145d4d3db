/* SPDX-License-Identifier: Apache-2.0
 *
 * Which policy counts: the built-in rules, then the user's file (the shipped default when there is
 * none, and nothing but denials when it is empty), then the workspace's .airlock/policy.yaml, which
 * came with somebody's repository and so may only deny or demand review until the user trusts its
 * digest. A file that cannot be read or understood stops what was asked for: nothing is ever
 * decided by half a policy.
 */
#pragma once

#include "kernel/kernel.h"
#include "policy/compile.h"
#include "policy/load.h"

enum policy_trust : uint8_t {
    POLICY_TRUST_NONE,      /* the workspace has no policy file */
    POLICY_TRUST_UNTRUSTED, /* it has one, which may only restrict */
    POLICY_TRUST_TRUSTED,
};

struct policy_file {
    char path[LIMIT_PATH_BYTES];      /* "" when there is none; "default" for the shipped one */
    struct digest digest;             /* SHA-256 of its bytes */
    struct policy_document *document; /* owned; nullptr when there is none */
    struct policy_diagnostics *diagnostics; /* owned; warnings of a good file */
};

struct extensions; /* kernel/extension.h */

/* What is in force for one workspace. Everything stays as it was read, whatever happens to the
 * files meanwhile: one request is judged by one policy. */
struct policy_in_force {
    struct policy_file user;
    struct policy_file workspace;
    enum policy_trust trust;
    struct policy_rules *rules;    /* owned */
    struct extensions *extensions; /* owned; only kernel_policy() starts them */
    struct policy_engine engine;
    struct digest digest; /* of all of it: over both digests and the trust */
};

/* Where the user's file is: $XDG_CONFIG_HOME/airlock/policy.yaml, else ~/.config/airlock/... */
status_t policy_files_user_path(char ret_path[static LIMIT_PATH_BYTES], struct error *err);

/* `workspace` may be nullptr: no workspace layer. POLICY_INVALID shows the first error with file,
 * line and column. *ret_policy must stay where it is: its parts point at each other. */
status_t policy_files_load(const struct state *state, const char *workspace,
                           struct policy_in_force *ret_policy, struct error *err);
/* The same with another text in place of the user's file: for check, test, replay and update. */
status_t policy_files_load_with(const struct state *state, const char *workspace,
                                struct slice user_text, const char *user_name,
                                struct policy_in_force *ret_policy, struct error *err);
void policy_in_force_deinit(struct policy_in_force *policy);

/* The policy of this command, read when it is first asked for and then kept: borrowed until the
 * kernel closes. Its extensions are running; those of a workspace that is not trusted are an error,
 * because without them more might be allowed. One command works in one workspace. */
status_t kernel_policy(struct kernel *kernel, const char *workspace,
                       const struct policy_in_force **ret_policy, struct error *err);
/* Forgets it, for kernel_close() and for who has changed it. */
void kernel_policy_drop(struct kernel *kernel);

/* Digest of the user's file as it stands, of the shipped default when there is none; whether it is
 * valid does not matter. */
status_t policy_files_user_digest(struct digest *ret_digest, struct error *err);

/* Trusts the workspace's file that has this digest, which a person has looked at; a file changed
 * meanwhile has another one and is not trusted. nullptr: drops the trust, ERROR_POLICY_MISSING when
 * there is none. Durable; writes the entry policy_trusted first. */
status_t policy_files_trust(struct kernel *kernel, const char *workspace,
                            const struct digest *digest_or_null, struct error *err);

struct policy_replay_result; /* kernel/policy_replay.h */

/* Puts `text` in force as the user's file: temporary file, fsync, the entry policy_updated with
 * both digests, rename, fsync of the folder. A crash leaves the old or the new file whole. The
 * caller has compiled it and asked a person. A link stays one: what it leads to is replaced.
 * ERROR_BUSY when the file is no longer the one with `old_digest`. */
struct policy_update {
    struct slice text;
    struct digest old_digest; /* policy_files_user_digest() when the person was asked */
    const struct policy_replay_result *replay; /* what the person was shown */
};
status_t policy_files_update(struct kernel *kernel, const struct policy_update *update,
                             struct error *err);
