/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing PROXY headers; proxy_protocol.c reads them and says what they look like.
 */
#include <arpa/inet.h>

#include "base/assert.h"
#include "edge/crc32c.h"
#include "edge/proxy_protocol_format.h"

static struct slice name_get(const struct proxy_header *header, const struct name_row *row) {
    return *(const struct slice *)(const void *)((const char *)header + row->field);
}

static void encode_address_text(const struct proxy_endpoint *endpoint, enum proxy_family family,
                                struct builder *out) {
    char text[INET6_ADDRSTRLEN] = "";
    (void)inet_ntop(family == PROXY_FAMILY_IPV4 ? AF_INET : AF_INET6, endpoint->address.bytes, text,
                    sizeof text);
    builder_text(out, text);
}

static void encode_v1(const struct proxy_header *header, struct builder *out) {
    if (header->is_local || header->transport != PROXY_TRANSPORT_STREAM ||
        (header->family != PROXY_FAMILY_IPV4 && header->family != PROXY_FAMILY_IPV6)) {
        builder_text(out, "PROXY UNKNOWN\r\n");
        return;
    }
    builder_text(out, header->family == PROXY_FAMILY_IPV4 ? "PROXY TCP4 " : "PROXY TCP6 ");
    encode_address_text(&header->source, header->family, out);
    builder_u8(out, ' ');
    encode_address_text(&header->destination, header->family, out);
    builder_format(out, " %u %u\r\n", header->source.port, header->destination.port);
}

static void encode_tlv(uint8_t type, struct slice value, struct builder *out) {
    ASSERT(value.size <= UINT16_MAX);
    builder_u8(out, type);
    builder_u16_be(out, (uint16_t)value.size);
    builder_bytes(out, value);
}

static void encode_names(const struct proxy_header *header, const struct name_row *rows,
                         size_t count, struct builder *out) {
    for (size_t i = 0; i < count; i++) {
        struct slice value = name_get(header, &rows[i]);
        ASSERT(value.size <= rows[i].size_max);
        if (value.size > 0) {
            encode_tlv(rows[i].type, value, out);
        }
    }
}

static void encode_ssl(const struct proxy_header *header, struct builder *out) {
    struct builder value;
    builder_init(&value, LIMIT_PROXY_HEADER_BYTES);
    builder_u8(&value, header->ssl.client);
    builder_u16_be(&value, (uint16_t)(header->ssl.verify >> 16));
    builder_u16_be(&value, (uint16_t)header->ssl.verify);
    encode_names(header, proxy_ssl_names, PROXY_SSL_NAME_COUNT, &value);
    encode_tlv(TLV_SSL, builder_slice(&value), out);
    out->failed = out->failed || !builder_is_ok(&value);
    builder_deinit(&value);
}

static void encode_address(const struct proxy_endpoint *endpoint, enum proxy_family family,
                           struct builder *out) {
    static const uint8_t ZEROS[PROXY_UNIX_PATH_BYTES] = {};
    if (family != PROXY_FAMILY_UNIX) {
        ASSERT(family == PROXY_FAMILY_NONE ||
               endpoint->address.size == proxy_address_bytes[family]);
        builder_bytes(out, slice_of(endpoint->address.bytes, proxy_address_bytes[family]));
        return;
    }
    ASSERT(endpoint->path.size <= PROXY_UNIX_PATH_BYTES);
    builder_bytes(out, endpoint->path);
    builder_bytes(out, slice_of(ZEROS, PROXY_UNIX_PATH_BYTES - endpoint->path.size));
}

static void encode_tlvs(const struct proxy_header *header, struct builder *out) {
    const uint8_t group[GROUP_BYTES] = {(uint8_t)(header->group >> 8), (uint8_t)header->group};
    encode_names(header, proxy_names, PROXY_NAME_COUNT, out);
    if (header->ssl.is_there) {
        encode_ssl(header, out);
    }
    if (header->has_spki) {
        encode_tlv(TLV_SPKI, slice_of(header->spki, sizeof header->spki), out);
    }
    if (header->has_group) {
        encode_tlv(TLV_GROUP, slice_of(group, sizeof group), out);
    }
    if (header->has_exporter) {
        encode_tlv(TLV_EXPORTER, slice_of(header->exporter, sizeof header->exporter), out);
    }
}

/* The addresses and TLVs of a header that is no LOCAL one. */
static void encode_body(const struct proxy_header *header, struct builder *out) {
    encode_address(&header->source, header->family, out);
    encode_address(&header->destination, header->family, out);
    if (header->family == PROXY_FAMILY_IPV4 || header->family == PROXY_FAMILY_IPV6) {
        builder_u16_be(out, header->source.port);
        builder_u16_be(out, header->destination.port);
    }
    encode_tlvs(header, out);
}

/* Appends the checksum of everything in `whole`, whose length was counted with it in mind. */
static void encode_checksum(struct builder *whole) {
    static const uint8_t ZEROS[CHECKSUM_BYTES] = {};
    builder_u8(whole, TLV_CRC32C);
    builder_u16_be(whole, CHECKSUM_BYTES);
    uint32_t sum = crc32c(CRC32C_START, builder_slice(whole));
    sum = crc32c(sum, slice_of(ZEROS, CHECKSUM_BYTES));
    builder_u16_be(whole, (uint16_t)(sum >> 16));
    builder_u16_be(whole, (uint16_t)sum);
}

static void encode_v2(const struct proxy_header *header, struct builder *out) {
    struct builder body;
    struct builder whole;
    bool has_checksum = header->has_checksum && !header->is_local;
    builder_init(&body, LIMIT_PROXY_HEADER_BYTES);
    builder_init(&whole, LIMIT_PROXY_HEADER_BYTES);
    if (!header->is_local) {
        encode_body(header, &body);
    }
    size_t size = body.size + (has_checksum ? TLV_HEAD_BYTES + CHECKSUM_BYTES : 0);
    builder_bytes(&whole, slice_of(proxy_signature, SIGNATURE_BYTES));
    builder_u8(&whole, VERSION_2 | (header->is_local ? COMMAND_LOCAL : COMMAND_PROXY));
    builder_u8(&whole, header->is_local ? 0 : (uint8_t)(header->family << 4 | header->transport));
    builder_u16_be(&whole, (uint16_t)size);
    builder_bytes(&whole, builder_slice(&body));
    if (has_checksum) {
        encode_checksum(&whole);
    }
    if (!builder_is_ok(&body) || !builder_is_ok(&whole)) {
        limit_hit(LIMIT_ID_PROXY_HEADER_BYTES);
        out->failed = true;
    }
    builder_bytes(out, builder_slice(&whole));
    builder_deinit(&whole);
    builder_deinit(&body);
}

void proxy_protocol_encode(const struct proxy_header *header, enum proxy_protocol_version version,
                           struct builder *out) {
    switch (version) {
    case PROXY_PROTOCOL_V1:
        encode_v1(header, out);
        break;
    case PROXY_PROTOCOL_V2:
        ASSERT(header->is_local || (header->family == PROXY_FAMILY_NONE) ==
                                       (header->transport == PROXY_TRANSPORT_NONE));
        encode_v2(header, out);
        break;
    }
}
