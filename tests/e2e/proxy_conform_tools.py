# SPDX-License-Identifier: Apache-2.0
"""A TLS 1.3 client whose every byte can be changed, for proxy_conform.py.

It does what RFC 8446 asks of a client, and is strict with what it is answered: whatever a server may not send
is an AssertionError. What a row wants otherwise, it does between the steps: the ClientHello is a list of parts,
records are sealed with any type, size and padding, and messages go out in any pieces.

  Client(port).talk()        all of it: hello, flight, finish, turn, goodbye
  outcome(work)              "served", the number of the alert that ended it, "closed" or "silence"
"""
import hashlib
import hmac
import os
import socket
import struct

import proxy_conform_crypto as crypto
from proxy_attack_tools import dial

CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23
CLIENT_HELLO, SERVER_HELLO, TICKET, END_OF_EARLY_DATA, ENCRYPTED_EXTENSIONS = 1, 2, 4, 5, 8
CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, FINISHED, KEY_UPDATE, MESSAGE_HASH = 11, 13, 15, 20, 24, 254
SNI, FRAGMENT, GROUPS, SIGNATURES, ALPN, PADDING, SIZE_LIMIT = 0, 1, 10, 13, 16, 21, 28
PSK, EARLY_DATA, VERSIONS, COOKIE, PSK_MODES, KEY_SHARE = 41, 42, 43, 44, 45, 51
RECORD_MAX, SEALED_MAX = 1 << 14, (1 << 14) + 256
X25519MLKEM768, SECP256R1MLKEM768, SECP384R1MLKEM1024, MLKEM1024, X25519, SECP256R1 = 0x11EC, 0x11EB, 0x11ED, 0x0202, 0x001D, 0x0017
HALVES = {X25519MLKEM768: ("ML-KEM-768", "X25519"), SECP256R1MLKEM768: ("P-256", "ML-KEM-768"),
          SECP384R1MLKEM1024: ("P-384", "ML-KEM-1024"), MLKEM1024: ("ML-KEM-1024",), X25519: ("X25519",), SECP256R1: ("P-256",)}
SUITES = {0x1301: ("AES-128-GCM", 16, "sha256"), 0x1302: ("AES-256-GCM", 32, "sha384"), 0x1303: ("ChaCha20-Poly1305", 32, "sha256")}
RETRY = hashlib.sha256(b"HelloRetryRequest").digest()
ECDSA, ED25519, MLDSA65 = 0x0403, 0x0807, 0x0905
DIGESTS = {ECDSA: b"SHA256", ED25519: None, MLDSA65: None}


class Alert(Exception):
    def __init__(self, code):
        super().__init__(f"alert {code}")
        self.code = code


class Ended(Exception):
    """The end came without close_notify."""


def vector(data, size=2):
    return len(data).to_bytes(size, "big") + data


def words(*numbers):
    return struct.pack(f">{len(numbers)}H", *numbers)


def message(kind, body):
    return bytes([kind]) + vector(body, 3)


def record(kind, data, version=0x0303):
    return bytes([kind]) + words(version) + vector(data)


class Share:
    def __init__(self, group):
        self.group, self.halves = group, [crypto.Pair(name) for name in HALVES[group]]
        self.public = b"".join(half.public for half in self.halves)

    def secret(self, answer):
        assert len(answer) == sum(half.answer_bytes for half in self.halves), "a share of the wrong length"
        found = b""
        for half in self.halves:
            found += half.secret(answer[:half.answer_bytes])
            answer = answer[half.answer_bytes:]
        return found


class Hello:
    """A ClientHello; its extensions are a list of pairs, in the order in which they go out."""

    def __init__(self, groups=(X25519MLKEM768,), shares=None, suites=tuple(SUITES)):
        self.shares = {group: Share(group) for group in (groups[:1] if shares is None else shares)}
        self.version, self.random, self.session = 0x0303, os.urandom(32), os.urandom(32)
        self.suites, self.compression, self.tail = words(*suites), b"\0", b""
        self.extensions = [(SNI, vector(b"\0" + vector(b"localhost"))), (GROUPS, vector(words(*groups))),
                           (SIGNATURES, vector(words(ECDSA, ED25519, MLDSA65))), (VERSIONS, b"\x02\x03\x04"), (KEY_SHARE, b"")]
        self.set_shares([(share.group, share.public) for share in self.shares.values()])

    def get(self, kind):
        return next(data for one, data in self.extensions if one == kind)

    def set(self, kind, data):
        """In its place, or as the last."""
        if any(one == kind for one, _ in self.extensions):
            self.extensions = [(one, data if one == kind else old) for one, old in self.extensions]
        else:
            self.extensions.append((kind, data))
        return self

    def drop(self, *kinds):
        self.extensions = [pair for pair in self.extensions if pair[0] not in kinds]
        return self

    def set_shares(self, pairs):
        return self.set(KEY_SHARE, vector(b"".join(words(group) + vector(data) for group, data in pairs)))

    def body(self):
        rows = b"".join(words(kind) + vector(data) for kind, data in self.extensions)
        return (words(self.version) + self.random + vector(self.session, 1) + vector(self.suites) + vector(self.compression, 1) +
                vector(rows) + self.tail)

    def message(self):
        return message(CLIENT_HELLO, self.body())


