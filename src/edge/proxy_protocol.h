/* SPDX-License-Identifier: Apache-2.0
 *
 * The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt of 2020/03/05, with the types
 * of TLVs that were added since): what stands before the first byte of a connection that somebody
 * hands on, and says whose it is. Whoever may write it may be anybody it likes: it is read from
 * trusted networks alone, and there it has to be there.
 *
 * With TLVs of our own (types 0xE1 to 0xE3 of the range for that) the data plane tells a local
 * service what TLS knows of the client.
 */
#pragma once

#include "base/bytes.h"
#include "base/limits.h"
#include "codec/host.h"

enum proxy_protocol_version : uint8_t { PROXY_PROTOCOL_V1 = 1, PROXY_PROTOCOL_V2 = 2 };

enum proxy_protocol_result : uint8_t {
    PROXY_PROTOCOL_MORE,      /* what is there can become a header */
    PROXY_PROTOCOL_DONE,      /* a whole one */
    PROXY_PROTOCOL_MALFORMED, /* it cannot, whatever comes */
};

enum proxy_family : uint8_t {
    PROXY_FAMILY_NONE,
    PROXY_FAMILY_IPV4,
    PROXY_FAMILY_IPV6,
    PROXY_FAMILY_UNIX
};
enum proxy_transport : uint8_t {
    PROXY_TRANSPORT_NONE,
    PROXY_TRANSPORT_STREAM,
    PROXY_TRANSPORT_DATAGRAM
};

enum {
    PROXY_SPKI_BYTES = 32,     /* SHA-256 of the peer's SubjectPublicKeyInfo */
    PROXY_EXPORTER_BYTES = 32, /* of the TLS exporter, RFC 9266 */
    PROXY_UNIX_PATH_BYTES = 108,
    PROXY_UNIQUE_ID_BYTES_MAX = 128,
    /* Flags of proxy_ssl.client */
    PROXY_SSL_USED = 1,
    PROXY_SSL_CERT_CONNECTION = 2, /* the client showed a certificate on this connection */
    PROXY_SSL_CERT_SESSION = 4,    /* or on one that this one resumed */
};

struct proxy_endpoint {
    struct host_address address; /* of IPv4 and IPv6; size 0 else */
    uint16_t port;
    struct slice path; /* of Unix, without the zeros behind it; it may begin with one (abstract) */
};

struct proxy_ssl {
    bool is_there;
    uint8_t client;
    uint32_t verify;      /* 0: the client's certificate was verified */
    struct slice version; /* "TLSv1.3" */
    struct slice cipher;
    struct slice common_name;
    struct slice signature_algorithm;
    struct slice key_algorithm;
};

/* Slices are borrowed: of decoding from the bytes that were decoded. One of size 0 is not there. */
struct proxy_header {
    /* The connection is the sender's own (a health check): nothing else here counts. Version 1 says
     * UNKNOWN for that and for what it cannot say. */
    bool is_local;
    enum proxy_family family;
    enum proxy_transport transport;
    struct proxy_endpoint source, destination;
    struct slice alpn;
    struct slice authority; /* the server name that the client asked for */
    struct slice unique_id;
    struct proxy_ssl ssl;
    bool has_spki;
    bool has_group;
    bool has_exporter;
    bool has_checksum; /* decoded: there was one, and it was right; encoded: to be added */
    uint8_t spki[PROXY_SPKI_BYTES];
    uint16_t group; /* code point of the TLS group that was negotiated */
    uint8_t exporter[PROXY_EXPORTER_BYTES];
};

/* Of bytes from the start of a connection. DONE writes both outputs, the others neither; *ret_size
 * is how many bytes the header has, the next one is the client's. MORE for less than a whole
 * header. Counts LIMIT_PROXY_HEADER_V1_BYTES and LIMIT_PROXY_HEADER_BYTES.
 *
 * Stricter than the specification where two programs could read two things: a TLV that is known
 * here comes once, lengths add up exactly, version 1 has one space between its parts and one
 * spelling of a number. Unknown TLVs are passed over. A server name or an ALPN name of 0 bytes is
 * refused. */
enum proxy_protocol_result proxy_protocol_decode(struct slice bytes,
                                                 struct proxy_header *ret_header, size_t *ret_size);

/* Appends a header. Version 1 knows TCP over IPv4 and IPv6 alone and writes UNKNOWN for the rest,
 * and no TLV. The builder fails when the header would pass LIMIT_PROXY_HEADER_BYTES. */
void proxy_protocol_encode(const struct proxy_header *header, enum proxy_protocol_version version,
                           struct builder *out);
