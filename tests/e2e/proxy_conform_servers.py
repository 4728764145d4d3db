# SPDX-License-Identifier: Apache-2.0
"""The data plane as a client: a TLS 1.3 server whose every byte can be changed stands behind it, in a listener's upstream.
RFC 8446 sections 4.1.3, 4.1.4, 4.2, 4.3, 4.4, 4.6. Rows for proxy_conform.py.

A row's server does one thing that no server may do. The plain client in front must then get nothing at all, or, where
that comes after good data, an abort and not an end.
"""
import contextlib
import os
import select
import socket
import struct

import proxy_conform_crypto as crypto
from proxy_attack_tools import dial
from proxy_conform_messages import CERTIFICATES
from proxy_conform_peer import (ALERT, ALPN, CCS, CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_HELLO, COOKIE, DATA, ECDSA,
    ENCRYPTED_EXTENSIONS, FINISHED, GROUPS, HALVES, HANDSHAKE, KEY_SHARE, KEY_UPDATE, MESSAGE_HASH, MLKEM1024, RECORD_MAX, RETRY,
    SECP256R1MLKEM768, SECP384R1MLKEM1024, SERVER_HELLO, SIGNATURES, SNI, TICKET, VERSIONS, X25519, X25519MLKEM768, Alert, Ended, Peer,
    extensions_of, message, record, vector, words)
from proxy_conform_tools import Row, certificate_message, error

FAILED = {'upstream_handshakes_total{group="other",result="failed"}': 1, error("upstream-handshake"): 1,
          'upstream_failures_total{upstream="tls",server="SERVICE"}': 1}
BROKEN = {error("upstream-tls"): 1}
QUESTION, ANSWER = b"question", b"answer"


class Reply:
    """A ServerHello before it goes out."""

    def __init__(self, server, group, is_retry=False):
        self.version, self.random, self.session = 0x0303, RETRY if is_retry else os.urandom(32), server.session
        self.suite, self.compression, self.tail = server.suite, b"\0", b""
        self.share = b"" if is_retry else server.answer(group)
        self.extensions = [(VERSIONS, b"\x03\x04"), (KEY_SHARE, words(group) + (b"" if is_retry else vector(self.share)))]

    def set(self, kind, data):
        self.extensions = [pair for pair in self.extensions if pair[0] != kind] + [(kind, data)]

    def drop(self, kind):
        self.extensions = [pair for pair in self.extensions if pair[0] != kind]

    def message(self):
        body = words(self.version) + self.random + vector(self.session, 1) + words(self.suite) + self.compression
        return message(SERVER_HELLO, body + listed(self.extensions) + self.tail)


def listed(extensions):
    return vector(b"".join(words(kind) + vector(data) for kind, data in extensions))


