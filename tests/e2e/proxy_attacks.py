# SPDX-License-Identifier: Apache-2.0
"""Attacks on the data plane, for proxy_attacks.sh: what becomes of each, what is counted for it, and that
an honest client is served meanwhile.

proxy_attacks.py ENGINE PROXY   in a folder with cert.pem, cert.key and other.key; prints a row a line:
                                "ok" or "not ok", the name, and why, with tabs between

An attack is a generator: it stands where it yields, and an honest client comes by.
"""
import contextlib
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

from ports import free_ports
from proxy_attack_tools import (HYBRID, LOT, VERSIONS, Counters, Hello, KeyUpdater, Pieces, alert_of, changes, curt, deaf, dial, dies, echo,
                                flood, is_gone, lot, memory_of, quiet, record, records, reset, secure, settled, start_service, turn)

CROWD = 10000  # clients at once
NAMES = ("main", "crowd", "turnback", "slow", "trusting", "prefix", "few", "budget", "flooded", "deaf", "dying", "quiet", "plain", "curt", "slowly", "sealed")
BIG = 64 << 20
EACH = 8192  # bytes of one that has not said a whole record: an SSL object has 20 KiB and more
# Bytes that may stay after 10,000 of them. Alone they leave nothing (an allocator's pages in between are used by
# what came before); when each had an SSL object, a tenth of 300 MB was the bound.
REST = 24 << 20
HARD = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
FILES = HARD if HARD != resource.RLIM_INFINITY else 1 << 20  # that may be open
engine, program = sys.argv[1], sys.argv[2]
FAILED, REFUSED, ABANDONED, LATE = (f'handshakes_total{{group="other",result="{result}",retried="false"}}'
                                    for result in ("failed", "refused", "abandoned", "timeout"))


def error(kind):
    return f'errors_total{{kind="{kind}"}}'


def refusal(reason):
    return f'refusals_total{{reason="{reason}"}}'


class Edge:
    """The program under attack."""

    def __init__(self, files=None):
        *ports, self.metrics = free_ports(len(NAMES) + 1)
        for name, port in zip(NAMES, ports):
            setattr(self, name, port)
        with open("proxy.yaml", "w", encoding="ascii") as out:
            out.write(self.config())
        with open("log", "ab") as log:
            self.process = subprocess.Popen(
                [program, "-c", os.path.abspath("proxy.yaml")], stderr=log, stdout=log,
                preexec_fn=(lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))) if files else None)
        self.pid = self.process.pid
        for _ in range(200):
            with contextlib.suppress(OSError):
                self.counters = Counters(self.metrics)
                self.counters.read()
                return
            time.sleep(0.05)
        self.counters = None

    def config(self):
        tls = "tls: {cert: cert.pem, key: cert.key}"
        many = "connections_per_prefix: 100000, handshake_budget: 1m"
        rows = {
            "main": f"mode: terminate, {tls}, routes: [{{to: app}}], limits: {{{many}, hello: 30s, handshake: 40s}}",
            "crowd": f"mode: terminate, {tls}, routes: [{{to: app}}], limits: {{connections: {crowd_of(FILES)}, "
                     "connections_per_prefix: 40, hello: 60s, handshake: 60s}",
            "turnback": f"mode: echo, {tls}, limits: {{{many}}}",
            "slow": f"mode: terminate, {tls}, routes: [{{to: app}}], limits: {{{many}, hello: 200ms}}",
            "trusting": f"mode: terminate, {tls}, proxy_protocol: {{in: [127.0.0.2/32]}}, routes: [{{to: app}}], limits: {{hello: 500ms}}",
            "prefix": f"mode: terminate, {tls}, routes: [{{to: app}}], limits: {{connections_per_prefix: 5}}",
            "few": f"mode: terminate, {tls}, routes: [{{to: app}}], limits: {{connections: 5}}",
            "budget": f"mode: terminate, {tls}, routes: [{{to: app}}], limits: {{handshake_budget: 1ms}}",
            "plain": "mode: passthrough, routes: [{to: app}]",
            "curt": "mode: passthrough, routes: [{to: curt}]",
            "slowly": "mode: passthrough, routes: [{to: lot}], limits: {idle: 250ms}",
            "sealed": f"mode: terminate, {tls}, routes: [{{to: lot}}], limits: {{idle: 250ms}}",
        }
        for name in ("flooded", "deaf", "dying", "quiet"):
            rows[name] = f"mode: terminate, {tls}, routes: [{{to: {name}}}], limits: {{{many}{', idle: 1500ms' if name == 'deaf' else ''}}}"
        lines = ["version: 1", f"engine: {engine}", "workers: 2", "drain: 500ms",
                 f'metrics: {{bind: "tcp://127.0.0.1:{self.metrics}"}}', "listeners:"]
        lines += [f'  - {{name: {name}, bind: "tcp://127.0.0.1:{getattr(self, name)}", {rest}}}' for name, rest in rows.items()]
        lines += ["upstreams:"]
        lines += [f'  - {{name: {name}, servers: [{{addr: "127.0.0.1:{port}"}}]}}' for name, port in SERVICES.items()]
        return "\n".join(lines) + "\n"

    def honest(self):
        connection = secure(self.main)
        turn(connection)
        connection.unwrap().close()

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def live(self):
        now = self.counters.read()
        return {key: value for key, value in now.items() if "connections_live" in key and value}


