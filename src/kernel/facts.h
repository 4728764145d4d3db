/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request was judged by, kept so that another policy can be tried on it: the match fields in
 * clear, in the entry; for an apply, which is judged path by path, in runs/<id>/facts.
 *
 * That file has one canonical JSON object a line, in the order the paths were judged:
 *
 *   {"link_target":"...","mode":33188,"outcome":"allow","path":"src/a.c","rule":"NAME","size":12}
 *
 * mode is st_mode, 0 for what is deleted; link_target is there for symbolic links only; paths and
 * targets are escaped as in the log. The entry holds SHA-256 of the whole. A later apply of the
 * same run takes the file's place, and then the earlier entry's facts are gone.
 */
#pragma once

#include "codec/json.h"
#include "crypto/hash.h"
#include "kernel/policy_files.h"

/* The fields of a request that rules match by, under the names they have there. */
struct json *facts_of(const struct policy_request *request);
/* Adds what an entry says of the policy: `facts` of the request, and `policy_digest`. nullptr: no
 * one request stands for the whole. */
void facts_record(struct json *fields, const struct policy_request *request,
                  const struct policy_in_force *policy);

struct facts_list {
    struct builder text; /* owned */
};
void facts_list_init(struct facts_list *list);
void facts_list_deinit(struct facts_list *list);
void facts_list_add(struct facts_list *list, const struct policy_request *request,
                    const struct policy_decision *decision);
/* Writes runs/<id>/facts. ERROR_LIMIT when there are too many. */
status_t facts_list_save(const struct facts_list *list, const struct run *run,
                         struct digest *ret_digest, struct error *err);
