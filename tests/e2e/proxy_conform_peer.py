# SPDX-License-Identifier: Apache-2.0
"""TLS 1.3 below the handshake, for either end of a conversation: records, messages, the key schedule. For
proxy_conform_tools.py, whose client is one, and proxy_conform_servers.py.

It is strict with what it is answered: whatever may not be sent is an AssertionError.
"""
import hashlib
import hmac
import os
import struct

import proxy_conform_crypto as crypto

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


class Peer:
    """Either end, at its records and messages."""

    def __init__(self, connection):
        self.socket, self.log, self.received, self.messages = connection, [], b"", b""  # of the handshake; of a record, of a message
        self.reads = self.writes = self.application = self.suite = self.master = None
        self.updates, self.largest = 0, 0

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
            is_early = (kind == ALERT and not self.log[1:]) or (version == 0x0301 and not self.log)
            assert version == 0x0303 or is_early, f"a record of version {version:04x}"
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

    def digest(self):
        return hashlib.new(SUITES[self.suite][2], b"".join(self.log)).digest()

    def derive(self, secret, label, digest):
        name = SUITES[self.suite][2]
        return crypto.expand(name, secret, label, digest, hashlib.new(name).digest_size)

    def handshake_keys(self, shared):
        """The client's, the server's."""
        name = SUITES[self.suite][2]
        empty = hashlib.new(name).digest()
        early = crypto.extract(name, b"", bytes(len(empty)))
        secret = crypto.extract(name, self.derive(early, b"derived", empty), shared)
        self.master = crypto.extract(name, self.derive(secret, b"derived", empty), bytes(len(empty)))
        return tuple(Keys(self.suite, self.derive(secret, label, self.digest())) for label in (b"c hs traffic", b"s hs traffic"))

    def application_keys(self):
        return tuple(Keys(self.suite, self.derive(self.master, label, self.digest())) for label in (b"c ap traffic", b"s ap traffic"))

    def finished(self, keys):
        secret = crypto.expand(keys.digest, keys.secret, b"finished", b"", len(keys.secret))
        return hmac.digest(secret, self.digest(), keys.digest)

    def proof(self, private, algorithm, who=b"client"):
        return crypto.sign(private, DIGESTS[algorithm], b" " * 64 + b"TLS 1.3, " + who + b" CertificateVerify\0" + self.digest())

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


def extensions_of(data):
    found, at = {}, 0
    while at < len(data):
        kind, size = struct.unpack_from(">HH", data, at)
        assert kind not in found, "an extension twice"
        found[kind] = data[at + 4:at + 4 + size]
        at += 4 + size
    assert at == len(data), "extensions that are cut"
    return found
