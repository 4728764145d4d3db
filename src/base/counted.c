/* SPDX-License-Identifier: Apache-2.0
 *
 * In builds of tools/cover alone: begins to count before main(). A program that defines
 * __llvm_profile_runtime begins by itself where it would be begun for it, and so can take back the
 * variable that the runtime leaves in the environment, which tests are right to find too many.
 */
#include <stdlib.h>

extern int __llvm_profile_runtime;
extern void __llvm_profile_initialize(void);
int __llvm_profile_runtime;

__attribute__((constructor)) static void counted_begin(void) {
    __llvm_profile_initialize();
    (void)unsetenv("__LLVM_PROFILE_RT_INIT_ONCE");
}
