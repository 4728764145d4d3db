# SPDX-License-Identifier: Apache-2.0
"""Records, change_cipher_spec, KeyUpdate, alerts and the end: RFC 8446 sections 4.6.3, 5, 5.1 to 5.4, 6, D.4; RFC 9846 section
6.1. Rows for proxy_conform.py."""
import os
import socket

from proxy_attack_tools import reset
from proxy_conform_peer import ALERT, CCS, CLIENT_HELLO, DATA, FINISHED, HANDSHAKE, KEY_UPDATE, RECORD_MAX, Ended, message, record
from proxy_conform_tools import HELLO, SHAKE, TLS, Client, Hello, Row, Talk, counted, error, refused

BETWEEN = Client.until_flight  # the server's flight is there, the client's is not
HEARTBEAT = 24


def talk(*steps, start=Client.handshake, hello=Hello):
    """`start`, then each step, then the next record, which is to be an alert."""
    def work(client):
        start(client)
        for step in steps:
            step(client)
        client.read_record()
        raise AssertionError("an answer")
    return Talk(hello, work)


def goes_on(*steps, start=Client.handshake, end=lambda client: (client.turn(), client.goodbye())):
    def work(client):
        start(client)
        for step in steps:
            step(client)
        end(client)
    return Talk(Hello, work)


def sends(kind, data, padding=0):
    return lambda client: client.send(kind, data, padding)


def raw(data):
    return lambda client: client.send_raw(data)


def echoes(data, padding=0):
    return lambda client: (client.send(DATA, data, padding), client.hears(data))


def nothing(client):
    del client


def first(*steps):
    return talk(*steps, start=nothing)


def ccs():
    one = raw(record(CCS, b"\1"))
    finish = Client.finish
    yield Row("change_cipher_spec: where it may be, once or often", "served", *(goes_on(*[one] * count, start=BETWEEN, end=finish)
              for count in (1, 2, 5, 30)), goes_on(lambda client: (client.say_hello(), one(client)),
              lambda client: (client.read_server_hello(), client.read_flight()), start=nothing, end=finish))
    yield Row("change_cipher_spec: more often than anybody needs", 10, talk(*[one] * 40, start=BETWEEN), counts=SHAKE)
    yield Row("change_cipher_spec: before the ClientHello", 10, first(one), counts=HELLO)
    yield Row("change_cipher_spec: between the pieces of a ClientHello", 10, first(lambda client: client.send_raw(record(HANDSHAKE,
              client.hello.message()[:100]) + record(CCS, b"\1") + record(HANDSHAKE, client.hello.message()[100:]))), counts=HELLO)
    yield Row("change_cipher_spec: another value, no value, two", 10, *(talk(raw(record(CCS, data)), start=BETWEEN)
              for data in (b"\0", b"\2", b"\xff", b"", b"\1\1", b"\1" * 100)), counts=SHAKE)
    yield Row("change_cipher_spec: after Finished", 10, talk(one), talk(echoes(b"data"), one), counts=TLS)
    yield Row("change_cipher_spec: sealed", 10, talk(sends(CCS, b"\1"), start=BETWEEN), counts=SHAKE)
    yield Row("change_cipher_spec: sealed, afterwards", 10, talk(sends(CCS, b"\1")), counts=TLS)


