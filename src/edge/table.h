/* SPDX-License-Identifier: Apache-2.0
 *
 * A table for people: columns as wide as their widest cell.
 */
#pragma once

#include "base/bytes.h"

/* Prints rows of cells (a tab between two, a line end behind each row) to standard output, two
 * spaces from the left. The last column is not padded. */
void table_print(struct slice rows);
