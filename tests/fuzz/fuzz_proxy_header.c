/* SPDX-License-Identifier: Apache-2.0
 *
 * PROXY headers: what is accepted keeps to its limits, is told the same by any longer input, is
 * MORE for every part of it, and says the same again when it is written and read once more.
 */
#include <string.h>

#include "base/assert.h"
#include "edge/proxy_protocol.h"
#include "fuzz.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    struct proxy_header header = {
        .family = PROXY_FAMILY_IPV4,
        .transport = PROXY_TRANSPORT_STREAM,
        .source = {.address = {4, {192, 0, 2, 1}}, .port = 51234},
        .destination = {.address = {4, {192, 0, 2, 2}}, .port = 443},
    };
    switch (number) {
    case 0:
    case 1:
        proxy_protocol_encode(&header, number == 0 ? PROXY_PROTOCOL_V1 : PROXY_PROTOCOL_V2, out);
        return true;
    case 2:
        header.alpn = SLICE_LITERAL("h2");
        header.authority = SLICE_LITERAL("a.example");
        header.unique_id = SLICE_LITERAL("7");
        header.ssl = (struct proxy_ssl){.is_there = true,
                                        .client = PROXY_SSL_USED,
                                        .version = SLICE_LITERAL("TLSv1.3"),
                                        .cipher = SLICE_LITERAL("x")};
        header.has_spki = true;
        header.has_group = true;
        header.has_exporter = true;
        proxy_protocol_encode(&header, PROXY_PROTOCOL_V2, out);
        return true;
    case 3:
        header.has_checksum = true;
        proxy_protocol_encode(&header, PROXY_PROTOCOL_V2, out);
        return true;
    case 4:
        header.family = PROXY_FAMILY_UNIX;
        header.source.path = SLICE_LITERAL("/a");
        proxy_protocol_encode(&header, PROXY_PROTOCOL_V2, out);
        return true;
    default:
        return false;
    }
}

static bool lies_in(struct slice part, const uint8_t *data, size_t size) {
    return part.size == 0 || (part.data >= data && part.data + part.size <= data + size);
}

/* Written and read again it says the same. */
static void check_again(const struct proxy_header *header) {
    struct proxy_header again;
    struct builder bytes;
    size_t size = 0;
    builder_init(&bytes, LIMIT_PROXY_HEADER_BYTES);
    proxy_protocol_encode(header, PROXY_PROTOCOL_V2, &bytes);
    ASSERT(builder_is_ok(&bytes));
    ASSERT(proxy_protocol_decode(builder_slice(&bytes), &again, &size) == PROXY_PROTOCOL_DONE);
    ASSERT(size == bytes.size && again.is_local == header->is_local);
    if (!again.is_local) {
        ASSERT(again.family == header->family && again.transport == header->transport);
        ASSERT(again.source.port == header->source.port);
        const struct host_address *address = &again.source.address;
        ASSERT(address->size == header->source.address.size);
        ASSERT(memcmp(address->bytes, header->source.address.bytes, address->size) == 0);
        ASSERT(slice_equal(again.source.path, header->source.path));
        ASSERT(slice_equal(again.alpn, header->alpn));
        ASSERT(slice_equal(again.authority, header->authority));
        ASSERT(slice_equal(again.ssl.cipher, header->ssl.cipher));
        ASSERT(again.ssl.verify == header->ssl.verify && again.group == header->group);
        ASSERT(memcmp(again.spki, header->spki, sizeof again.spki) == 0);
    }
    builder_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct proxy_header header;
    struct proxy_header part;
    size_t used = 0;
    size_t part_used = 0;
    enum proxy_protocol_result result = proxy_protocol_decode(slice_of(data, size), &header, &used);
    for (size_t less = 0; less < size; less += 1 + less / 16) {
        enum proxy_protocol_result now =
            proxy_protocol_decode(slice_of(data, less), &part, &part_used);
        /* More bytes never change what was said already. */
        ASSERT(now == PROXY_PROTOCOL_MORE || now == result);
        ASSERT(now != PROXY_PROTOCOL_DONE || part_used == used);
        ASSERT(result != PROXY_PROTOCOL_DONE || less >= used || now == PROXY_PROTOCOL_MORE);
    }
    if (result == PROXY_PROTOCOL_DONE) {
        ASSERT(used > 0 && used <= size && used <= LIMIT_PROXY_HEADER_BYTES);
        ASSERT(lies_in(header.alpn, data, used) && lies_in(header.authority, data, used));
        ASSERT(lies_in(header.source.path, data, used) && lies_in(header.ssl.cipher, data, used));
        check_again(&header);
    }
    return 0;
}
