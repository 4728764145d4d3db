/* SPDX-License-Identifier: Apache-2.0
 *
 * The templates there are: Airlock's own, and those of the user in
 * ~/.config/airlock/templates/NAME.yaml. A workspace brings none.
 */
#pragma once

#include "sandbox/template.h"

/* Finds one by its name. Of a user's, *ret_definition holds the row and is the caller's to free;
 * nullptr otherwise. SANDBOX_TEMPLATE when there is none of the name, TEMPLATE_INVALID when its
 * file cannot be used. */
status_t templates_find(const char *name, struct template_definition **ret_definition,
                        const struct template_row **ret_row, struct error *err);

/* Called for each file of the user's: its template, or nullptr and what is wrong with it. */
typedef void templates_seen(void *context, const char *name, const struct template_row *row,
                            const struct error *wrong);
void templates_each_own(templates_seen *seen, void *context);
