/* SPDX-License-Identifier: Apache-2.0
 *
 * One request after the other, out of bytes (llhttp, strict), and what a response begins with.
 */
#pragma once

#include <llhttp.h>

#include "base/bytes.h"
#include "base/limits.h"

enum admin_page : uint8_t { ADMIN_METRICS, ADMIN_HEALTH, ADMIN_READY };

struct admin_request {
    llhttp_t parser;
    char url[64]; /* the pages' are shorter: what does not fit is none of them */
    size_t url_size;
    char name[8]; /* of a header field, in lower case; "host" is the only one that counts */
    size_t name_size;
    bool is_host; /* the field whose value comes */
    unsigned hosts;
    char host[64]; /* as it stands in the field; what does not fit is no address of this machine */
    size_t host_size;
    size_t size; /* bytes of the head so far */
    bool is_complete;
    unsigned status; /* 0: a page is asked for; else what to refuse it with */
    bool is_head, keeps;
    enum admin_page page;
};

void admin_request_init(struct admin_request *request);
/* Takes bytes up to the end of the request; how many. When `is_complete`, the rest is said and it
 * has to be initialised anew before more is fed. */
size_t admin_request_feed(struct admin_request *request, struct slice bytes);

/* Whether Host names this machine as such: an address, or localhost. A page of somebody else that
 * has its own name resolve to 127.0.0.1 has a browser ask with that name. */
bool admin_request_names_this(const struct admin_request *request);

struct admin_answer {
    unsigned status;
    const char *type;
    size_t size; /* of the body */
    bool closes;
    int64_t date; /* seconds since 1970 */
};
void admin_answer_head(const struct admin_answer *answer, struct builder *out);
const char *admin_status_text(unsigned status);
