/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files the strict profile may execute: the command, and what the kernel needs to start it,
 * which is the interpreter of a script, what env(1) as an interpreter looks up, and the loader of a
 * dynamic program.
 *
 * A loader that may be executed starts any file that can be read, as a program that may map files
 * does anyhow; what is kept away is the ordinary way to another program.
 */
#pragma once

/* Adds rules to execute (and, where the ruleset is about that, read) them. `name` is looked up in
 * `search`, of the form of PATH, when it has no '/'; relative paths begin in the working folder.
 * What is not there gets no rule. Once a process: what it finds is kept. False with errno. */
bool one_program_permit(int ruleset, const char *name, const char *search);
/* A ruleset of nothing else, in force for this thread and those it starts. False with errno: the
 * kernel has no Landlock, or does not let it be used. */
bool one_program_enforce(const char *name, const char *search);
