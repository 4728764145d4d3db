# SPDX-License-Identifier: Apache-2.0
"""The ClientHello and its second one: RFC 8446 sections 4.1.2, 4.1.4, 4.2, 9.2 and D.2, RFC 6066, 7301, 8449, 8701. Rows for
proxy_conform.py."""
import os
import struct

from proxy_conform_shares import GREASE, add_share, chooses
from proxy_conform_peer import (ALPN, CLIENT_HELLO, COOKIE, DATA, EARLY_DATA, ECDSA, FRAGMENT, GROUPS, HANDSHAKE, KEY_SHARE, MLDSA65,
    PADDING, PSK, PSK_MODES, RECORD_MAX, SECP256R1, SIGNATURES, SIZE_LIMIT, SNI, VERSIONS, X25519, X25519MLKEM768, message, record,
    vector, words)
from proxy_conform_tools import AGAIN, HELLO, SHAKE, Hello, Row, Share, Talk, changed, refused

BOTH = {"groups": (X25519MLKEM768, X25519), "shares": (X25519,)}  # leads to a HelloRetryRequest
UNKNOWN = 0xFE42


def hello(change, **options):
    return Talk(changed(change, **options))


def says(kind, *data):
    return [hello(lambda made, d=one: made.set(kind, d)) for one in data]


def set_field(name, *values):
    return [hello(lambda made, v=value: setattr(made, name, v)) for value in values]


def raw(*messages):
    """Instead of a ClientHello."""
    def talk(data):
        def work(client):
            client.send_raw(data(client.hello))
            client.read_message()
        return Talk(Hello, work)
    return [talk(data) for data in messages]


def psk(binder=32, identities=1, binders=None):
    rows = b"".join(vector(b"ticket") + bytes(4) for _ in range(identities))
    proofs = vector(bytes(binder), 1) * (identities if binders is None else binders)
    return vector(rows) + vector(proofs)


def with_psk(made, data, modes=b"\x01\x01"):
    if modes is not None:
        made.set(PSK_MODES, modes)
    made.set(PSK, data)


def grown(size):
    """A ClientHello of so many bytes, by an extension that nobody knows."""
    def change(made):
        made.set(UNKNOWN, bytes(size - len(made.message()) - 4))
        assert len(made.message()) == size
    return change


def fields():
    yield Row("legacy_session_id: none, and 32 bytes", "served", *set_field("session", b"", os.urandom(32), os.urandom(1)))
    yield Row("legacy_session_id: one that is too long", 50, *set_field("session", bytes(33), bytes(255)), counts=HELLO)
    yield Row("legacy_version is not what is looked at", "served", *set_field("version", 0x0301, 0x0302, 0x0304, 0x03FF))
    # Protocol_version (70) by section D.5. Libssl says that in SSL 3, which has no such alert, and turns it into 40.
    yield Row("legacy_version may not say SSL 3", 40, *set_field("version", 0x0300), counts=SHAKE)
    yield Row("legacy_version may not say SSL 2", 70, *set_field("version", 0x0002, 0x0200), counts=SHAKE)
    yield Row("legacy_compression_methods: more than none", 47, *set_field("compression", b"\1", b"\0\1", b"\1\0", b"\0\0"), counts=SHAKE)
    yield Row("legacy_compression_methods: not even none", 50, *set_field("compression", b""), counts=SHAKE)
    yield Row("cipher suites: none, and half a one", 50, *set_field("suites", b"", b"\x13", words(0x1301) + b"\x13"), counts=SHAKE)
    yield Row("cipher suites: not known, of TLS 1.2, without a cipher", 40, *set_field("suites", words(0x1304, 0x1305, 0x13FF),
              words(0xC02B, 0xC02F, 0x009C), words(0x00FF), words(0x5600), words(0xC0B4, 0xC0B5), words(GREASE)), counts=SHAKE)
    yield Row("cipher suites: among many, and GREASE", "served", *set_field("suites", words(GREASE, *range(0xC000, 0xC100), 0x1303),
              words(0x1301, 0x1301), words(0x1302, *range(2, 4000))))
    yield Row("cipher suites: the server chooses", "served", chooses_suite(0x1301, 0x1303, 0x1302), chooses_suite(0x1303, 0x1301, 0x1302),
              chooses_suite(0x1301, 0x1303))
    yield Row("supported_versions: no TLS 1.3", 70, *says(VERSIONS, b"\x02\x03\x03", b"\x06\x03\x01\x03\x02\x03\x03", b"\x02\x7f\x1c",
              b"\x02\x03\x05", b"\x04\x2a\x2a\x03\x03"), counts=refused("tls-version"))
    yield Row("supported_versions: TLS 1.3 among others, and GREASE", "served",
              *says(VERSIONS, b"\x04\x2a\x2a\x03\x04", b"\x08\x03\x01\x03\x02\x03\x03\x03\x04", b"\x04\x03\x05\x03\x04",
              b"\x04\x03\x04\x03\x00"))
    yield Row("supported_versions: it is not there", 70, hello(lambda made: made.drop(VERSIONS)), *set_field("extensions", []),
              counts=refused("tls-version"))
    # Decode_error (50) by section 6.2. Libssl says of the whole extension that it names no version.
    yield Row("supported_versions: malformed", 70, *says(VERSIONS, b"\x03\x03\x04\x03", b"\x02\x03\x04\x00", b"\x04\x03\x04"),
              counts=SHAKE)
    yield Row("supported_versions: none", 70, *says(VERSIONS, b"", b"\x00", b"\x01\x03"), counts=refused("tls-version"))


