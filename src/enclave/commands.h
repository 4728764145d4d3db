/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of airlock-enclave. argv[0] is the verb; the answer is the exit status.
 */
#pragma once

int command_manifest(int argc, char **argv);
int command_lint(int argc, char **argv);
int command_sim(int argc, char **argv, char **environment);
int command_verify(int argc, char **argv);