class Server(Peer):
    def read_hello(self):
        whole = self.read_message(CLIENT_HELLO)
        self.log.append(whole)
        at = 38
        self.session = whole[at + 1:at + 1 + whole[at]]
        at += 1 + whole[at]
        size = struct.unpack_from(">H", whole, at)[0]
        self.suites = struct.unpack_from(f">{size // 2}H", whole, at + 2)
        self.suite = self.suite or self.suites[0]
        self.offers = extensions_of(whole[at + 2 + size + 4:])
        self.shares, data, at = {}, self.offers[KEY_SHARE], 2
        while at < len(data):
            group, size = struct.unpack_from(">HH", data, at)
            self.shares[group] = data[at + 4:at + 4 + size]
            at += 4 + size

    def answer(self, group):
        """The share for a group, whether the client has one for it or not; the secret is kept."""
        public, answer, self.secret = self.shares.get(group), b"", b""
        for name in HALVES[group]:
            pair = crypto.Pair(name)
            mine = (public or b"")[:len(pair.public)] or crypto.Pair(name).public
            public = (public or b"")[len(pair.public):]
            said, secret = crypto.encapsulate(name, mine) if name.startswith("ML") else (pair.public, pair.secret(mine))
            answer, self.secret = answer + said, self.secret + secret
        return answer

    def say_hello(self, group=X25519MLKEM768, change=lambda reply: None):
        reply = Reply(self, group)
        change(reply)
        self.say(reply.message())
        self.reads, self.writes = self.handshake_keys(self.secret)

    def say_retry(self, group, change=lambda reply: None):
        reply = Reply(self, group, True)
        change(reply)
        self.log = [message(MESSAGE_HASH, self.digest())]
        self.say(reply.message())

    def say_flight(self, extensions=(), certificate=None, proof=None, asks=False, finished=lambda data: data):
        """`certificate` and `proof`: the messages, instead of those that are right; b"" leaves one out."""
        self.say(message(ENCRYPTED_EXTENSIONS, listed(extensions)))
        if asks:
            self.say(message(CERTIFICATE_REQUEST, b"\0" + listed([(SIGNATURES, vector(words(ECDSA)))])))
        chain, private, algorithm = CERTIFICATES["cert"]
        self.say(certificate_message(chain) if certificate is None else certificate)
        self.say(message(CERTIFICATE_VERIFY, words(algorithm) + vector(self.proof(private, algorithm, b"server")))
                 if proof is None else proof(self))
        self.say(message(FINISHED, finished(self.finished(self.writes))))
        self.client_keys, self.writes = self.application_keys()

    def read_finished(self, asked=False):
        if asked:
            whole = self.read_message(CERTIFICATE)
            assert whole == certificate_message(b""), "a certificate that it has not"
            self.log.append(whole)
        expected = message(FINISHED, self.finished(self.reads))
        assert self.read_message(FINISHED) == expected, "a wrong Finished"
        self.reads = self.application = self.client_keys

    def hello(self):
        self.read_hello()
        self.say_hello()
        return self

    def handshake(self):
        self.hello().say_flight()
        self.read_finished()
        return self

    def answers(self):
        self.hears(QUESTION)
        self.send(DATA, ANSWER)

    def serve(self):
        """The question, the answer, and close_notify of both."""
        self.answers()
        self.send(ALERT, b"\1\0")
        self.is_left()

    def is_left(self):
        try:
            self.read_record()
        except (Alert, Ended) as end:
            assert getattr(end, "code", 0) == 0, end


class Front:
    """One conversation: a plain client, the data plane, and a server that does `work`."""

    def __init__(self, work):
        self.work = work

    def run(self, edge):
        """Once, and twice more with a server that does nothing wrong: one of which every other handshake fails is left alone."""
        found = self.once(edge, self.work)
        for _ in range(2 if found == "cut" else 0):
            assert self.once(edge, lambda server: server.handshake().serve()) == "served", "an honest server behind it"
        return found

    def once(self, edge, work):
        """What the client gets: "served" with its answer and the end, or it is "cut": with none, or where the rest of it would be."""
        with dial(edge.out, timeout=8) as client:
            with contextlib.suppress(ConnectionError):
                client.sendall(QUESTION)
                client.shutdown(socket.SHUT_WR)
            while True:
                ready = select.select([edge.service, client], [], [], 8)[0]
                assert ready, "silence"
                if edge.service in ready:
                    self.behind(edge.service.accept()[0], work, client)
                else:
                    return self.ending(client)

    @staticmethod
    def behind(connection, work, client):
        with connection:
            connection.settimeout(8)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                server = Server(connection)
                server.front = client
                work(server)
                server.read_record()  # whatever is wrong with what was said is found out meanwhile
            except (Alert, Ended, OSError, ValueError):
                pass

    @staticmethod
    def ending(client):
        got = b""
        try:
            while data := client.recv(65536):
                got += data
        except ConnectionResetError:
            return "cut" if not got else f"an abort behind {got}"
        return "served" if got == ANSWER else f"an end behind {got}"


def good(*works):
    return [Front(work) for work in works]


def reply(change, group=X25519MLKEM768):
    def work(server):
        server.read_hello()
        server.say_hello(group, change)
        server.say_flight()
        server.read_finished()
        server.serve()
    return Front(work)


def flight(**options):
    def work(server):
        server.hello().say_flight(**options)
        server.read_finished()
        server.serve()
    return Front(work)


def field(name, *values):
    return [reply(lambda made, v=value: setattr(made, name, v)) for value in values]


def retried(group, change=lambda reply: None, then=None, again=lambda reply: None, suite=None):
    def work(server):
        server.read_hello()
        server.suite = suite or server.suite
        server.say_retry(group, change)
        before = server.offers
        server.read_hello()
        assert {kind for kind, data in server.offers.items() if data != before.get(kind)} <= {KEY_SHARE, COOKIE}, "more is changed"
        assert list(server.shares) == [group], "another share"
        server.say_hello(then or group, again)
        server.say_flight()
        server.read_finished()
        server.serve()
    return Front(work)