def largest(made):
    """Every vector in it is full."""
    made.suites = words(0x1302) + words(0x5A5A) * 32766
    rest = sum(4 + len(data) for _, data in made.extensions)
    made.set(UNKNOWN, bytes(65535 - rest - 4))
    assert len(made.message()) == 131146


def extensions():
    yield Row("signature_algorithms: it is not there", 109, hello(lambda made: made.drop(SIGNATURES)), counts=SHAKE)
    yield Row("signature_algorithms: malformed", 50, *says(SIGNATURES, b"", b"\0", b"\0\0", b"\0\1\4", b"\0\3\4\3\4", b"\0\4\4\3",
              b"\0\2\4\3\0"), counts=SHAKE)
    yield Row("signature_algorithms: none that fits the certificate", 40, *says(SIGNATURES, vector(words(MLDSA65)),
              vector(words(0x0401, 0x0804)), vector(words(0x0203)), vector(words(0x0503))), counts=SHAKE)
    yield Row("signature_algorithms: among many, and GREASE", "served", *says(SIGNATURES, vector(words(GREASE, 0x0804, ECDSA)),
              vector(words(*range(0x0400, 0x0700)))))
    for name, kind, data in (("unknown", UNKNOWN, b"\1\2\3"), ("GREASE", 0x3A3A, b"\0"), ("padding", PADDING, bytes(700)),
                             ("record_size_limit", SIZE_LIMIT, words(64)),
                             ("a record_size_limit that is too small", SIZE_LIMIT, words(63)), ("extended_master_secret", 23, b""),
                             ("renegotiation_info", 0xFF01, b"\0"),
                             ("encrypt_then_mac", 22, b""), ("status_request", 5, b"\1\0\0\0\0"),
                             ("session_ticket", 35, bytes(100)), ("ec_point_formats", 11, b"\1\0"),
                             ("signed_certificate_timestamp", 18, b""), ("heartbeat", 15, b"\1"), ("post_handshake_auth", 49, b""),
                             ("delegated_credentials", 34, vector(words(ECDSA))),
                             ("certificate_authorities", 47, vector(vector(b"0\0"))), ("compress_certificate", 27, b"\x02\0\1"),
                             ("encrypted_client_hello, in GREASE", 0xFE0D, bytes(200)),
                             ("signature_algorithms_cert", 50, vector(words(0x0804, ECDSA)))):
        yield Row(f"an extension that does not matter: {name}", "served", Talk(changed(lambda made, k=kind, d=data: made.set(k, d)),
                  unanswered))
    yield Row("hundreds of unknown extensions", "served", hello(lambda made: [made.set(0x8000 + number, b"") for number in range(900)]))
    yield Row("extensions in another order", "served", *(hello(lambda made,
              n=number: setattr(made, "extensions", made.extensions[n:] + made.extensions[:n])) for number in range(1, 5)))
    yield Row("the same extension twice", 47, *(hello(lambda made, k=kind: made.extensions.append((k, made.get(k))))
              for kind in (SNI, GROUPS, SIGNATURES, VERSIONS, KEY_SHARE)), counts=HELLO)
    yield Row("max_fragment_length: it is kept to", "served", *(Talk(changed(lambda made, c=code: made.set(FRAGMENT, bytes([c]))),
              small(256 << code)) for code in range(1, 5)))
    yield Row("max_fragment_length: one that there is not", 47, *says(FRAGMENT, b"\0", b"\5", b"\xff"), counts=SHAKE)
    yield Row("max_fragment_length: malformed", 50, *says(FRAGMENT, b"", b"\1\1"), counts=SHAKE)
    yield Row("server_name: malformed", 50, *says(SNI, b"", b"\0\0", b"\0", vector(b"\1" + vector(b"localhost")),
              b"\0\x0c\0\0\x09localhos", vector(b"\0" + vector(b"localhost")) + b"\0"), counts=SHAKE)
    # RFC 6066 wants a byte in it; libssl takes it for no name, and so do we.
    yield Row("server_name: an empty one", "served", *says(SNI, vector(b"\0\0\0")))
    yield Row("server_name: one that is too long, or with a zero", 112,
              *says(SNI, vector(b"\0" + vector(b"a" * 256)), vector(b"\0" + vector(b"local\0host"))), counts=SHAKE)
    yield Row("ALPN: malformed", 50, *says(ALPN, b"", b"\0", b"\0\0", b"\0\1\0", b"\0\3\2h2\0", b"\0\4\2h2", b"\0\4\3h2"), counts=SHAKE)
    yield Row("pre_shared_key: one that nobody knows", "served", *(hello(lambda made, d=data: with_psk(made, d))
              for data in (psk(), psk(48), psk(32, 20), psk(255))))
    yield Row("pre_shared_key: without a key exchange", "served", hello(lambda made: with_psk(made, psk(), b"\1\0")))
    yield Row("pre_shared_key: it is not the last", 47, hello(lambda made: (with_psk(made, psk()), made.set(PADDING, b""))),
              hello(lambda made: (with_psk(made, psk()), made.extensions.reverse())), counts=HELLO)
    yield Row("pre_shared_key: without its modes", 109, hello(lambda made: with_psk(made, psk(), None)), counts=SHAKE)
    yield Row("psk_key_exchange_modes: malformed", 50, *says(PSK_MODES, b"", b"\0", b"\1", b"\1\1\1", b"\2\1"), counts=SHAKE)
    yield Row("psk_key_exchange_modes: what nobody knows", "served", *says(PSK_MODES, b"\1\7", b"\2\0\1"))
    yield Row("pre_shared_key: malformed", 50, *(hello(lambda made, d=data: with_psk(made, d)) for data in (b"", b"\0", b"\0\7\0")),
              counts=SHAKE)
    # Decode_error too; but no key is known here, so libssl reads no further than the identities.
    yield Row("pre_shared_key: no identity, or malformed binders", "served",
              *(hello(lambda made, d=data: with_psk(made, d)) for data in (b"\0\0", psk()[:-1], psk() + b"\0", psk(binders=0),
              psk(binders=2))))
    yield Row("trailing bytes behind the extensions", 50, *set_field("tail", b"\0", bytes(100)), counts=HELLO)
    yield Row("a length of extensions that is not theirs", 50, *raw(*(lambda made,
              c=change: record(HANDSHAKE, message(CLIENT_HELLO, resized(made, c))) for change in (-1, 1, 1000, -40))), counts=HELLO)
    yield Row("a ClientHello cut anywhere", 50, *raw(*(lambda made, n=size: record(HANDSHAKE, message(CLIENT_HELLO, made.body()[:n]))
              for size in (0, 1, 2, 20, 33, 34, 35, 66, 68, 70, 74, 75, 76, 78, 80, 90, 120, 1000))), counts=HELLO)


