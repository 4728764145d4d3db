/* SPDX-License-Identifier: Apache-2.0
 *
 * In builds of tools/cover alone: a program that defines this and begins nothing counts nothing.
 */
extern int __llvm_profile_runtime;
int __llvm_profile_runtime;