class Keys:
    """One direction, from one traffic secret."""

    def __init__(self, suite, secret):
        name, size, self.digest = SUITES[suite]
        self.suite, self.secret, self.number = suite, secret, 0
        self.aead = crypto.Aead(name, crypto.expand(self.digest, secret, b"key", b"", size))
        self.iv = crypto.expand(self.digest, secret, b"iv", b"", 12)

    def nonce(self):
        made = bytes(a ^ b for a, b in zip(self.iv, self.number.to_bytes(12, "big")))
        self.number += 1
        return made

    def next(self):
        return Keys(self.suite, crypto.expand(self.digest, self.secret, b"traffic upd", b"", len(self.secret)))

    def seal(self, kind, content, padding=0, version=0x0303):
        text = content + bytes([kind] if kind is not None else []) + bytes(padding)
        header = bytes([DATA]) + words(version, len(text) + crypto.TAG_BYTES)
        return header + self.aead.seal(self.nonce(), text, header)


class Client:
    def __init__(self, port, hello=None, certificate=None):
        self.port, self.socket = port, dial(port, timeout=8)
        self.hello = hello or Hello()
        self.certificate = certificate # (chain in DER, key, algorithm)
        self.log, self.received, self.messages = [], b"", b"" # of the handshake; bytes of a record, of a message
        self.reads = self.writes = self.application = self.suite = self.group = self.request = None
        self.extensions = {}  # EncryptedExtensions
        self.answers, self.secret = [], b""  # what may never come twice, and what the two shares give
        self.updates, self.retries, self.largest = 0, 0, 0

    # Records out.
    def send_raw(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass # why is read afterwards

    def sealed(self, kind, content, padding=0):
        return self.writes.seal(kind, content, padding) if self.writes else record(kind, content, 0x0301)

    def send(self, kind, content, padding=0):
        self.send_raw(self.sealed(kind, content, padding))

    def say(self, data, piece=RECORD_MAX):
        """A message of the handshake, which is remembered."""
        self.log.append(data)
        self.send_raw(b"".join(self.sealed(HANDSHAKE, data[at:at + piece]) for at in range(0, len(data), piece)))

    # Records in.
    def take(self, size):
        while len(self.received) < size:
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                assert not self.received, "the end in the middle of a record"
                raise Ended
            self.received += more
        data, self.received = self.received[:size], self.received[size:]
        return data

    def read_record(self):
        """What kind it is, and what it says; the one of change_cipher_spec is skipped, an alert raised."""
        while True:
            header = self.take(5)
            kind, version, size = struct.unpack(">BHH", header)
            assert version == 0x0303 or (kind == ALERT and not self.log[1:]), f"a record of version {version:04x}"
            assert size <= (SEALED_MAX if self.reads else RECORD_MAX), "a record that is too long"
            data = self.take(size)
            if kind == CCS:
                assert data == b"\x01" and not self.application, "a bad change_cipher_spec"  # libssl sends it without a session id too
                continue
            if self.reads:
                assert kind == DATA, f"a record of kind {kind} in clear"
                text = self.reads.aead.open(self.reads.nonce(), data, header).rstrip(b"\0")
                data, kind = text[:-1], text[-1]
            self.largest = max(self.largest, len(data))
            if kind == ALERT:
                assert len(data) == 2 and data[0] == (1 if data[1] == 0 else 2), f"an alert {data.hex()}"
                raise Alert(data[1])
            return kind, data

    def read_message(self, *kinds):
        while len(self.messages) < 4 or len(self.messages) < 4 + int.from_bytes(self.messages[1:4], "big"):
            kind, data = self.read_record()
            assert kind == HANDSHAKE and data, f"a record of kind {kind} in the handshake"
            self.messages += data
        size = 4 + int.from_bytes(self.messages[1:4], "big")
        whole, self.messages = self.messages[:size], self.messages[size:]
        assert whole[0] in kinds, f"message {whole[0]}, not one of {kinds}"
        return whole

    # The steps.
    def say_hello(self, piece=RECORD_MAX):
        self.say(self.hello.message(), piece)

    def digest(self):
        return hashlib.new(SUITES[self.suite][2], b"".join(self.log)).digest()

    def derive(self, secret, label, digest):
        name = SUITES[self.suite][2]
        return crypto.expand(name, secret, label, digest, hashlib.new(name).digest_size)

    def read_server_hello(self):
        """True after a HelloRetryRequest; then `hello` can be changed for it with retry()."""
        whole = self.read_message(SERVER_HELLO)
        version, random, session_size = struct.unpack_from(">H32sB", whole, 4)
        at = 39 + session_size
        session, (self.suite, compression, size) = whole[39:at], struct.unpack_from(">HBH", whole, at)
        found = extensions_of(whole[at + 5:])
        assert version == 0x0303 and session == self.hello.session and compression == 0 and size == len(whole) - at - 5, "a bad ServerHello"
        self.answers.append(random)
        assert words(self.suite) in (self.hello.suites[i:i + 2]
                                     for i in range(0, len(self.hello.suites), 2)), "a suite that was not offered"
        assert found.pop(VERSIONS) == b"\x03\x04", "another version"
        self.group = struct.unpack_from(">H", found[KEY_SHARE])[0]
        if random == RETRY:
            assert len(found.pop(KEY_SHARE)) == 2 and not found and not self.retries, f"a bad HelloRetryRequest {found}"
            self.retries += 1
            self.log = [message(MESSAGE_HASH, self.digest()), whole]
            return True
        self.log.append(whole)
        share = found.pop(KEY_SHARE)
        assert not found and struct.unpack_from(">H", share, 2)[0] == len(share) - 4, "a bad ServerHello"
        self.answers.append(share[4:])
        self.secret = self.hello.shares[self.group].secret(share[4:])
        self.set_handshake_keys(self.secret)
        return False

    def set_handshake_keys(self, shared):
        name = SUITES[self.suite][2]
        empty = hashlib.new(name).digest()
        early = crypto.extract(name, b"", bytes(len(empty)))
        secret = crypto.extract(name, self.derive(early, b"derived", empty), shared)
        self.master = crypto.extract(name, self.derive(secret, b"derived", empty), bytes(len(empty)))
        self.reads = Keys(self.suite, self.derive(secret, b"s hs traffic", self.digest()))
        self.writes = Keys(self.suite, self.derive(secret, b"c hs traffic", self.digest()))

    def retry(self):
        """Has the share that was asked for, alone."""
        self.hello.shares = {self.group: Share(self.group)}
        self.hello.set_shares([(self.group, self.hello.shares[self.group].public)])

    def finished(self, keys):
        secret = crypto.expand(keys.digest, keys.secret, b"finished", b"", len(keys.secret))
        return hmac.digest(secret, self.digest(), keys.digest)

    def read_flight(self):
        """From EncryptedExtensions to Finished; afterwards records come under the keys of the application."""
        whole = self.read_message(ENCRYPTED_EXTENSIONS)
        self.extensions = extensions_of(whole[6:])
        assert len(whole) == 6 + struct.unpack_from(">H", whole, 4)[0], "bad EncryptedExtensions"
        offered = {kind for kind, _ in self.hello.extensions}
        assert not self.extensions.keys() - offered, "an extension that was not offered"
        self.log.append(whole)
        whole = self.read_message(CERTIFICATE_REQUEST, CERTIFICATE)
        if whole[0] == CERTIFICATE_REQUEST:
            assert whole[4] == 0, "a context in the handshake"
            self.request = extensions_of(whole[7:])
            self.log.append(whole)
            whole = self.read_message(CERTIFICATE)
        self.log.append(whole)
        size = int.from_bytes(whole[8:11], "big")
        signed = b" " * 64 + b"TLS 1.3, server CertificateVerify\0" + self.digest()
        proof = self.read_message(CERTIFICATE_VERIFY)
        algorithm, length = struct.unpack_from(">HH", proof, 4)
        assert algorithm == ECDSA and length == len(proof) - 8, "a bad CertificateVerify"
        assert crypto.verify(whole[11:11 + size], b"SHA256", proof[8:], signed), "a wrong CertificateVerify"
        self.log.append(proof)
        expected = message(FINISHED, self.finished(self.reads))
        whole = self.read_message(FINISHED)
        assert whole == expected and not self.messages, "a wrong Finished"
        self.log.append(whole)
        self.application = Keys(self.suite, self.derive(self.master, b"c ap traffic", self.digest()))
        self.reads = Keys(self.suite, self.derive(self.master, b"s ap traffic", self.digest()))

    def say_certificate(self):
        """What was asked for, or that there is none."""
        if self.request is None:
            return
        chain, private, algorithm = self.certificate or (b"", None, 0)
        self.say(certificate_message(chain))
        if chain:
            self.say(message(CERTIFICATE_VERIFY, words(algorithm) + vector(self.proof(private, algorithm))))

    def proof(self, private, algorithm, who=b"client"):
        return crypto.sign(private, DIGESTS[algorithm], b" " * 64 + b"TLS 1.3, " + who + b" CertificateVerify\0" + self.digest())

    def say_finished(self, piece=RECORD_MAX):
        self.say(message(FINISHED, self.finished(self.writes)), piece)
        self.writes = self.application

    def until_flight(self):
        self.say_hello()
        if self.read_server_hello():
            self.retry()
            self.say_hello()
            assert not self.read_server_hello()
        self.read_flight()
        return self

    def handshake(self):
        self.until_flight()
        self.say_certificate()
        self.say_finished()
        return self

    # Afterwards.
    def update(self, request=0):
        self.send(HANDSHAKE, message(KEY_UPDATE, bytes([request])))
        self.writes = self.writes.next()

    def read_data(self, size):
        got = b""
        while len(got) < size:
            kind, data = self.read_record()
            if kind == DATA:
                got += data
                continue
            assert (kind, data) == (HANDSHAKE, message(KEY_UPDATE, b"\0")), f"a record of kind {kind}: {data.hex()}"
            self.reads = self.reads.next()
            self.updates += 1
        return got

    def turn(self, size=1000):
        data = os.urandom(size)
        for at in range(0, size, RECORD_MAX):
            self.send(DATA, data[at:at + RECORD_MAX])
        self.hears(data)
        return self

    def hears(self, data):
        assert self.read_data(len(data)) == data, "what came back is not what was sent"

    def goodbye(self):
        """close_notify, which is answered with the same."""
        self.send(ALERT, b"\x01\x00")
        try:
            self.read_record()
        except Alert as alert:
            assert alert.code == 0
        else:
            raise AssertionError("something after close_notify")
        self.is_over()

    def is_over(self):
        try:
            self.read_record()
        except Ended:
            self.socket.close()
        else:
            raise AssertionError("something after the last alert")

    def finish(self):
        """What is left after read_flight()."""
        self.say_certificate()
        self.say_finished()
        self.turn()
        self.goodbye()

    def talk(self):
        self.until_flight()
        self.finish()


def certificate_message(chain, context=b""):
    rows = vector(chain, 3) + b"\0\0" if chain else b""
    return message(CERTIFICATE, vector(context, 1) + vector(rows, 3))


def extensions_of(data):
    found, at = {}, 0
    while at < len(data):
        kind, size = struct.unpack_from(">HH", data, at)
        assert kind not in found, "an extension twice"
        found[kind] = data[at + 4:at + 4 + size]
        at += 4 + size
    assert at == len(data), "extensions that are cut"
    return found


def outcome(client, work):
    """What became of `work`, and that nothing follows it."""
    try:
        work(client)
        return "served"
    except Alert as alert:
        client.is_over()
        return alert.code
    except Ended:
        return "closed"
    except (TimeoutError, socket.timeout):
        return "silence"
    finally:
        client.socket.close()


class Talk:
    """One conversation of a row: what is said first, and what then."""

    def __init__(self, hello=Hello, work=Client.talk, listener="main", certificate=None):
        self.hello, self.work, self.listener, self.certificate = hello, work, listener, certificate

    def run(self, edge):
        client = Client(getattr(edge, self.listener), self.hello(), self.certificate and edge.certificates[self.certificate])
        return outcome(client, self.work)


class Row:
    """Conversations that all come to the same; `counts` is what the server counts for each."""

    def __init__(self, name, wants, *talks, counts=None):
        self.name, self.wants, self.talks, self.counts = name, wants, talks, counts or {}


def counted(result, retried, more):
    return {f'handshakes_total{{group="other",result="{result}",retried="{str(retried).lower()}"}}': 1, more: 1}


def error(kind):
    return f'errors_total{{kind="{kind}"}}'


def refused(reason, retried=False):
    return counted("refused", retried, f'refusals_total{{reason="{reason}"}}')


HELLO, SHAKE, AGAIN = (counted("failed", retried, error(kind))
                       for kind, retried in (("hello", False), ("handshake", False), ("handshake", True)))
TLS = {error("tls"): 1}


def changed(change, **options):
    """A Hello, and what `change` does to it."""
    def make():
        hello = Hello(**options)
        change(hello)
        return hello
    return make