SERVICES = {"app": start_service(echo), "flooded": start_service(flood), "deaf": start_service(deaf),
            "dying": start_service(dies), "quiet": start_service(quiet),
            "curt": start_service(curt), "lot": start_service(lot)}


def say(is_good, name, why=""):
    print("ok" if is_good else "not ok", f"{engine}: {name}", " ".join(str(why).split()), sep="\t", flush=True)


def skip(name, why):
    print("skip", f"{engine}: {name}", why, sep="\t", flush=True)


def row(edge, name, expected, attack):
    """The attack, honest clients where it stands, and exactly these counters after it."""
    before, why = edge.counters.read(), ""
    try:
        for _ in attack:
            edge.honest()
    except (AssertionError, OSError, ssl.SSLError) as problem:
        why = f"{type(problem).__name__}: {problem}"
    for _ in range(200):
        now = edge.counters.read()
        found = changes(before, now, expected)
        if found == expected:
            break
        time.sleep(0.05)
    if found != expected:
        why += f" counted {found}, not {expected}"
    say(not why, name, why)


# What a slow or clumsy client does, and is served all the same.
def in_pieces(edge, cut):
    client = Pieces(edge.main)
    first = True
    for piece in cut(client.hello()):
        client.socket.sendall(piece)
        if first:
            yield
            first = False
    client.socket.sendall(client.finish())
    client.turn()
    client.socket.sendall(client.goodbye())
    client.socket.close()


def in_two(edge, offsets):
    for at in offsets:
        yield from in_pieces(edge, lambda data, at=at: (data[:at], data[at:]))


def all_at_once(edge):
    """The last flight, what is asked, close_notify and the end, in one segment."""
    for _ in range(20):
        client = Pieces(edge.main)
        client.socket.sendall(client.hello())
        client.socket.sendall(client.finish() + client.sealed(b"x" * 3000) + client.goodbye())
        client.socket.shutdown(socket.SHUT_WR)
        assert client.read(3000) == b"x" * 3000
        is_gone(client.socket)
    yield


def plain_at_once(edge):
    for _ in range(50):
        client = dial(edge.plain)
        client.sendall(b"y" * 3000)
        client.shutdown(socket.SHUT_WR)
        got = b""
        while more := client.recv(65536):
            got += more
        client.close()
        assert len(got) == 3000, len(got)
    yield