def chooses_suite(*suites):
    """Its own order is by strength."""
    best = next(one for one in (0x1302, 0x1303, 0x1301) if one in suites)

    def work(client):
        client.until_flight()
        assert client.suite == best, f"{client.suite:04x}"
        client.finish()
    return Talk(lambda: Hello(suites=suites), work)


def resized(made, change):
    body = made.body()
    at = 2 + 32 + 33 + 2 + len(made.suites) + 2
    return body[:at] + words(struct.unpack_from(">H", body, at)[0] + change) + body[at + 2:]


def unanswered(client):
    client.until_flight()
    assert client.extensions.keys() <= {GROUPS}, client.extensions  # as libssl may say which it likes
    client.finish()


def small(size):
    def work(client):
        client.until_flight()
        assert client.extensions.get(FRAGMENT) == client.hello.get(FRAGMENT)
        client.say_certificate()
        client.say_finished()
        data = os.urandom(5000)
        for at in range(0, len(data), size):
            client.send(DATA, data[at:at + size])
        client.hears(data)
        assert client.largest <= size, f"{client.largest} bytes in a record"
        client.goodbye()
    return work


def sizes():
    yield Row("a ClientHello of many sizes", "served", *(hello(grown(size)) for size in (1500, 2048, 4095, 4096, 8192, 16000, 16379,
              16380, 16383, 16384, 16385, 20000, 40000, 65000)))
    yield Row("a ClientHello as large as one can be", "served", hello(largest))
    yield Row("a ClientHello of many sizes, in pieces", "served", *(Talk(changed(grown(size)), in_pieces(piece)) for size,
              piece in ((1500, 1), (4096, 100), (16384, 1000), (40000, 5000))))


