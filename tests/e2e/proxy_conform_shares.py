# SPDX-License-Identifier: Apache-2.0
"""Key exchange: RFC 8446 section 4.2.8, draft-ietf-tls-ecdhe-mlkem, draft-ietf-tls-mlkem, FIPS 203 section 7.2, RFC 7748
section 6.1. Rows for proxy_conform.py."""
import hashlib

from proxy_conform_peer import (GROUPS, HALVES, KEY_SHARE, MLKEM1024, SECP256R1, SECP256R1MLKEM768, SECP384R1MLKEM1024, SUITES, X25519,
    X25519MLKEM768, Ended, vector, words)
from proxy_conform_tools import SHAKE, Hello, Row, Share, Talk, changed, counted, error, refused

NAMES = {X25519MLKEM768: "X25519MLKEM768", SECP256R1MLKEM768: "SecP256r1MLKEM768", SECP384R1MLKEM1024: "SecP384r1MLKEM1024",
         MLKEM1024: "MLKEM1024", X25519: "x25519", SECP256R1: "secp256r1"}
Q = 3329  # of ML-KEM
GREASE, MLKEM768, FFDHE2048, P521 = 0x2A2A, 0x0201, 0x0100, 0x0019
SMALL = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xed" + b"\xff" * 30 + b"\x7f",
         b"\xee" + b"\xff" * 30 + b"\x7f",
         bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
         bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")]
SMALL += [point[:31] + bytes([point[31] | 0x80]) for point in SMALL]  # the bit that RFC 7748 has masked


def with_share(group, change):
    """The share of one group, changed."""
    return changed(lambda hello: hello.set_shares([(group, change(hello.shares[group].public))]), groups=(group,))


def with_half(group, name, change):
    """One of its halves, changed."""
    def make():
        hello = Hello(groups=(group,))
        halves = [change(half.public) if half.name == name else half.public for half in hello.shares[group].halves]
        return hello.set_shares([(group, b"".join(halves))])
    return make


def with_coefficient(group, place, value):
    """12 bits each, the lower ones first."""
    def change(public):
        made, at = bytearray(public), place // 2 * 3
        if place % 2 == 0:
            made[at], made[at + 1] = value & 0xFF, made[at + 1] & 0xF0 | value >> 8
        else:
            made[at + 1], made[at + 2] = made[at + 1] & 0x0F | (value & 0xF) << 4, value >> 4
        return bytes(made)
    return with_half(group, next(name for name in HALVES[group] if name.startswith("ML")), change)


def with_zero(group, at):
    """Conversations until a secret has a zero where one that is no number of its own length would lose it."""
    def work(client):
        for _ in range(8000):
            client.talk()
            if client.secret[at] == 0:
                return
            client.__init__(client.port, Hello((group,)))
        raise AssertionError("none in 8,000")
    return Talk(lambda: Hello((group,)), work)


def only_once(group):
    """What a server says of its own is said once."""
    said = set()

    def work(client):
        for number in range(20):
            if number:
                client.__init__(client.port, Hello((group,)))
            client.talk()
            fresh = [part for answer in client.answers for part in (answer, answer[:32], answer[-32:])]
            assert len(client.answers) == 2 and not said.intersection(fresh), "once more"
            assert client.answers[0][24:31] != b"DOWNGRD", "a downgrade"
            said.update(fresh)
    return Talk(lambda: Hello((group,)), work)


def pairs_of(hello):
    return [(group, share.public) for group, share in hello.shares.items()]


def add_share(hello, *pairs):
    hello.set_shares(pairs_of(hello) + list(pairs))


def swap(group):
    first, second = HALVES[group]

    def make():
        hello = Hello(groups=(group,))
        public = {half.name: half.public for half in hello.shares[group].halves}
        # What stands where a point has to begin is never what a point begins with.
        key = public[second] if not second.startswith("ML") or public[second][0] not in (2, 3, 4, 6,
            7) else b"\xff" + public[second][1:]
        return hello.set_shares([(group, key + public[first])])
    return make


def is_taken(client):
    """The server goes on; the client does not, as it has no secret for such a share."""
    client.say_hello()
    client.read_message(2)
    raise Ended


def with_secret(mix):
    """A client that puts the secret together in its own way: neither end can open what the other says."""
    def work(client):
        client.say_hello()
        share = Share.secret
        Share.secret = mix
        try:
            assert not client.read_server_hello()
        finally:
            Share.secret = share
        client.send(22, b"\x14\0\0\x20" + bytes(32))
        try:
            client.read_flight()
        except ValueError:
            pass
        else:
            raise AssertionError("the server has the same secret")
        while client.received or client.take(1):  # until Ended
            client.received = b""
    return work


def swapped(share, answer):
    first, second = share.halves
    return second.secret(answer[first.answer_bytes:]) + first.secret(answer[:first.answer_bytes])


def only_post_quantum(share, answer):
    return share.halves[0].secret(answer[:share.halves[0].answer_bytes])