def updates():
    def asks(client):
        client.update(1)
        client.turn()
        assert client.updates == 1, client.updates
        client.turn().goodbye()

    def often(client):
        for number in range(30):
            client.update(number % 2)
            client.turn(10)
        assert client.updates == 15
        client.turn().goodbye()

    def paid(size):
        """So many of them, with so much data behind each."""
        def step(client):
            for _ in range(60):
                client.update(1)
                client.turn(size)
            client.goodbye()
        return step

    def at_once(client):
        """An answer to some of many; data between them comes through."""
        data = [os.urandom(100) for _ in range(30)]
        for one in data:
            client.update(1)
            client.send(DATA, one)
        client.hears(b"".join(data))
        assert 1 <= client.updates <= len(data)
        client.turn().goodbye()

    def in_pieces(client):
        whole = message(KEY_UPDATE, b"\1")
        for at in range(len(whole)):
            client.send(HANDSHAKE, whole[at:at + 1])
        client.writes = client.writes.next()
        client.turn().goodbye()

    def to_the_limit(client):
        client.send(HANDSHAKE, message(KEY_UPDATE, b"\0"), RECORD_MAX - 5)
        client.writes = client.writes.next()
        client.turn().goodbye()

    def update(*behind):
        def step(client):
            client.send(HANDSHAKE, message(KEY_UPDATE, b"\0") + b"".join(behind))
            client.writes = client.writes.next()
        return step

    def old_keys(client):
        client.send(HANDSHAKE, message(KEY_UPDATE, b"\0"))
        client.send(DATA, b"data")

    def new_keys(client):
        client.writes = client.writes.next()
        client.send(DATA, b"data")

    def finished_and(*behind):
        def step(client):
            client.send(HANDSHAKE, message(FINISHED, client.finished(client.writes)) + b"".join(behind))
            client.writes = client.application
        return step

    yield Row("KeyUpdate: not asking for an answer", "served", *(goes_on(*[Client.update] * count) for count in (1, 2, 30)))
    yield Row("KeyUpdate: asking for one", "served", *(goes_on(end=step) for step in (asks, often, at_once)))
    yield Row("KeyUpdate: over and over, with data that is worth it", "served", goes_on(end=paid(2000)))
    yield Row("KeyUpdate: with less than that", "closed", goes_on(end=paid(10)), talk(*[Client.update] * 60), counts=TLS)
    yield Row("KeyUpdate: in pieces, and padded to the limit", "served", *(goes_on(end=step) for step in (in_pieces, to_the_limit)))
    yield Row("KeyUpdate: right behind Finished, and before the end", "served",
              goes_on(end=lambda client: (client.update(1), client.update(0), client.turn(), client.update(0), client.goodbye())))
    yield Row("KeyUpdate: another value", 47, *(talk(sends(HANDSHAKE, message(KEY_UPDATE, bytes([value]))))
              for value in (2, 3, 128, 255)), counts=TLS)
    yield Row("KeyUpdate: empty", 50, talk(sends(HANDSHAKE, message(KEY_UPDATE, b""))), counts=TLS)
    # Decode_error (50) by section 6.2; libssl has a limit of one byte for it.
    yield Row("KeyUpdate: too long", 47, *(talk(sends(HANDSHAKE, message(KEY_UPDATE, data)))
              for data in (b"\0\0", b"\1\0\0\0", bytes(5000))), counts=TLS)
    yield Row("KeyUpdate: before Finished", 10, *(talk(sends(HANDSHAKE, message(KEY_UPDATE, bytes([value]))), start=BETWEEN)
              for value in (0, 1)), counts=SHAKE)
    yield Row("KeyUpdate: before the ClientHello", 10, first(sends(HANDSHAKE, message(KEY_UPDATE, b"\0"))), counts=HELLO)
    yield Row("KeyUpdate: in clear", 10, talk(raw(record(HANDSHAKE, message(KEY_UPDATE, b"\0")))), counts=TLS)
    yield Row("KeyUpdate: another message behind it in its record", 10, *(talk(update(behind))
              for behind in (message(KEY_UPDATE, b"\0"), b"\0", message(KEY_UPDATE, b"\0")[:3], message(99, b""))), counts=TLS)
    yield Row("KeyUpdate: behind Finished in its record", 10, talk(finished_and(message(KEY_UPDATE, b"\0")), start=BETWEEN), counts=SHAKE)
    yield Row("KeyUpdate: data between its pieces", 10, talk(sends(HANDSHAKE, message(KEY_UPDATE, b"\0")[:3]), sends(DATA, b"data"),
              sends(HANDSHAKE, b"\1\0")), counts=TLS)
    yield Row("KeyUpdate: the old keys after it, and new ones without it", 20, talk(old_keys), talk(new_keys), counts=TLS)


