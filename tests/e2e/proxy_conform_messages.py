# SPDX-License-Identifier: Apache-2.0
"""Which message may come when; Finished; client certificates: RFC 8446 sections 4, 4.3.2, 4.4.2 to 4.4.4, 4.6.2 and A.2,
draft-ietf-tls-mldsa. Rows for proxy_conform.py."""
import os

from proxy_conform_peer import (CERTIFICATE, CERTIFICATE_VERIFY, CLIENT_HELLO, ECDSA, ED25519, FINISHED, HANDSHAKE, KEY_UPDATE, MLDSA65,
    SIGNATURES, SUITES, X25519, X25519MLKEM768, message, vector, words)
from proxy_conform_tools import HELLO, SHAKE, TLS, Client, Hello, Row, Talk, certificate_message, refused

KINDS = (0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 67, 99, 254, 255)
UNWANTED = refused("client-certificate")


def ask(work, hello=Hello, **options):
    """What `work` sends is answered by an alert."""
    def whole(client):
        work(client)
        client.read_record()
        raise AssertionError("an answer")
    return Talk(hello, whole, **options)


def body_of(kind):
    return {CLIENT_HELLO: Hello().body(), FINISHED: bytes(32), KEY_UPDATE: b"\0", CERTIFICATE: b"\0\0\0\0"}.get(kind, b"\0\0\0\0")


def order():
    def instead_of_hello(kind):
        return lambda client: client.send(HANDSHAKE, message(kind, body_of(kind)))

    def instead_of_second(kind):
        def work(client):
            client.say_hello()
            assert client.read_server_hello()
            client.send(HANDSHAKE, message(kind, body_of(kind)))
        return work

    def instead_of_finished(kind):
        return lambda client: client.until_flight().send(HANDSHAKE, message(kind, body_of(kind)))

    def afterwards(kind):
        return lambda client: client.handshake().send(HANDSHAKE, message(kind, body_of(kind)))

    def renegotiation(client):
        client.handshake().turn()
        client.send(HANDSHAKE, Hello((X25519,)).message())

    yield Row("order: any other message first of all", 10, *(ask(instead_of_hello(kind)) for kind in KINDS if kind != CLIENT_HELLO),
              counts=HELLO)
    yield Row("order: any other one instead of the second ClientHello", 10, *(ask(instead_of_second(kind),
              lambda: Hello((X25519MLKEM768, X25519), (X25519,))) for kind in KINDS if kind != CLIENT_HELLO), counts=SHAKE)
    yield Row("order: any other one instead of Finished", 10, *(ask(instead_of_finished(kind)) for kind in KINDS if kind != FINISHED),
              counts=SHAKE)
    yield Row("order: any but KeyUpdate afterwards", 10, *(ask(afterwards(kind)) for kind in KINDS if kind != KEY_UPDATE), counts=TLS)
    yield Row("order: a ClientHello to begin anew", 10, ask(renegotiation), counts=TLS)
    yield Row("order: a message of 16 MB is not waited for", 47, *(ask(lambda client,
              k=kind: client.until_flight().send(HANDSHAKE, bytes([k]) + b"\xff\xff\xff" + bytes(100))) for kind in (FINISHED,)),
              counts=SHAKE)
    yield Row("order: the same, first of all", 47, ask(lambda client: client.send(HANDSHAKE, b"\1\xff\xff\xff" + bytes(100))),
              ask(lambda client: client.send(HANDSHAKE, b"\1\2\1\x45" + bytes(100))), counts=HELLO)
    yield Row("order: the same, afterwards", 47, ask(lambda client: client.handshake().send(HANDSHAKE,
              bytes([KEY_UPDATE]) + b"\xff\xff\xff" + bytes(100))), counts=TLS)