def urgent(edge, before):
    """A byte that is marked as urgent is one of the stream's, and holds nothing up: not where it is in the middle of what is
    read at once, nor behind so many bytes. A multishot receive of the kernel's stops there until more comes."""
    for _ in range(10):
        client = dial(edge.plain)
        sender = threading.Thread(target=client.sendall, args=(bytes(before),))
        sender.start()
        size = 0
        while size < before:
            size += len(client.recv(1 << 20))
        sender.join()
        os.kill(edge.pid, signal.SIGSTOP)
        client.sendall(b"a" * 1000)
        client.send(b"!", socket.MSG_OOB)
        client.sendall(b"b" * 1000)
        os.kill(edge.pid, signal.SIGCONT)
        got, wanted = b"", b"a" * 1000 + b"!" + b"b" * 1000
        if engine == "io_uring":
            got = client.recv(65536)
            client.sendall(b"c")
            wanted += b"c"
        while len(got) < len(wanted):
            got += client.recv(65536)
        assert got == wanted
        client.shutdown(socket.SHUT_WR)
        is_gone(client)
    yield


def header_in_pieces(edge, header):
    client = Pieces(edge.trusting, "127.0.0.2")
    for at in range(len(header)):
        client.socket.sendall(header[at:at + 1])
    yield
    client.socket.sendall(client.hello())
    client.socket.sendall(client.finish())
    client.turn()
    client.socket.sendall(client.goodbye())
    client.socket.close()


# What is no TLS, or not TLS as it should be.
def sends(port, data, alert=None, source="127.0.0.1", then=b""):
    client = dial(port, source)
    client.sendall(data)
    yield
    if then:
        client.sendall(then)
    got = alert_of(client)
    assert alert is None or got == alert, f"alert {got}, not {alert}"


def dribbles(port):
    hello = Hello().record()
    client = dial(port)
    with contextlib.suppress(OSError):
        for at in range(len(hello)):
            client.sendall(hello[at:at + 1])
            time.sleep(0.02)
    yield
    is_gone(client)


def with_shares(change):
    hello = Hello()
    shares = hello.shares()
    hello.set_shares(change(shares[HYBRID]) if change else [])
    return hello


def with_groups(*groups):
    hello = Hello()
    hello.set_groups(*groups)
    hello.set_shares([(groups[0], b"k" * 32)])
    return hello.record()


def older(version, is_alone=True):
    hello = Hello()
    hello.version = version
    if is_alone:
        del hello.extensions[VERSIONS]
    return hello.record()


def tampered(sealed):
    """Another last byte, whatever it was: a fixed one is the right one every 256th time."""
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


def after_handshake(edge, data):
    client = Pieces(edge.turnback)
    client.socket.sendall(client.hello())
    client.socket.sendall(client.finish())
    client.turn()
    client.socket.sendall(data(client))
    yield
    is_gone(client.socket)


def half_a_record(edge, cut):
    client = Pieces(edge.main)
    client.socket.sendall(client.hello())
    client.socket.sendall(client.finish())
    client.turn()
    client.socket.sendall(client.sealed(b"z" * 1000)[:cut])
    client.socket.shutdown(socket.SHUT_WR)
    yield
    is_gone(client.socket)


def key_updates(edge):
    client = KeyUpdater(edge.turnback)
    before = memory_of(edge.pid)
    asked = 0
    client.socket.settimeout(None)
    # More than sockets hold: what they took before the program was given a processor says nothing of it.
    most = 1 << 20  # 28 MB
    while asked < most and client.ask():
        asked += 1
    yield
    assert asked < most, "there is no end to what it takes"
    assert memory_of(edge.pid) - before < BIG, "memory grows"
    client.socket.close()


def paid_key_updates(edge):
    client = KeyUpdater(edge.turnback)
    client.socket.settimeout(None)
    for _ in range(200):
        assert client.ask() and client.write(b"k" * 1024) and client.read(1024)
    yield
    reset(client.socket)