def limits():
    full = os.urandom(RECORD_MAX)
    yield Row("records: as long as may be", "served", goes_on(echoes(full)), goes_on(echoes(full[1:], 1)),
              goes_on(echoes(b"x", RECORD_MAX - 1)), goes_on(echoes(full[:8000], 8384)))
    yield Row("records: of every length, padded and not", "served", goes_on(*(echoes(full[:size], size % 7)
              for size in (*range(0, 260), *range(16360, 16385)))))
    yield Row("records: one byte more", 22, talk(sends(DATA, full + b"x")), talk(sends(DATA, full + b"x" * 239)), counts=TLS)
    # Section 5.4 counts the padding too; libssl looks at what is left without it, and at the length of the record.
    yield Row("records: one byte more, of padding", "served", goes_on(echoes(full, 1)), goes_on(echoes(b"x", RECORD_MAX)),
              goes_on(echoes(full, 239)))
    yield Row("records: longer than a sealed one may be", 22, talk(sends(DATA, full, 240)),
              talk(raw(record(DATA, bytes(RECORD_MAX + 257)))), talk(raw(b"\x17\x03\x03\xff\xff")), counts=TLS)
    yield Row("records: the same, in the handshake", 22, talk(sends(HANDSHAKE, full + b"x"), start=BETWEEN),
              talk(raw(b"\x17\x03\x03\x41\x01"), start=BETWEEN), counts=SHAKE)
    yield Row("records: a ClientHello in one that is too long", 22,
              first(raw(record(HANDSHAKE, message(CLIENT_HELLO, bytes(RECORD_MAX))))), first(raw(b"\x16\x03\x01\xff\xff")), counts=HELLO)
    yield Row("records: no data, also padded", "served", goes_on(echoes(b"")), goes_on(sends(DATA, b"", 1)),
              goes_on(sends(DATA, b"", RECORD_MAX)), goes_on(*[sends(DATA, b"")] * 20))
    yield Row("records: no data, over and over", "closed", talk(*[sends(DATA, b"")] * 40), counts=TLS)
    yield Row("records: an empty one of the handshake", 10, talk(sends(HANDSHAKE, b"")), talk(sends(HANDSHAKE, b"", 100)),
              talk(sends(HANDSHAKE, message(KEY_UPDATE, b"\0")[:2]), sends(HANDSHAKE, b"")), counts=TLS)
    yield Row("records: an empty one, before Finished", 10, talk(sends(HANDSHAKE, b""), start=BETWEEN),
              talk(sends(HANDSHAKE, b"", 9), start=BETWEEN), talk(sends(ALERT, b""), start=BETWEEN), counts=SHAKE)
    yield Row("records: an empty one, first of all", 10, *(first(raw(record(kind, b""))) for kind in (ALERT, DATA)), counts=HELLO)
    # Unexpected_message by section 5.1. In clear libssl skips some, and no more than some.
    yield Row("records: empty ones of the handshake, first of all", "served", goes_on(raw(record(HANDSHAKE, b"")), start=nothing,
              end=Client.talk), goes_on(raw(record(HANDSHAKE, b"") * 30), start=nothing, end=Client.talk),
              goes_on(empty_between, start=nothing, end=Client.finish))
    yield Row("records: too many of them", 10, first(raw(record(HANDSHAKE, b"") * 40)), counts=HELLO)
    yield Row("records: nothing but padding", 10, *(talk(sends(None, b"", size)) for size in (1, 100, RECORD_MAX, RECORD_MAX + 1)),
              counts=TLS)
    yield Row("records: the same, before Finished", 10, talk(sends(None, b"", 1), start=BETWEEN),
              talk(sends(None, b"", 30), start=BETWEEN), counts=SHAKE)
    # Section 5.4 says unexpected_message (10) of the one whose tag is right and that has nothing else.
    yield Row("records: nothing but a tag, and too short for one", 20, talk(sends(None, b"")),
              *(talk(raw(record(DATA, bytes(size)))) for size in (0, 1, 15, 16)), counts=TLS)
    yield Row("records: sealed, and a bit of it is not what it was", 20,
              *(talk(lambda client, b=bit: client.send_raw(flipped(client.sealed(DATA, b"data"), b))) for bit in range(40, 168)),
              counts=TLS)
    yield Row("records: sealed twice, and one left out", 20, talk(lambda client: client.send_raw(2 * client.sealed(DATA, b"data")),
              lambda client: client.hears(b"data")), talk(lambda client: client.sealed(DATA, b"data"), sends(DATA, b"data")), counts=TLS)
    yield Row("records: of another kind inside", 10, *(talk(sends(kind, b"data")) for kind in (1, 19, HEARTBEAT, 25, 26, 64, 255)),
              counts=TLS)
    yield Row("records: of another kind outside", 10, *(talk(lambda client, k=kind: client.send_raw(bytes([k]) + client.sealed(DATA,
              b"data")[1:])) for kind in (0, 1, CCS, HANDSHAKE, HEARTBEAT, 26, 255)), counts=TLS)
    yield Row("records: of another kind, first of all", 10, *(first(raw(record(kind, b"data")))
              for kind in (0, 1, 19, DATA, HEARTBEAT, 25, 99, 255)), counts=HELLO)
    yield Row("records: data before Finished", 10, talk(sends(DATA, b"data"), start=BETWEEN), counts=SHAKE)
    yield Row("records: under the keys of the application before Finished", 20,
              talk(lambda client: client.send_raw(client.application.seal(DATA, b"data")), start=BETWEEN), counts=SHAKE)
    yield Row("records: the version of the first ones does not matter", "served",
              *(goes_on(lambda client, v=version: first_version(client, v), start=nothing, end=Client.finish)
              for version in (0x0300, 0x0301, 0x0302, 0x0303, 0x0304, 0x03FF)))
    yield Row("records: a ClientHello of SSL 2", 70, first(raw(b"\x80\x1c\1\3\1\0\3\0\0\0\x10\0\0\x35" + bytes(16))),
              counts=refused("tls-version"))
    # Whoever speaks another protocol is not told anything.
    yield Row("records: a first version that is not of this kind", "closed",
              *(first(lambda client, v=version: client.send_raw(record(HANDSHAKE, client.hello.message(), v)))
              for version in (0x0000, 0x0200, 0x0400, 0x7F1C, 0xFFFF)), counts=HELLO)
    # Section 5.1: the version has to be ignored. Libssl does not; no client writes another one.
    yield Row("records: another version of a sealed one", 50, *(talk(lambda client, v=version: client.send_raw(client.writes.seal(DATA,
              b"data", 0, v))) for version in (0x0301, 0x0304, 0x0000, 0xFFFF)), counts=TLS)