def share(change):
    return reply(lambda made: made.set(KEY_SHARE, words(X25519MLKEM768) + vector(change(made.share))))


def afterwards(*steps):
    def work(server):
        server.handshake().answers()
        assert server.front.recv(100) == ANSWER
        for step in steps:
            step(server)
    return Front(work)


def sends(kind, data):
    return lambda server: server.send(kind, data)


def keys_anew(asks):
    def work(server):
        server.handshake()
        server.send(HANDSHAKE, message(KEY_UPDATE, bytes([asks])))
        server.writes = server.writes.next()
        server.answers()
        server.send(ALERT, b"\1\0")
        server.is_left()
    return work


def hellos():
    new_groups = (SECP256R1MLKEM768, SECP384R1MLKEM1024, MLKEM1024)
    yield Row("towards a server: served", "served", *good(lambda server: server.handshake().serve()))
    yield Row("towards a server: asked for another share, it has it", "served", *(retried(group) for group in new_groups))
    yield Row("towards a server: a cookie comes back", "served", retried(MLKEM1024, lambda made: made.set(COOKIE, vector(b"cookie"))))
    yield Row("towards a server: asked for a group that it has not, or has sent", "cut", retried(X25519), retried(X25519MLKEM768),
              counts=FAILED)
    yield Row("towards a server: asked twice", "cut", Front(lambda server: (server.read_hello(), server.say_retry(MLKEM1024),
              server.read_hello(), server.say_retry(SECP384R1MLKEM1024), server.read_hello())), counts=FAILED)
    yield Row("towards a server: asked for nothing", "cut", retried(MLKEM1024, lambda made: made.drop(KEY_SHARE)), counts=FAILED)
    yield Row("towards a server: another group, or suite, than it was asked for", "cut", retried(MLKEM1024, then=X25519MLKEM768),
              retried(MLKEM1024, again=lambda made: setattr(made, "suite", 0x1301)), counts=FAILED)
    yield Row("towards a server: a classical group, or one that it has no share for", "cut",
              *(reply(lambda made: None, group) for group in (X25519, *new_groups)), counts=FAILED)
    yield Row("towards a server: another version", "cut", reply(lambda made: made.drop(VERSIONS)),
              reply(lambda made: made.set(VERSIONS, b"\3\3")), reply(lambda made: (made.drop(VERSIONS), made.drop(KEY_SHARE),
              setattr(made, "random", os.urandom(24) + b"DOWNGRD\1"), setattr(made, "suite", 0xC02B))), *field("version", 0x0300),
              counts=FAILED)
    # Section 4.1.3 fixes it to 0x0303, and lets supported_versions decide.
    yield Row("towards a server: another legacy_version", "served", *field("version", 0x0304, 0x0302))
    yield Row("towards a server: a session, suite or compression that was not offered", "cut", *field("session", b"", bytes(32)),
              *field("suite", 0x1304, 0xC02B, 0), *field("compression", b"\1"), counts=FAILED)
    yield Row("towards a server: extensions that have no place there", "cut",
              *(reply(lambda made, k=kind: made.set(k, b"")) for kind in (SNI, GROUPS)),
              reply(lambda made: made.extensions.append(made.extensions[0])), reply(lambda made: made.drop(KEY_SHARE)),
              *field("tail", b"\0"), counts=FAILED)
    yield Row("towards a server: a share of the wrong length, or none", "cut",
              *(share(change) for change in (lambda s: s[:-1], lambda s: s + b"\0", lambda s: b"", lambda s: s[:1088],
              lambda s: s[1088:])), counts=FAILED)
    yield Row("towards a server: a share that is not for this client", "cut", share(lambda s: bytes([s[0] ^ 1]) + s[1:]),
              share(lambda s: s[:-32] + bytes(32)), share(lambda s: s[-32:] + s[:-32]), share(lambda s: s[:-1] + bytes([s[-1] ^ 1])),
              counts=FAILED)