def in_pieces(size):
    def work(client):
        client.say_hello(size)
        assert not client.read_server_hello()
        client.read_flight()
        client.finish()
    return work


def again(change, group=None, before=lambda client: None):
    """Is asked for another share, and comes back changed."""
    def work(client):
        client.say_hello()
        assert client.read_server_hello() and client.group == (group or X25519MLKEM768)
        client.retry()
        before(client)
        change(client.hello)
        client.say_hello()
        assert not client.read_server_hello(), "asked once more"
        client.read_flight()
        client.finish()
    return Talk(lambda: first(**BOTH), work)


def first(**options):
    return Hello(**options).set(ALPN, vector(b"\2h2"))


def twice(client):
    client.say_hello()
    assert client.read_server_hello()
    client.say_hello()  # with the first share
    client.read_server_hello()


def retries():
    yield Row("again: what is asked for is done", "served", again(lambda made: None), chooses(X25519MLKEM768, 1, **BOTH))
    yield Row("again: in pieces, after change_cipher_spec", "served",
              again(lambda made: None, before=lambda client: client.send_raw(record(20, b"\1"))))
    yield Row("again: the first share", 47, Talk(lambda: first(**BOTH), twice), counts=AGAIN)
    yield Row("again: another wrong share", 47, again(lambda made: made.set_shares([(X25519, Share(X25519).public)])),
              again(lambda made: made.set_shares([(SECP256R1, Share(SECP256R1).public)])), counts=AGAIN)
    yield Row("again: no share", 47, again(lambda made: made.set_shares([])), counts=AGAIN)
    yield Row("again: without key_share", 109, again(lambda made: made.drop(KEY_SHARE)), counts=AGAIN)
    yield Row("again: two shares", 47, again(lambda made: add_share(made, (X25519, Share(X25519).public))), counts=AGAIN)
    yield Row("again: a share that is malformed", 47, again(lambda made: made.set_shares([(X25519MLKEM768, bytes(100))])), counts=AGAIN)
    changes = {
        "random": lambda made: setattr(made, "random", os.urandom(32)),
        "legacy_session_id": lambda made: setattr(made, "session", os.urandom(32)),
        "legacy_version": lambda made: setattr(made, "version", 0x0302),
        "cipher suites": lambda made: setattr(made, "suites", words(0x1301, 0x1302)),
        "cipher suites, without the one that was chosen": lambda made: setattr(made, "suites", words(0x1301)),
        "server_name": lambda made: made.set(SNI, vector(b"\0" + vector(b"other.example"))),
        "no server_name": lambda made: made.drop(SNI),
        "supported_groups": lambda made: made.set(GROUPS, vector(words(X25519MLKEM768, X25519, SECP256R1))),
        "supported_groups, without the one that was asked for": lambda made: made.set(GROUPS, vector(words(X25519))),
        "signature_algorithms": lambda made: made.set(SIGNATURES, vector(words(ECDSA))),
        "supported_versions": lambda made: made.set(VERSIONS, b"\x04\x03\x04\x03\x03"),
        "ALPN": lambda made: made.set(ALPN, vector(b"\x08http/1.1")),
        "no ALPN": lambda made: made.drop(ALPN),
        "max_fragment_length": lambda made: made.set(FRAGMENT, b"\1"),
        "a pre_shared_key": lambda made: with_psk(made, psk()),
    }
    for what, change in changes.items():
        yield Row(f"again: {what} is not what it was", 47, again(change), counts=AGAIN)
    yield Row("again: compression", 47, again(lambda made: setattr(made, "compression", b"\0\1")), counts=AGAIN)
    yield Row("again: without supported_versions", 47, again(lambda made: made.drop(VERSIONS)), counts=AGAIN)
    yield Row("again: what may change, and what nobody knows", "served", again(lambda made: made.set(PADDING, bytes(50))),
              again(lambda made: made.set(0x5A5A, b"\0")), again(lambda made: made.set(0xFE0D, bytes(200))))
    # Section 4.2.2: a server that sent none does not have to look at it.
    yield Row("again: a cookie that nobody sent", "served", again(lambda made: made.set(COOKIE, vector(b"cookie"))))
    yield Row("again: early_data", 47, again(lambda made: made.set(EARLY_DATA, b"")), counts=AGAIN)