def x_wing(share, answer):
    """As the HPKE drafts combine the two."""
    first, second = share.halves
    secrets = first.secret(answer[:1088]) + second.secret(answer[1088:])
    return hashlib.sha3_256(secrets + answer[1088:] + second.public + b"\\.//^\\").digest()


def chooses(group, retries=0, **options):
    def work(client):
        client.until_flight()
        assert (client.group, client.retries) == (group, retries), f"group {client.group:04x}, {client.retries} retries"
        client.finish()
    return Talk(lambda: Hello(**options), work)


def per_group(group):
    name = NAMES[group]
    yield Row(f"{name}: plain, with each suite", "served", *(Talk(lambda s=suite: Hello((group,), None, (s,))) for suite in SUITES))
    yield Row(f"{name}: neither random nor share comes twice", "served", only_once(group))
    yield Row(f"{name}: a share that is too short", 47, *(Talk(with_share(group, cut))
              for cut in (lambda k: k[:-1], lambda k: k[1:], lambda k: k[:1])), counts=SHAKE)
    yield Row(f"{name}: one that is too long", 47, *(Talk(with_share(group, grow)) for grow in (lambda k: k + b"\0", lambda k: b"\0" + k,
              lambda k: k + k)), counts=SHAKE)
    yield Row(f"{name}: an empty one", 50, Talk(with_share(group, lambda k: b"")), counts=SHAKE)
    yield Row(f"{name}: the share of each other group", 47, *(Talk(with_share(group, lambda k, o=other: Share(o).public))
              for other in HALVES if other != group), counts=SHAKE)
    yield Row(f"{name}: zeros, and ones", 47, *(Talk(with_share(group, lambda k, b=byte: bytes([b]) * len(k)))
              for byte in ((0, 255) if group not in (MLKEM1024, X25519) else (0,) if group == X25519 else (255,))), counts=SHAKE)
    halves = HALVES[group]
    if len(halves) == 2:
        yield Row(f"{name}: either half alone", 47, Talk(with_half(group, halves[0], lambda k: b"")),
                  Talk(with_half(group, halves[1], lambda k: b"")), counts=SHAKE)
        yield Row(f"{name}: its halves swapped", 47, Talk(swap(group)), counts=SHAKE)
        yield Row(f"{name}: a secret in another order is another", "closed", Talk(lambda: Hello((group,)), with_secret(swapped)),
                  counts=SHAKE)
    if any(half.startswith("ML") for half in halves):
        rank = 3 if "ML-KEM-768" in halves else 4
        places = [256 * number + place for number in range(rank) for place in (0, 1, 255)]
        yield Row(f"{name}: a coefficient that is not below q, in every polynomial", 47,
                  *(Talk(with_coefficient(group, place, value)) for place in places for value in (Q, 4095)), counts=SHAKE)
        yield Row(f"{name}: the greatest coefficient is taken", "closed", Talk(with_coefficient(group, 256 * rank - 1, Q - 1), is_taken),
                  counts=GONE)
    if "X25519" in halves:
        yield Row(f"{name}: points of small order", 47, *(Talk(with_half(group, "X25519", lambda k, p=point: p)) for point in SMALL),
                  counts=SHAKE)
    for curve, size in (("P-256", 32), ("P-384", 48)):
        if curve in halves:
            prime = {32: 2**256 - 2**224 + 2**192 + 2**96 - 1, 48: 2**384 - 2**128 - 2**96 + 2**32 - 1}[size].to_bytes(size, "big")
            bad = {"not on the curve": [lambda k: k[:-1] + bytes([k[-1] ^ 1]), lambda k: k[:1] + k[1 + size:] + k[1:1 + size],
                                        lambda k: b"\x04" + bytes(2 * size)],
                   "with a coordinate that is not below p": [lambda k: b"\x04" + prime + k[1 + size:],
                                                             lambda k: k[:1 + size] + prime],
                   "in a form that TLS 1.3 has not": [lambda k: bytes([2 + k[-1] % 2]) + k[1:1 + size],
                                                      lambda k: bytes([6 + (1 - k[-1] % 2)]) + k[1:],
                                                      lambda k: bytes([5]) + k[1:]],
                   "at infinity": [lambda k: b"\0", lambda k: bytes(2 * size + 1)]}
            # Both coordinates, and the byte in front says a bit of one of them once more: section 4.2.8.2 wants a 4 there. Libssl
            # looks for it in a group that is a curve alone, not in a half; the point is checked all the same, and is the same one.
            said_twice = Talk(with_half(group, curve, lambda k: bytes([6 + k[-1] % 2]) + k[1:]))
            yield Row(f"{name}: a point that says a bit twice", *(("served", said_twice) if len(halves) == 2 else (47, said_twice)),
                      counts=None if len(halves) == 2 else SHAKE)
            for what, changes in bad.items():
                yield Row(f"{name}: a point {what}", 47, *(Talk(with_half(group, curve, change)) for change in changes), counts=SHAKE)


