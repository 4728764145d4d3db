# SPDX-License-Identifier: Apache-2.0
"""A TLS 1.3 client whose every byte can be changed, for proxy_conform.py.

It does what RFC 8446 asks of a client, and is strict with what it is answered: whatever a server may not send
is an AssertionError. What a row wants otherwise, it does between the steps: the ClientHello is a list of parts,
records are sealed with any type, size and padding, and messages go out in any pieces.

  Client(port).talk()        all of it: hello, flight, finish, turn, goodbye
  outcome(work)              "served", the number of the alert that ended it, "closed" or "silence"
"""
import os
import socket
import struct

import proxy_conform_crypto as crypto
from proxy_attack_tools import dial
from proxy_conform_peer import (CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_HELLO, ECDSA, ED25519,
    ENCRYPTED_EXTENSIONS, FINISHED, GROUPS, HALVES, KEY_SHARE, MESSAGE_HASH, MLDSA65, RECORD_MAX, RETRY, SERVER_HELLO, SIGNATURES, SNI,
    SUITES, VERSIONS, X25519MLKEM768, Alert, Ended, Peer, extensions_of, message, vector, words)


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


class Client(Peer):
    def __init__(self, port, hello=None, certificate=None):
        super().__init__(dial(port, timeout=8))
        self.port, self.hello, self.certificate = port, hello or Hello(), certificate  # (chain in DER, key, algorithm)
        self.group = self.request = None
        self.extensions, self.retries = {}, 0  # EncryptedExtensions
        self.answers, self.secret = [], b""  # what may never come twice, and what the two shares give

    # The steps.
    def say_hello(self, piece=RECORD_MAX):
        self.say(self.hello.message(), piece)

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
        self.writes, self.reads = self.handshake_keys(self.secret)
        return False

    def retry(self):
        """Has the share that was asked for, alone."""
        self.hello.shares = {self.group: Share(self.group)}
        self.hello.set_shares([(self.group, self.hello.shares[self.group].public)])

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
        self.application, self.reads = self.application_keys()

    def say_certificate(self):
        """What was asked for, or that there is none."""
        if self.request is None:
            return
        chain, private, algorithm = self.certificate or (b"", None, 0)
        self.say(certificate_message(chain))
        if chain:
            self.say(message(CERTIFICATE_VERIFY, words(algorithm) + vector(self.proof(private, algorithm))))

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
