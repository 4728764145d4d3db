/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock proxy -c FILE
 */
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "edge/development.h"
#include "edge/edge.h"
#include "edge/program_verbs.h"

/* Nobody should find out later. */
static void tell_made(const struct edge_tls *tls) {
    (void)printf("*** made %s and %s ***\n"
                 "*** self-signed, for " DEVELOPMENT_NAMES ", %d days: for development only ***\n",
                 tls->certificate_file, tls->key_file, DEVELOPMENT_DAYS);
    (void)fflush(stdout);
}

static status_t make_development(const char *file, struct error *err) {
    CLEANUP(edge_config_freep) struct edge_config *config = nullptr;
    TRY(edge_config_load(file, &config, err));
    return development_make_all(config, tell_made, err);
}

status_t program_serve(const struct program_call *call, int *ret_exit, struct error *err) {
    (void)ret_exit;
    TRY(make_development(call->file, err));
    return edge_run(&(struct edge_options){.file = call->file,
                                           .log_fd = STDERR_FILENO,
                                           .is_unconfined = call->is_unconfined},
                    err);
}