# Many of them.
def crowd_of(hard):
    """So many clients at once as descriptors are allowed, here and in the program."""
    return min(CROWD, (hard - 1000) // 400 * 400)


def half_open(edge, size):
    """`size` connections, 40 of each network, 10 of these with half a ClientHello; then more of the same networks, then of
    others, when there is no room at all. Afterwards the memory that they took is the system's again."""
    half, held, before = Hello().record()[:600], [], memory_of(edge.pid)

    def come(first, last):
        for number in range(first * 40, last * 40):
            one = dial(edge.crowd, f"127.1.{number // 40}.{1 + number % 40}")
            held.append(one)
            if number % 4 == 0:
                one.sendall(half)

    def is_turned_away(source):
        with contextlib.suppress(ConnectionError):  # as early as in connect(2)
            is_gone(dial(edge.crowd, source))

    def are_held(wanted):
        for _ in range(500):
            there = edge.live().get('connections_live{listener="crowd"}', 0)
            if there == wanted:
                break
            time.sleep(0.02)
        assert there == wanted, f"{there} are held, not {wanted}"

    networks = size // 40
    come(0, networks - 10)
    are_held(size - 400)
    for network in range(networks - 10):
        is_turned_away(f"127.1.{network}.200")
    other = secure(edge.crowd, "127.2.0.1")
    turn(other)
    other.unwrap().close()
    yield
    are_held(size - 400)
    come(networks - 10, networks)
    are_held(size)
    for network in range(100):
        is_turned_away(f"127.3.{network}.1")
    yield
    are_held(size)
    most = memory_of(edge.pid) - before
    assert most < size * EACH, f"{most} bytes for {size} that said nothing or half"
    for one in held:
        one.close()
    are_held(0)
    for _ in range(200):
        left = memory_of(edge.pid) - before
        if left < REST:
            break
        time.sleep(0.05)
    assert left < REST, f"{left} of {most} bytes are still there"


def storm(edge, make):
    for _ in range(3):
        held = [make(edge) for _ in range(30)]
        yield
        for one in held:
            reset(one)


def half_hello(edge):
    client = dial(edge.main)
    client.sendall(Hello().record()[:700])
    return client


def established(edge):
    client = secure(edge.main)
    turn(client, 100)
    return client


def flooded(edge):
    client = secure(edge.flooded, buffer=32768)
    client.recv(1000)
    return client


def nobody_reads(edge):
    before = memory_of(edge.pid)
    held = [flooded(edge) for _ in range(20)]
    settled(lambda: edge.counters.read()['bytes_total{listener="flooded",direction="out"}'])
    yield
    grown = memory_of(edge.pid) - before
    assert grown < BIG, f"{grown} bytes for 20 connections"
    for one in held:
        reset(one)


def server_reads_nothing(edge):
    before = memory_of(edge.pid)
    held = [secure(edge.deaf) for _ in range(5)]
    data, sent, since = bytes(65536), 0, time.monotonic()
    for one in held:
        one.setblocking(False)
    while time.monotonic() < since + 0.3 and sent < 200 << 20:
        for one in held:
            with contextlib.suppress(ssl.SSLWantWriteError):
                sent += one.send(data)
                since = time.monotonic()
    yield
    assert sent < 200 << 20, "there is no end to what it takes"
    grown = memory_of(edge.pid) - before
    assert grown < BIG, f"{grown} bytes for 5 connections"
    for one in held:
        reset(one)


def reads_slowly(edge, is_sealed):
    """All of it, although no byte comes from the server for many times as long as `idle` says."""
    client = secure(edge.sealed, buffer=16384) if is_sealed else dial(edge.slowly, buffer=16384)
    client.sendall(b"go")
    got = 0
    while got < LOT:
        more = len(client.recv(16384))
        assert more > 0, f"{got} of {LOT}"
        got += more
        time.sleep(0.02)
    (client.unwrap() if is_sealed else client).close()
    yield


# Limits.
def only_so_many(port, edge, source, elsewhere):
    held = [secure(port, source) for _ in range(5)]
    for one in held:
        turn(one, 10)
    for _ in range(3):
        with contextlib.suppress(OSError):
            secure(port, source)
            raise AssertionError("one more was served")
    yield
    if elsewhere:
        other = secure(port, elsewhere)
        turn(other)
        other.unwrap().close()
    for one in held:
        one.unwrap().close()
    for _ in range(100):
        if not any("quiet" not in key and "main" not in key for key in edge.live()):
            break
        time.sleep(0.05)
    again = secure(port, source)
    turn(again)
    again.unwrap().close()


def still_only_so_many(edge):
    """A reload forgets nobody who is there."""
    held = [secure(edge.few) for _ in range(5)]
    for one in held:
        turn(one, 10)
    before = edge.counters.read()['reloads_total{result="ok"}']
    os.kill(edge.pid, signal.SIGHUP)
    for _ in range(200):
        if edge.counters.read()['reloads_total{result="ok"}'] > before:
            break
        time.sleep(0.02)
    with contextlib.suppress(OSError):
        secure(edge.few)
        raise AssertionError("one more was served")
    yield
    for one in held:
        turn(one, 10)
        one.unwrap().close()
    for _ in range(200):
        if 'connections_live{listener="few"}' not in edge.live():
            break
        time.sleep(0.02)
    again = secure(edge.few)
    turn(again)
    again.unwrap().close()


def budget(edge):
    before, refused, served = edge.counters.read(), 0, 0
    for _ in range(400):
        try:
            secure(edge.budget).close()
            served += 1
            if refused >= 3:
                break
        except OSError:
            refused += 1
            yield
            time.sleep(0.02)
    now = edge.counters.read()
    counted = now.get(refusal("handshake-budget"), 0) - before.get(refusal("handshake-budget"), 0)
    assert refused >= 3 and served > 0, f"{refused} refused, {served} served"
    assert counted == refused, f"{counted} counted, {refused} refused"


def blamed_for_nothing(edge):
    """Clients that leave before the server has anything to say."""
    for _ in range(12):
        client = secure(edge.quiet)
        client.sendall(b"x")
        client.unwrap().close()
    yield
    client = secure(edge.quiet)
    client.sendall(b"ask\n")
    assert client.recv(100) == b"answer\n"
    client.unwrap().close()


def shut_out(edge):
    """Clients whose requests a server closes on without a word, many at once, and others of the same server."""
    held = [dial(edge.curt) for _ in range(30)]
    for one in held:
        one.sendall(b"nonsense")
    for one in held:
        is_gone(one)
    yield
    for _ in range(3):
        client = dial(edge.curt)
        client.sendall(b"ask\n")
        assert client.recv(100) == b"answer\n"
        reset(client)


def dies_in_the_middle(edge):
    client = secure(edge.dying)
    client.sendall(b"go")
    got = 0
    try:
        while more := client.recv(65536):
            got += len(more)
        raise AssertionError(f"a clean end after {got} bytes")
    except (ConnectionError, ssl.SSLError):
        pass
    yield


def reloads(edge, count):
    """Clients hold connections, others come, and nobody is dropped."""
    held = [established(edge) for _ in range(20)]
    problems, is_over, came = [], threading.Event(), [0, 0, 0]

    def come(number):
        while not is_over.is_set():
            try:
                edge.honest()
                came[number] += 1
            except (OSError, AssertionError) as problem:
                problems.append(repr(problem))

    threads = [threading.Thread(target=come, args=(number,)) for number in range(3)]
    for one in threads:
        one.start()
    first = edge.counters.read()['reloads_total{result="ok"}']
    for number in range(count):
        os.kill(edge.pid, signal.SIGHUP)
        while edge.counters.read()['reloads_total{result="ok"}'] <= first + number:
            time.sleep(0.002)
    is_over.set()
    for one in threads:
        one.join()
    for one in held:
        turn(one)
        one.unwrap().close()
    assert not problems, f"{len(problems)} of {sum(came)} dropped: {problems[0]}"
    yield


def bad_certificate(edge, change):
    kept = {}
    for name in ("cert.pem", "cert.key"):
        with open(name, "rb") as file:
            kept[name] = file.read()
    before = edge.counters.read()['reloads_total{result="failed"}']
    change()
    os.kill(edge.pid, signal.SIGHUP)
    for _ in range(200):
        if edge.counters.read()['reloads_total{result="failed"}'] == before + 1:
            break
        time.sleep(0.05)
    yield
    for name, data in kept.items():
        with contextlib.suppress(OSError):
            os.rmdir(name)
        with open(name, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(data)
        os.chmod(name, 0o600)
    assert edge.counters.read()['reloads_total{result="failed"}'] == before + 1, "it was not refused"


def put(name, data):
    with open(name, "wb") as file:
        file.write(data)


def part_of(name, size):
    with open(name, "rb") as file:
        put(name, file.read()[:size])


def as_folder(name):
    os.unlink(name)
    os.mkdir(name)


def copied(name, to):
    with open(name, "rb") as file:
        put(to, file.read())


def hellos(edge):
    row(edge, "a ClientHello byte by byte", {}, in_pieces(edge, lambda data: [data[at:at + 1] for at in range(len(data))]))
    row(edge, "in records of 16 bytes", {}, in_pieces(edge, lambda data: [records(data[5:], 16)]))
    row(edge, "in records of 1 byte, each a segment of its own", {},
        in_pieces(edge, lambda data: [record(data[at:at + 1]) for at in range(5, len(data))]))
    row(edge, "in two segments, cut where it hurts", {}, in_two(edge, (1, 2, 4, 5, 6, 8, 9, 10, 43, 44, 76, 500, 1460, -1)))
    row(edge, "the last flight, a request and the end in one segment", {}, all_at_once(edge))
    row(edge, "a request and the end in one segment, in clear", {}, plain_at_once(edge))
    row(edge, "urgent data among others, in clear", {}, urgent(edge, 0))
    row(edge, "urgent data behind what was spliced", {}, urgent(edge, 8 << 20))
    late = {error("hello-timeout"): 1, LATE: 1}
    row(edge, "half a ClientHello and then nothing", late, sends(edge.slow, Hello().record()[:900]))
    row(edge, "a ClientHello that takes too long", late, dribbles(edge.slow))
    wrong = {error("hello"): 1, FAILED: 1}
    row(edge, "garbage", wrong, sends(edge.main, b"\xff\xfe\xfd" * 100))
    row(edge, "HTTP where TLS is spoken", wrong, sends(edge.main, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    row(edge, "a record that is too long", wrong, sends(edge.main, b"\x16\x03\x01\x48\x01" + bytes(0x4801)))
    row(edge, "a ClientHello of 16 MB", wrong, sends(edge.main, record(b"\x01\xff\xff\xff" + bytes(1000))))
    row(edge, "records without a byte in them, without end", wrong, sends(edge.main, record(b"") * 1000))
    row(edge, "a hello of SSL 2", {refusal("tls-version"): 1, REFUSED: 1},
        sends(edge.main, b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + bytes(37)))


def shares(edge):
    wrong = {error("handshake"): 1, FAILED: 1}
    illegal = 47
    for name, change in (
            ("a hybrid share that is too short", lambda key: [(HYBRID, key[:-1])]),
            ("a hybrid share that is too long", lambda key: [(HYBRID, key + b"x")]),
            ("a key of ML-KEM that fails the modulus check", lambda key: [(HYBRID, b"\xff" * 1152 + key[1152:])]),
            ("a hybrid share whose X25519 half is zero", lambda key: [(HYBRID, key[:-32] + bytes(32))]),
            ("an X25519 share of zeros", lambda key: [(29, bytes(32))] if key else [])):
        hello = with_shares(change)
        if "zeros" in name:
            hello.set_groups(29)
        row(edge, name, wrong, sends(edge.main, hello.record(), illegal))
    refused = {refusal("no-common-group"): 1, REFUSED: 1}
    row(edge, "groups that nobody knows", refused, sends(edge.main, with_groups(0x1A1A, 0x2A2A), 40))
    refused = {refusal("tls-version"): 1, REFUSED: 1}
    row(edge, "a ClientHello of TLS 1.2", refused, sends(edge.main, older(b"\x03\x03"), 70))
    row(edge, "a ClientHello of TLS 1.0", refused, sends(edge.main, older(b"\x03\x01"), 70))


def established_ones(edge):
    wrong = {error("tls"): 1}
    row(edge, "a second ClientHello after the handshake", wrong, after_handshake(edge, lambda client: Hello().record()))
    row(edge, "a record that was tampered with", wrong,
        after_handshake(edge, lambda client: tampered(client.sealed(b"a" * 100))))
    row(edge, "records that nobody sealed", wrong, after_handshake(edge, lambda client: record(b"b" * 500, 23, b"\x03\x03")))
    row(edge, "new keys asked for without end, and nothing else", wrong, key_updates(edge))
    row(edge, "200 new keys, each for a KiB", {error("client-reset"): 1}, paid_key_updates(edge))
    row(edge, "an end without close_notify", {error("truncated"): 1}, half_a_record(edge, 0))
    row(edge, "an end in the middle of a record", {error("truncated"): 1}, half_a_record(edge, 500))
    row(edge, "an end in the middle of a record's head", {error("truncated"): 1}, half_a_record(edge, 3))
    row(edge, "a server that dies in the middle", {error("upstream-reset"): 1}, dies_in_the_middle(edge))
    failures = f'upstream_failures_total{{upstream="curt",server="127.0.0.1:{SERVICES["curt"]}"}}'
    row(edge, "30 requests that a server closes on without a word shut nobody out",
        {error("upstream-silent"): 30, failures: 30, error("client-reset"): 3}, shut_out(edge))
    row(edge, "clients that leave do not give a server a bad name", {}, blamed_for_nothing(edge))


def many(edge):
    size = crowd_of(FILES)
    if size < CROWD:
        skip(f"{CROWD} connections at once", f"the limit of open files is too low here; it is done with {size}")
    row(edge, f"{size} connections that say nothing or half, and more than the limits allow",
        {error("abandoned"): size, ABANDONED: size, refusal("connections"): 100, refusal("prefix-connections"): size // 40 - 10},
        half_open(edge, size))
    row(edge, "90 aborts right after accept", {error("abandoned"): 90, ABANDONED: 90}, storm(edge, lambda edge: dial(edge.main)))
    row(edge, "90 aborts in the ClientHello", {error("abandoned"): 90, ABANDONED: 90}, storm(edge, half_hello))
    row(edge, "90 aborts after the handshake", {error("client-reset"): 90}, storm(edge, established))
    row(edge, "90 aborts while bytes flow", {error("client-reset"): 90}, storm(edge, flooded))
    row(edge, "20 clients that never read what a server floods", {error("client-reset"): 20}, nobody_reads(edge))


def stuck(edge):
    row(edge, "a client that reads slowly, in clear", {}, reads_slowly(edge, False))
    row(edge, "a client that reads slowly, in TLS", {}, reads_slowly(edge, True))
    row(edge, "a server that never reads what clients flood", {error("idle-timeout"): 5}, server_reads_nothing(edge))


def headers(edge):
    refused = {refusal("proxy-header"): 1}
    signature = b"\r\n\r\n\0\r\nQUIT\n"
    good = signature + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187])
    row(edge, "a PROXY header byte by byte", {}, header_in_pieces(edge, good))
    row(edge, "one of version 1", {}, header_in_pieces(edge, b"PROXY TCP4 192.0.2.1 192.0.2.2 80 443\r\n"))
    row(edge, "no PROXY header from one that has to send it", refused, sends(edge.trusting, Hello().record(), source="127.0.0.2"))
    row(edge, "nothing at all from it", refused, sends(edge.trusting, b"", source="127.0.0.2"))
    row(edge, "a malformed one", refused, sends(edge.trusting, b"PROXY TCP9 1.2.3.4\r\n", source="127.0.0.2"))
    row(edge, "a PROXY header from a stranger", {error("hello"): 1, FAILED: 1}, sends(edge.trusting, good, source="127.0.0.3"))
    for name, lie in (("shorter than its addresses", b"\x21\x11\x00\x04abcd"), ("of an unknown version", b"\x31\x11\x00\x0c" + bytes(12)),
                      ("with a length that never comes", b"\x21\x11\xff\xff" + bytes(500))):
        row(edge, "a header of version 2 " + name, refused, sends(edge.trusting, signature + lie, source="127.0.0.2"))


def limits(edge):
    row(edge, "five connections of one network and no more", {refusal("prefix-connections"): 3},
        only_so_many(edge.prefix, edge, "127.0.7.1", "127.0.8.1"))
    row(edge, "five connections of one listener and no more", {refusal("connections"): 3},
        only_so_many(edge.few, edge, "127.0.0.1", None))
    row(edge, "and no more after a reload", {refusal("connections"): 1, 'reloads_total{result="ok"}': 1}, still_only_so_many(edge))
    before = edge.counters.read()
    why = ""
    try:
        for _ in budget(edge):
            edge.honest()
    except (AssertionError, OSError) as problem:
        why = repr(problem)
    others = {key for key in changes(before, edge.counters.read(), ()) if "handshake-budget" not in key and "client" not in key}
    say(not why and not {key for key in others if "refusals" in key}, "handshakes past the budget, and again later", why or others)


def reloading(edge):
    row(edge, "100 reloads while clients hold connections and others come", {'reloads_total{result="ok"}': 100}, reloads(edge, 100))
    failed = {'reloads_total{result="failed"}': 1}
    for name, change in (
            ("an empty certificate", lambda: put("cert.pem", b"")), ("half a certificate", lambda: part_of("cert.pem", 200)),
            ("a certificate of words", lambda: put("cert.pem", b"hello\n" * 100)), ("no certificate", lambda: os.unlink("cert.pem")),
            ("a folder for a certificate", lambda: as_folder("cert.pem")), ("another's key", lambda: copied("other.key", "cert.key")),
            ("half a key", lambda: part_of("cert.key", 80)), ("no key", lambda: os.unlink("cert.key")),
            ("the key for the certificate", lambda: copied("cert.key", "cert.pem"))):
        row(edge, "a reload with " + name + " is refused, and the old one stays", failed, bad_certificate(edge, change))


def without_descriptors():
    """60 files in all, for twice as many clients."""
    edge = Edge(60)
    before, why = edge.counters.read(), ""
    try:
        held = [dial(edge.main) for _ in range(120)]
        for _ in range(200):
            if edge.counters.read().get(error("accept"), 0) > 0:
                break
            time.sleep(0.05)
        for one in held:
            one.close()
        for _ in range(200):
            with contextlib.suppress(OSError):
                edge.honest()
                break
            time.sleep(0.05)
        edge.honest()
    except (AssertionError, OSError) as problem:
        why = repr(problem)
    now = edge.counters.read()
    say(not why and now.get(error("accept"), 0) > before.get(error("accept"), 0), "without descriptors, accepting fails, is counted, and goes on", why)
    # Descriptors for the client, and none for the server: no server's fault.
    held, why = [], ""
    for _ in range(120):
        with contextlib.suppress(ConnectionError):  # as early as in connect(2)
            held.append(dial(edge.plain))
    time.sleep(0.3)
    for one in held:
        one.close()
    for _ in range(200):
        if not edge.live():
            break
        time.sleep(0.05)
    found = {key: value for key, value in edge.counters.read().items() if value and "upstream_circuit_opened" in key}
    try:
        edge.honest()
    except OSError as problem:
        why = repr(problem)
    say(not found and not why, "and no server gets a bad name for it", found or why)
    say(edge.end() == 0, "and it ends when it is told to")


def drained():
    with open("log", encoding="utf-8") as log:
        return log.read().count('"end":"drain"')


def main():
    if FILES < 2000:
        skip("attacks", f"no more than {FILES} files may be open here")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))
    edge = Edge()
    if edge.counters is None:
        with open("log", encoding="utf-8") as log:
            print(f"skip\t{engine}: attacks\t{log.read()[-300:].splitlines()[-1]}", flush=True)
        return
    try:
        groups = {group.__name__: group for group in (hellos, shares, established_ones, headers, limits, many, stuck, reloading)}
        for name, group in groups.items():
            if len(sys.argv) < 4 or name in sys.argv[3:]:
                group(edge)
        for _ in range(200):
            if not edge.live():
                break
            time.sleep(0.05)
        say(not edge.live(), "after all that no connection is left", edge.live())
        held = [established(edge) for _ in range(3)]
        before = drained()
        code = edge.end()
        say(code == 0 and drained() == before + 3, "it ends with clients that do not", f"status {code}, {drained() - before} cut")
        for one in held:
            one.close()
        if len(sys.argv) < 4 or "without_descriptors" in sys.argv[3:]:
            without_descriptors()
    except subprocess.TimeoutExpired:
        say(False, "it ends when it is told to", "it does not end")
    finally:
        if edge.process.poll() is None:
            edge.process.kill()


main()