def finished():
    def changed(change, suite=0x1302):
        def work(client):
            client.until_flight()
            client.send(HANDSHAKE, message(FINISHED, change(client.finished(client.writes))))
        return ask(work, lambda: Hello((X25519,), None, (suite,)))

    def flip(at, bit):
        return lambda data: data[:at] + bytes([data[at] ^ bit]) + data[at + 1:]

    def mirrored(client):
        client.until_flight()
        client.send(HANDSHAKE, client.log[-1])

    def twice(client):
        client.handshake()
        client.send(HANDSHAKE, message(FINISHED, client.finished(client.writes)))

    def twice_at_once(client):
        client.until_flight()
        client.send(HANDSHAKE, 2 * message(FINISHED, client.finished(client.writes)))
        client.writes = client.application

    def in_clear(client):
        client.until_flight()
        keys, client.writes = client.writes, None
        client.send(HANDSHAKE, message(FINISHED, client.finished(keys)))

    for suite, size in ((0x1301, 32), (0x1302, 48), (0x1303, 32)):
        yield Row(f"Finished: another byte at any place, with {SUITES[suite][0]}", 51,
                  *(changed(flip(at, 1 << at % 8), suite) for at in range(size)), counts=SHAKE)
    yield Row("Finished: zeros, and the server's own", 51, changed(lambda data: bytes(len(data))), ask(mirrored), counts=SHAKE)
    yield Row("Finished: too short, too long, empty", 50, *(changed(cut) for cut in (lambda d: d[:-1], lambda d: d[1:], lambda d: d[:32],
              lambda d: d + b"\0", lambda d: b"\0" + d, lambda d: b"")), counts=SHAKE)
    yield Row("Finished: longer than any", 47, changed(lambda data: data * 10), counts=SHAKE)
    yield Row("Finished: in clear", 10, ask(in_clear), counts=SHAKE)
    yield Row("Finished: twice in a record", 10, ask(twice_at_once), counts=SHAKE)
    yield Row("Finished: once more afterwards", 10, ask(twice), counts=TLS)


def flight(client, *messages):
    """The client's, as it is given; a function is asked when those before it are said. Finished follows."""
    client.until_flight()
    for one in messages:
        client.say(one(client) if callable(one) else one)
    client.say_finished()


def verify(name, algorithm=None, change=lambda proof: proof, who=b"client"):
    def make(client):
        _, private, own = CERTIFICATES[name]
        return message(CERTIFICATE_VERIFY, words(algorithm or own) + vector(change(client.proof(private, own, who))))
    return make


def certificate(name):
    return lambda client: certificate_message(CERTIFICATES[name][0])


CERTIFICATES = {}


def shows(*messages, listener="auth"):
    return ask(lambda client: flight(client, *messages), listener=listener)


def listed(context, *entries, cut=0):
    rows = b"".join(vector(der, 3) + extensions for der, extensions in entries)
    return lambda client: message(CERTIFICATE, vector(context, 1) + (len(rows) + cut).to_bytes(3, "big") + rows)


def der(name):
    return CERTIFICATES[name][0]


