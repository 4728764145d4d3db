/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "cli/cli.h"

/* airlock doctor --templates: Airlock's and the user's, with what each gives. 65 when a file of the
 * user's cannot be used. */
int doctor_templates(const struct cli *cli);
