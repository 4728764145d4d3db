/* SPDX-License-Identifier: Apache-2.0
 *
 * The one function of it that the proof about hybrid_kem.c needs.
 */
#pragma once

int RAND_priv_bytes(unsigned char *bytes, int size);