def first_version(client, version):
    client.log.append(client.hello.message())
    client.send_raw(record(HANDSHAKE, client.hello.message(), version))
    assert not client.read_server_hello()
    client.read_flight()


def empty_between(client):
    whole = client.hello.message()
    client.log.append(whole)
    client.send_raw(record(HANDSHAKE, whole[:50]) + record(HANDSHAKE, b"") + record(HANDSHAKE, whole[50:]))
    assert not client.read_server_hello()
    client.read_flight()


def flipped(data, bit):
    made = bytearray(data)
    made[bit // 8] ^= 1 << bit % 8
    return bytes(made)


def pieces():
    """Messages of the handshake in records as they come: section 5.1."""
    def small(client):
        client.say_hello(1)
        assert not client.read_server_hello()
        client.read_flight()
        client.say_finished(1)
        client.turn().goodbye()

    def header_first(client):
        client.say_hello(4)
        assert not client.read_server_hello()
        client.read_flight()
        client.say_finished(4)
        client.turn().goodbye()

    def padded(client):
        whole = message(FINISHED, client.finished(client.writes))
        for at in range(0, len(whole), 10):
            client.send(HANDSHAKE, whole[at:at + 10], 1000)
        client.writes = client.application
        client.turn().goodbye()

    yield Row("pieces: every byte of the handshake in a record of its own", "served", Talk(Hello, small), Talk(Hello, header_first))
    yield Row("pieces: of Finished, padded", "served", goes_on(start=BETWEEN, end=padded))
    yield Row("pieces: data in small records", "served", goes_on(lambda client: ([client.send(DATA, b"x") for _ in range(500)],
              client.hears(b"x" * 500))))
    for kind, data in ((DATA, b"data"), (ALERT, b"\1"), (HEARTBEAT, b"data")):
        yield Row(f"pieces: a record of kind {kind} between those of Finished", 10,
                  talk(lambda client, k=kind, d=data: (client.send(HANDSHAKE, message(FINISHED, client.finished(client.writes))[:9]),
                  client.send(k, d)), start=BETWEEN), counts=SHAKE)
    for kind, data in ((DATA, b"data"), (HEARTBEAT, b"data")):
        yield Row(f"pieces: a record of kind {kind} between those of a ClientHello", 10,
                  first(lambda client, k=kind, d=data: client.send_raw(record(HANDSHAKE, client.hello.message()[:9]) + record(k, d))),
                  counts=HELLO)
    yield Row("pieces: something behind the ClientHello in its record", 10,
              *(first(lambda client, d=data: client.send_raw(record(HANDSHAKE, client.hello.message() + d)))
              for data in (b"\0", b"\1\0\0\0", message(FINISHED, bytes(32)), bytes(1000))), counts=SHAKE)


def alerts():
    gone = counted("failed", False, error("handshake"))
    yield Row("alerts: a fatal one ends it, before the server's flight and after", "closed",
              *(goes_on(sends(ALERT, bytes([2, code])), start=BETWEEN, end=Client.read_record) for code in (10, 20, 40, 47, 48, 80, 255)),
              counts=gone)
    yield Row("alerts: the same in clear, first of all", 10, *(Talk(Hello, lambda client,
              c=code: (client.send_raw(record(ALERT, bytes([2, c]))), client.read_record())) for code in (10, 40, 70)), counts=HELLO)
    yield Row("alerts: the same in clear, behind the ClientHello", "closed",
              Talk(Hello, lambda client: (client.say_hello(), client.send_raw(record(ALERT, b"\2\x28")), client.read_server_hello(),
              client.read_flight(), client.read_record())), counts=gone)
    yield Row("alerts: a fatal one ends what was established", "closed",
              *(goes_on(sends(ALERT, bytes([2, code])), end=Client.read_record) for code in (10, 20, 48, 91, 255)), counts=TLS)
    yield Row("alerts: any but two is fatal, whatever level it says", "closed",
              *(goes_on(sends(ALERT, bytes([level, code])), end=Client.read_record) for level,
              code in ((1, 10), (1, 41), (1, 100), (1, 112), (1, 255))), counts=TLS)
    yield Row("alerts: user_canceled, and close_notify after it", "served", goes_on(sends(ALERT, b"\1\x5a")),
              goes_on(sends(ALERT, b"\2\x5a")), goes_on(sends(ALERT, b"\1\x5a"), end=Client.goodbye),
              goes_on(sends(ALERT, b"\1\x5a"), sends(ALERT, b"\1\x5a"), echoes(b"data")))
    yield Row("alerts: user_canceled, over and over", 10, talk(*[sends(ALERT, b"\1\x5a")] * 10), counts=TLS)
    yield Row("alerts: close_notify is that, whatever level it says", 0, *(talk(sends(ALERT, bytes([level, 0])))
              for level in (0, 2, 3, 255)))
    # Decode_error (50) by section 6.2, as for any message; libssl says that it does not expect them.
    yield Row("alerts: too short, too long, two in a record", 10, *(talk(sends(ALERT, data))
              for data in (b"", b"\1", b"\2\x28\0", b"\1\0\1\0", bytes(1000))), counts=TLS)
    yield Row("alerts: in two pieces", 10, talk(sends(ALERT, b"\2"), sends(ALERT, b"\x28")), counts=TLS)
    yield Row("alerts: in clear, when keys are there", 10, talk(raw(record(ALERT, b"\2\x28"))), talk(raw(record(ALERT, b"\1\0"))),
              counts=TLS)


def ends():
    def half(client):
        """What was asked for before close_notify is answered, and then close_notify."""
        data = os.urandom(60000)
        for at in range(0, len(data), 10000):
            client.send(DATA, data[at:at + 10000])
        client.send(ALERT, b"\1\0")
        client.socket.shutdown(socket.SHUT_WR)
        client.hears(data)
        client.read_record()

    def behind(client):
        client.send(ALERT, b"\1\0")
        client.send(DATA, b"data")
        client.send(HANDSHAKE, b"data")
        client.read_record()

    def before_finished(client):
        client.send(ALERT, b"\1\0")
        client.read_record()

    yield Row("the end: close_notify, and nothing follows", "served", goes_on(), goes_on(end=Client.goodbye))
    yield Row("the end: what came before it is answered", 0, *(goes_on(end=half) for _ in range(20)))
    yield Row("the end: what comes after it is not looked at", 0, goes_on(end=behind))
    yield Row("the end: close_notify before Finished", "closed", goes_on(start=BETWEEN, end=before_finished), counts=SHAKE)
    yield Row("the end: without close_notify", "closed", goes_on(echoes(b"data"), lambda client: client.socket.shutdown(socket.SHUT_WR),
              end=Client.read_record), counts={error("truncated"): 1})
    yield Row("the end: in the middle of a record", "closed", goes_on(lambda client: client.send_raw(client.sealed(DATA, b"data")[:9]),
              lambda client: client.socket.shutdown(socket.SHUT_WR), end=Client.read_record), counts={error("truncated"): 1})
    yield Row("the end: in the middle of the handshake", "closed", goes_on(lambda client: client.socket.shutdown(socket.SHUT_WR),
              start=BETWEEN, end=Client.read_record), counts=counted("abandoned", False, error("abandoned")))
    half = lambda client: client.send_raw(record(HANDSHAKE, client.hello.message())[:300])
    gone = counted("abandoned", False, error("abandoned"))
    yield Row("the end: a reset in the handshake", "closed", aborts(half), aborts(Client.say_hello, Client.read_server_hello),
              aborts(BETWEEN), aborts(BETWEEN, lambda client: client.send_raw(client.sealed(HANDSHAKE, b"data")[:9])), counts=gone)
    yield Row("the end: a reset behind it", "closed", aborts(Client.handshake, Client.turn),
              aborts(Client.handshake, Client.turn, lambda client: client.send_raw(client.sealed(DATA, b"data")[:9])),
              counts={error("client-reset"): 1})
    yield Row("the end: the server's comes first, and half of it stays open", "served", Talk(Hello, server_first, "farewell"))


def aborts(*steps):
    """Gone, by a reset, after each of these."""
    def work(client):
        for step in steps:
            step(client)
        reset(client.socket)
        raise Ended
    return Talk(Hello, work)


def server_first(client):
    """The service says one word and no more, but hears on."""
    client.handshake()
    client.hears(b"welcome")
    try:
        client.read_record()
    except Exception as alert:
        assert getattr(alert, "code", None) == 0, alert
    for _ in range(5):
        client.send(DATA, bytes(10000))
    client.send(ALERT, b"\1\0")
    client.is_over()


def rows():
    for part in (ccs, updates, limits, pieces, alerts, ends):
        yield from part()