def not_offered(client):
    client.say_hello()
    client.send_raw(record(DATA, os.urandom(100)))
    assert not client.read_server_hello()
    client.read_flight()
    client.read_record()


def early():
    """Data before the handshake: it was offered, is never taken, and skipped (section 4.2.10)."""
    def offering(made):
        made.set(EARLY_DATA, b"")
        with_psk(made, psk())

    def with_data(*records, retried=False):
        def work(client):
            client.say_hello()
            for size in records:
                client.send_raw(record(DATA, os.urandom(size)))
            if client.read_server_hello():
                client.retry()
                client.hello.drop(EARLY_DATA)
                client.say_hello()
                assert not client.read_server_hello()
            assert client.retries == retried
            client.read_flight()
            client.finish()
        return Talk(changed(offering, **BOTH) if retried else changed(offering), work)

    yield Row("early data that is not taken is skipped", "served", with_data(), with_data(100), with_data(*[100] * 20), with_data(16000))
    yield Row("early data before the second ClientHello is skipped too", "served", with_data(retried=True), with_data(100, retried=True),
              with_data(*[100] * 20, retried=True))
    yield Row("early data: more of it than anybody may send", 10, with_data(*[RECORD_MAX] * 3), counts=SHAKE)
    yield Row("early data that was not offered", 20, Talk(Hello, not_offered), counts=SHAKE)


def rows():
    for part in (fields, extensions, sizes, retries, early):
        yield from part()
