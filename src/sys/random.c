/* SPDX-License-Identifier: Apache-2.0 */
#include "sys/random.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/assert.h"

void random_fill(void *data, size_t size) {
    uint8_t *bytes = data;
    while (size > 0) {
        ssize_t got = getrandom(bytes, size, 0);
        if (got < 0) {
            ASSERT(errno == EINTR);
            continue;
        }
        bytes += got;
        size -= (size_t)got;
    }
}

void id_generate(uint64_t time_ms, char ret_id[static ID_TEXT_BYTES]) {
    uint8_t bytes[16];
    random_fill(bytes, sizeof bytes);
    for (int i = 0; i < 6; i++) {
        bytes[i] = (uint8_t)(time_ms >> (8 * (5 - i)));
    }
    bytes[6] = (uint8_t)(0x70 | (bytes[6] & 0x0f)); /* version 7 */
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f)); /* variant of RFC 9562 */
    char *out = ret_id;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = "0123456789abcdef"[bytes[i] >> 4];
        *out++ = "0123456789abcdef"[bytes[i] & 15];
    }
    *out = '\0';
}

bool id_is_valid(const char *text) {
    if (strlen(text) != ID_TEXT_BYTES - 1) {
        return false;
    }
    for (size_t i = 0; i < ID_TEXT_BYTES - 1; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
        if (dash ? text[i] != '-' : !hex) {
            return false;
        }
    }
    return true;
}
