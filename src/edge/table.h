/* SPDX-License-Identifier: Apache-2.0
 *
 * A table for people: columns as wide as their widest cell; at a terminal that is narrower than
 * that, a line for each cell.
 */
#pragma once

#include "base/bytes.h"

/* Prints rows of cells, the first one the heads of columns (a tab between two, a line end behind
 * each row) to standard output, two spaces from the left. The last column is not padded. */
void table_print(struct slice rows);