GONE = counted("abandoned", False, error("abandoned"))


def zeros():
    yield Row("secp256r1: a secret that begins with a zero", "served", with_zero(SECP256R1, 0))
    yield Row("SecP384r1MLKEM1024: the same, of its first half", "served", with_zero(SECP384R1MLKEM1024, 0))


def lists():
    both = (X25519MLKEM768, X25519)
    yield Row("all six shares: the first is taken", "served", chooses(X25519MLKEM768, groups=tuple(HALVES), shares=tuple(HALVES)))
    yield Row("in the order of the server, not of the client", "served", chooses(X25519MLKEM768, groups=tuple(HALVES)[::-1],
              shares=tuple(HALVES)[::-1]))
    yield Row("shares in another order than their groups", "served", chooses(X25519MLKEM768, groups=both, shares=both[::-1]))
    yield Row("no share: asked for the first group", "served", chooses(X25519MLKEM768, 1, groups=both, shares=()))
    yield Row("no share of the only group", "served", *(chooses(group, 1, groups=(group,), shares=()) for group in HALVES))
    yield Row("a classical share where the hybrid group is known", "served", chooses(X25519MLKEM768, 1, groups=both, shares=(X25519,)))
    yield Row("secret by ML-KEM's half alone, or mixed as X-Wing does", "closed",
              *(Talk(Hello, with_secret(mix)) for mix in (only_post_quantum, x_wing)), counts=SHAKE)
    unknown = [(GREASE, b"\0"), (MLKEM768, bytes(1184)), (FFDHE2048, bytes(256)), (P521, bytes(133))]
    yield Row("shares of groups that the server has not", "served", *(Talk(changed(lambda hello, p=pair: add_share(hello, p),
              groups=(X25519MLKEM768, pair[0]))) for pair in unknown))
    # Section 4.2.8: a server may look for that, and need not. The first one counts.
    yield Row("the same share twice, and another of its group", "served", *(Talk(changed(lambda hello,
              o=other: add_share(hello, (X25519MLKEM768, o() if o else pairs_of(hello)[0][1]))))
              for other in (None, lambda: Share(X25519MLKEM768).public)))
    yield Row("a share of a group that is not offered", 47, *(Talk(changed(lambda hello: hello.set(GROUPS, vector(words(X25519MLKEM768))),
              groups=both, shares=shares)) for shares in (both, both[::-1], (X25519,))), counts=SHAKE)
    broken = {"one byte more than it says": lambda data: data + b"\0", "one byte less": lambda data: data[:-1],
              "empty": lambda data: b"", "half a length": lambda data: b"\0",
              "a share that ends behind it": lambda data: data[:4] + words(1217) + data[6:],
              "a group without a share": lambda data: vector(data[2:] + words(X25519))}
    for what, change in broken.items():
        yield Row(f"key_share: {what}", 50, Talk(changed(lambda hello, c=change: hello.set(KEY_SHARE, c(hello.get(KEY_SHARE))))),
                  counts=SHAKE)
    yield Row("key_share without supported_groups", 109, *(Talk(changed(lambda hello: hello.drop(GROUPS)), listener=listener)
              for listener in ("main", "strict")), counts=SHAKE)
    yield Row("the same, of a classical client", 109, *(Talk(changed(lambda hello: hello.drop(GROUPS), groups=(X25519,)),
              listener=listener) for listener in ("main", "strict")), counts=SHAKE)
    yield Row("supported_groups without key_share", 109, Talk(changed(lambda hello: hello.drop(KEY_SHARE))), counts=SHAKE)
    yield Row("neither of them", 109, *(Talk(changed(lambda hello: hello.drop(KEY_SHARE, GROUPS)), listener=listener)
              for listener in ("main", "strict")), counts=SHAKE)
    for what, data in {"none in the list": b"\0\0", "half a group": b"\0\x01\x11", "an odd length": b"\0\x03\x11\xec\0",
                       "more than it says": b"\0\x02\x11\xec\0", "less than it says": b"\0\x04\x11\xec", "empty": b"",
                       "half a length": b"\0"}.items():
        yield Row(f"supported_groups: {what}", 50, Talk(changed(lambda hello, d=data: hello.set(GROUPS, d))), counts=SHAKE)
    yield Row("no group in common", 40, *(Talk(changed(lambda hello, p=pair: hello.set_shares([p]).set(GROUPS, vector(words(p[0])))))
              for pair in unknown), counts=refused("no-common-group"))
    yield Row("a classical client where post-quantum is required", 40, *(Talk(lambda g=group: Hello((g,)), listener="strict")
              for group in (X25519, SECP256R1)), counts=refused("classical"))
    yield Row("a classical share beside the offer of a hybrid group, where that is required", "served",
              Talk(lambda: Hello(both, (X25519,)), listener="strict"))


def rows():
    for group in HALVES:
        yield from per_group(group)
    yield from lists()
    yield from zeros()
