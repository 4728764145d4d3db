/* SPDX-License-Identifier: Apache-2.0
 *
 * What decoding and encoding the PROXY protocol have in common: numbers of the specification, and
 * the tables of TLVs that hold names.
 */
#pragma once

#include <stddef.h>

#include "edge/proxy_protocol.h"

enum {
    SIGNATURE_BYTES = 12,
    HEAD_BYTES = 16, /* of version 2: all before the addresses */
    TLV_HEAD_BYTES = 3,
    CHECKSUM_BYTES = 4,
    GROUP_BYTES = 2,
    NAME_BYTES_MAX = 255,
    VERSION_2 = 0x20,
    COMMAND_LOCAL = 0,
    COMMAND_PROXY = 1,
};

enum tlv_type : uint8_t {
    TLV_ALPN = 0x01,
    TLV_AUTHORITY = 0x02,
    TLV_CRC32C = 0x03,
    TLV_NOOP = 0x04,
    TLV_UNIQUE_ID = 0x05,
    TLV_SSL = 0x20,
    TLV_SSL_VERSION = 0x21,
    TLV_SSL_COMMON_NAME = 0x22,
    TLV_SSL_CIPHER = 0x23,
    TLV_SSL_SIGNATURE_ALGORITHM = 0x24,
    TLV_SSL_KEY_ALGORITHM = 0x25,
    TLV_SPKI = 0xe1,
    TLV_GROUP = 0xe2,
    TLV_EXPORTER = 0xe3,
};

/* A TLV whose value is a text or an identifier: 1 to size_max bytes, kept as a slice. */
struct name_row {
    uint8_t type;
    uint8_t size_max;
    uint16_t field; /* where its slice is in a struct proxy_header */
};

enum { PROXY_NAME_COUNT = 3, PROXY_SSL_NAME_COUNT = 5 };

extern const struct name_row proxy_names[PROXY_NAME_COUNT];
extern const struct name_row proxy_ssl_names[PROXY_SSL_NAME_COUNT]; /* within the TLV about TLS */
extern const uint8_t proxy_signature[SIGNATURE_BYTES];
extern const uint8_t proxy_address_bytes[]; /* of one address of the block, by family */