def certificates():
    good = ("ecdsa", "ed25519", "mldsa65")

    def asked_for(client):
        client.until_flight()
        offered = client.request[SIGNATURES][2:]
        assert {ECDSA, ED25519, MLDSA65} <= {int.from_bytes(offered[at:at + 2], "big")
                                             for at in range(0, len(offered), 2)}, offered.hex()
        client.finish()

    def in_pieces(client):
        client.until_flight()
        chain, private, algorithm = client.certificate
        client.say(certificate_message(chain), 7)
        client.say(message(CERTIFICATE_VERIFY, words(algorithm) + vector(client.proof(private, algorithm))), 1)
        client.say_finished(1)
        client.turn().goodbye()

    def with_others(client):
        flight(client, listed(b"", (der("ecdsa"), b"\0\0"), (der("stranger"), b"\0\0"), (der("ed25519"), b"\0\0")), verify("ecdsa"))
        client.turn().goodbye()

    yield Row("client certificates: the three kinds that are pinned", "served", *(Talk(Hello, asked_for, "auth", name) for name in good))
    yield Row("client certificates: in pieces, and with others behind", "served",
              *(Talk(Hello, in_pieces, "auth", name) for name in good), Talk(Hello, with_others, "auth"))
    yield Row("client certificates: none where one is asked for", "served", Talk(Hello, Client.talk, "asking"))
    yield Row("client certificates: one where it is asked for", "served", Talk(Hello, Client.talk, "asking", "ecdsa"))
    yield Row("client certificates: none where one has to be", 116, Talk(Hello, client_waits, "auth"), counts=UNWANTED)
    yield Row("client certificates: a stranger's", 42, *(shows(certificate("stranger"), verify("stranger"), listener=one)
              for one in ("auth", "asking")), counts=UNWANTED)
    yield Row("client certificates: a stranger's, and behind it one that is pinned", 42,
              shows(listed(b"", (der("stranger"), b"\0\0"), (der("ecdsa"), b"\0\0")), verify("stranger")), counts=UNWANTED)
    yield Row("client certificates: nobody asked", 10, shows(certificate("ecdsa"), verify("ecdsa"), listener="main"),
              shows(certificate_message(b""), listener="main"), counts=SHAKE)
    for name in good:
        yield Row(f"client certificates: {name}, and a signature that is wrong", 51,
                  *(shows(certificate(name), made) for made in (verify(name, change=lambda proof: proof[:-1] + bytes([proof[-1] ^ 1])),
                  verify(name, change=lambda proof: proof[:9] + bytes([proof[9] ^ 128]) + proof[10:]),
                  verify(name, change=lambda proof: proof[:-1]), verify(name, change=lambda proof: proof + b"\0"),
                  verify(name, change=lambda proof: bytes(len(proof))), verify(name, change=lambda proof: b""))), counts=SHAKE)
        yield Row(f"client certificates: {name}, signed for something else", 51, shows(certificate(name), verify(name, who=b"server")),
                  shows(certificate(name), verify(name, who=b"CLIENT")), shows(certificate(name), lambda client,
                  n=name: earlier(client, n)), counts=SHAKE)
        others = [one for one in (ECDSA, ED25519, MLDSA65, 0x0503, 0x0603, 0x0804, 0x0401, 0x0203, 0x0201, 0x0904, 0x0906, 0x0808,
                                  0xFEFE) if one != CERTIFICATES[name][2]]
        yield Row(f"client certificates: {name}, and any other algorithm", 47,
                  *(shows(certificate(name), verify(name, one)) for one in others), counts=SHAKE)
        yield Row(f"client certificates: {name}, and another's signature", 51 if name == "ecdsa" else 47,
                  shows(certificate(name), verify("stranger")), counts=SHAKE)
    yield Row("client certificates: no CertificateVerify, or one for none", 10, shows(certificate("ecdsa")),
              shows(certificate_message(b""), verify("ecdsa"), listener="asking"), counts=SHAKE)
    yield Row("client certificates: in another order, and twice", 10, shows(verify("ecdsa"), certificate("ecdsa")),
              shows(certificate("ecdsa"), certificate("ecdsa")), shows(certificate("ecdsa"), verify("ecdsa"), verify("ecdsa")), shows(),
              counts=SHAKE)
    # Illegal_parameter (47) by section 6.2, as every field is what it may be but one.
    yield Row("client certificates: a context that nobody gave", 50, shows(listed(b"\0", (der("ecdsa"), b"\0\0")), verify("ecdsa")),
              shows(listed(bytes(255), (der("ecdsa"), b"\0\0"))), counts=SHAKE)
    yield Row("client certificates: lengths that are not theirs", 50, *(shows(one, verify("ecdsa"))
              for one in (listed(b"", (der("ecdsa"), b"\0\0"), cut=-1), listed(b"", (der("ecdsa"), b"\0\0"), cut=1),
              listed(b"", (der("ecdsa"), b"")), listed(b"", (der("ecdsa"), b"\0\1")), listed(b"", (der("ecdsa"), b"\0\4\0\5\0\1")),
              listed(b"", (der("ecdsa") + b"\0", b"\0\0")), message(CERTIFICATE, b""), message(CERTIFICATE, b"\0\0"))), counts=SHAKE)
    yield Row("client certificates: what is no certificate", 50, *(shows(one, verify("ecdsa"))
              for one in (listed(b"", (os.urandom(300), b"\0\0")), listed(b"", (der("ecdsa")[:-1], b"\0\0")), listed(b"", (b"", b"\0\0")),
              listed(b"", (b"0\0", b"\0\0")))), counts=SHAKE)
    yield Row("client certificates: an extension that was not asked for", 110,
              shows(listed(b"", (der("ecdsa"), vector(words(5) + vector(b"\1\0\0\0")))), verify("ecdsa")), counts=SHAKE)
    yield Row("client certificates: more than anybody has", 47, shows(lambda client: message(CERTIFICATE,
              b"\0" + vector(bytes(120000), 3))), counts=SHAKE)


def client_waits(client):
    client.handshake()
    client.read_record()


def earlier(client, name):
    """Signs what was said before the certificate."""
    _, private, algorithm = CERTIFICATES[name]
    last = client.log.pop()
    proof = client.proof(private, algorithm)
    client.log.append(last)
    return message(CERTIFICATE_VERIFY, words(algorithm) + vector(proof))


def rows():
    for part in (order, finished, certificates):
        yield from part()