def flights():
    chain, private, _ = CERTIFICATES["cert"]
    other, other_key, _ = CERTIFICATES["stranger"]

    def signed(key=private, algorithm=ECDSA, who=b"server", change=lambda proof: proof):
        return lambda server: message(CERTIFICATE_VERIFY, words(algorithm) + vector(change(server.proof(key, ECDSA, who))))

    yield Row("towards a server: asked for a certificate, it says that it has none", "served",
              Front(lambda server: (server.hello().say_flight(asks=True), server.read_finished(True), server.serve())))
    yield Row("towards a server: what was not asked for is encrypted", "cut",
              *(flight(extensions=[(kind, data)]) for kind, data in ((ALPN, vector(b"\2h2")), (KEY_SHARE, words(X25519)),
              (VERSIONS, b"\3\4"))), counts=FAILED)
    # Unsupported_extension by section 4.2; libssl asks nobody about what it does not know.
    yield Row("towards a server: what nobody knows is answered", "served", flight(extensions=[(0xFE42, b"")]),
              reply(lambda made: made.set(0xFE42, b"")))
    yield Row("towards a server: a certificate of somebody else, none, or with a context", "cut",
              flight(certificate=certificate_message(other), proof=signed(other_key)), flight(certificate=certificate_message(b"")),
              flight(certificate=certificate_message(chain, b"\0")), counts=FAILED)
    yield Row("towards a server: a signature that is wrong, of a client, by another key", "cut",
              flight(proof=signed(change=lambda proof: proof[:-1] + bytes([proof[-1] ^ 1]))), flight(proof=signed(who=b"client")),
              flight(proof=signed(other_key)), flight(proof=signed(algorithm=0x0503)), flight(proof=signed(algorithm=0x0203)),
              counts=FAILED)
    yield Row("towards a server: no proof, or no certificate", "cut", flight(proof=lambda server: b""),
              flight(certificate=b"", proof=lambda server: b""), flight(certificate=b""), counts=FAILED)
    yield Row("towards a server: a wrong Finished", "cut", *(flight(finished=change)
              for change in (lambda d: bytes(len(d)), lambda d: d[:-1], lambda d: d + b"\0", lambda d: d[:-1] + bytes([d[-1] ^ 1]),
              lambda d: b"")), counts=FAILED)
    yield Row("towards a server: change_cipher_spec where it may be", "served",
              Front(lambda server: (server.hello(), server.send_raw(record(CCS, b"\1")), server.say_flight(), server.read_finished(),
              server.serve())))
    yield Row("towards a server: change_cipher_spec where it may not be", "cut",
              Front(lambda server: (server.hello(), server.send_raw(record(CCS, b"\2")))), counts=FAILED)


def after():
    yield Row("towards a server: new keys, asking for others or not", "served", *good(keys_anew(0), keys_anew(1)))
    yield Row("towards a server: a ticket is of no use", "served", Front(lambda server: (server.handshake(),
              server.send(HANDSHAKE, message(TICKET, bytes(3) + b"\7" + bytes(4) + b"\1\0" + vector(b"ticket") + b"\0\0")),
              server.serve())))
    yield Row("towards a server: what is no data behind good data cuts it off", "cut",
              *(afterwards(*steps) for steps in ([sends(HANDSHAKE, message(CERTIFICATE_REQUEST,
              b"\1\0" + listed([(SIGNATURES, vector(words(ECDSA)))])))], [sends(HANDSHAKE, message(0, b""))],
              [sends(HANDSHAKE, message(CLIENT_HELLO, bytes(40)))], [sends(HANDSHAKE, message(KEY_UPDATE, b"\2"))],
              [sends(HANDSHAKE, message(FINISHED, bytes(48)))], [sends(HANDSHAKE, b"")], [sends(CCS, b"\1")], [sends(24, b"data")],
              [sends(DATA, bytes(RECORD_MAX + 1))], [sends(ALERT, b"\2\x50")],
              [lambda server: server.send_raw(record(DATA, bytes(50)))])), counts=BROKEN)
    # Unexpected_message by section 5; as a client libssl drops it.
    yield Row("towards a server: change_cipher_spec behind Finished", "served",
              Front(lambda server: (server.handshake(), server.send_raw(record(CCS, b"\1")), server.serve())))
    yield Row("towards a server: an end without close_notify is a cut", "cut",
              afterwards(lambda server: server.socket.shutdown(socket.SHUT_WR)), counts={error("truncated"): 1})


def rows():
    for part in (hellos, flights, after):
        yield from part()
