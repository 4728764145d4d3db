# SPDX-License-Identifier: Apache-2.0
"""What proxy_attacks.py is made of: services behind the data plane, clients in pieces, and counters."""
import ctypes
import http.client
import os
import socket
import ssl
import struct
import threading
import time

RECORD_HANDSHAKE = 22
KEY_SHARE, GROUPS, VERSIONS = 51, 10, 43
HYBRID = 0x11EC


def reset(connection):
    """Closes so that the other end sees an abort."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# Services: one thread for each connection.
def echo(connection):
    while data := connection.recv(65536):
        connection.sendall(data)


def flood(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # of the kernel's memory; the edge's is what fills
    while True:
        connection.sendall(bytes(65536))


def deaf(connection):
    threading.Event().wait(300)
    connection.close()


def dies(connection):
    connection.recv(65536)
    connection.sendall(bytes(100000))
    reset(connection)


def quiet(connection):
    """Answers what is asked, and nothing else."""
    while data := connection.recv(65536):
        if data == b"ask\n":
            connection.sendall(b"answer\n")


def curt(connection):
    """Answers what is asked, and closes without a word on anything else."""
    while connection.recv(65536) == b"ask\n":
        connection.sendall(b"answer\n")


LOT = 2 << 20


def lot(connection):
    """Says a lot when it is asked, and is done."""
    connection.recv(65536)
    connection.sendall(bytes(LOT))


def start_service(serve):
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def one(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            serve(connection)
        except OSError:
            pass
        connection.close()

    def accept():
        while True:
            threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1]


class Counters:
    """/metrics, over one connection that is held: it works when there is no descriptor left."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def read(self):
        self.connection.request("GET", "/metrics")
        text = self.connection.getresponse().read().decode()
        rows = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("airlock_proxy_"))
        return {name.removeprefix("airlock_proxy_"): float(value) for name, value in rows}


def is_watched(name):
    """Whatever went wrong is in one of these, so that what is not expected is seen too."""
    return (name.startswith(("errors_total", "refusals_total", "upstream_circuit_opened_total", "upstream_failures_total"))
            or (name.startswith("handshakes_total") and 'result="ok"' not in name))


def changes(before, now, names):
    keys = {name for name in before.keys() | now.keys() if is_watched(name)} | set(names)
    found = {key: int(now.get(key, 0) - before.get(key, 0)) for key in keys}
    return {key: value for key, value in found.items() if value}


def dial(port, source="127.0.0.1", timeout=10, buffer=0):
    """What it says is sent at once: a flight and what follows it do not wait for each other."""
    made = socket.socket()
    try:
        made.settimeout(timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        made.bind((source, 0))
        made.connect(("127.0.0.1", port))
    except OSError:
        made.close()
        raise
    return made


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def secure(port, source="127.0.0.1", buffer=0):
    return context().wrap_socket(dial(port, source, buffer=buffer), server_hostname="localhost", suppress_ragged_eofs=False)


def turn(connection, size=20000):
    data = os.urandom(size)
    got = b""
    connection.sendall(data)
    while len(got) < size:
        more = connection.recv(65536)
        if not more:
            raise AssertionError(f"{len(got)} of {size} bytes came back")
        got += more
    assert got == data, "what came back is not what was sent"


def is_gone(connection):
    """The other end has ended it: nothing more comes."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    connection.close()


def alert_of(connection):
    """Of what is read until the end: the alert in clear, or None."""
    data = b""
    try:
        while more := connection.recv(65536):
            data += more
    except ConnectionError:
        pass
    connection.close()
    found = data.find(b"\x15\x03")
    return data[found + 6] if found >= 0 and len(data) > found + 6 else None


class Pieces:
    """A TLS client whose bytes are ours to cut."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = dial(port, source)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context().wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def step(self, work):
        """What `work` gives, and nothing while it wants to read."""
        try:
            return True, work()
        except ssl.SSLWantReadError:
            return False, None

    def hello(self):
        self.step(self.tls.do_handshake)
        return self.outgoing.read()

    def finish(self):
        """The rest of the handshake; its last flight is not sent, but given back."""
        while not self.step(self.tls.do_handshake)[0]:
            data = self.socket.recv(65536)
            assert data, "ended in the middle of the handshake"
            self.incoming.write(data)
        return self.outgoing.read()

    def sealed(self, data):
        self.tls.write(data)
        return self.outgoing.read()

    def goodbye(self):
        self.step(self.tls.unwrap)
        return self.outgoing.read()

    def read(self, size):
        got = b""
        while len(got) < size:
            done, data = self.step(lambda: self.tls.read(65536))
            if done:
                got += data
                continue
            data = self.socket.recv(65536)
            assert data, f"{len(got)} of {size} bytes came back"
            self.incoming.write(data)
        return got

    def turn(self):
        data = os.urandom(5000)
        self.socket.sendall(self.sealed(data))
        assert self.read(len(data)) == data, "what came back is not what was sent"


class Hello:
    """A ClientHello taken apart, to be changed and put together again."""

    def __init__(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context().wrap_bio(incoming, outgoing, server_hostname="localhost")
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        body = outgoing.read()[9:]
        at = 34
        at += 1 + body[at]
        at += 2 + struct.unpack_from(">H", body, at)[0]
        at += 1 + body[at]
        self.version, self.head = body[:2], body[2:at]
        self.extensions = {}
        at += 2
        while at < len(body):
            kind, size = struct.unpack_from(">HH", body, at)
            self.extensions[kind] = body[at + 4:at + 4 + size]
            at += 4 + size

    def message(self):
        rows = b"".join(struct.pack(">HH", kind, len(data)) + data for kind, data in self.extensions.items())
        body = self.version + self.head + struct.pack(">H", len(rows)) + rows
        return b"\x01" + len(body).to_bytes(3, "big") + body

    def record(self):
        return record(self.message())

    def set_shares(self, shares):
        rows = b"".join(struct.pack(">HH", group, len(key)) + key for group, key in shares)
        self.extensions[KEY_SHARE] = struct.pack(">H", len(rows)) + rows

    def shares(self):
        data, at, found = self.extensions[KEY_SHARE], 2, {}
        while at < len(data):
            group, size = struct.unpack_from(">HH", data, at)
            found[group] = data[at + 4:at + 4 + size]
            at += 4 + size
        return found

    def set_groups(self, *groups):
        self.extensions[GROUPS] = struct.pack(f">H{len(groups)}H", 2 * len(groups), *groups)


def record(data, kind=RECORD_HANDSHAKE, version=b"\x03\x01"):
    return bytes([kind]) + version + struct.pack(">H", len(data)) + data


def records(data, size):
    return b"".join(record(data[at:at + size]) for at in range(0, len(data), size))


class KeyUpdater:
    """libssl itself, for what Python's module does not do: asking for new keys."""

    def __init__(self, port):
        self.lib = ctypes.CDLL("libssl.so.3")
        for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
            getattr(self.lib, name).restype = ctypes.c_void_p
        self.socket = dial(port)
        self.socket.setblocking(True)
        self.context = self.lib.SSL_CTX_new(ctypes.c_void_p(self.lib.TLS_client_method()))
        self.tls = ctypes.c_void_p(self.lib.SSL_new(ctypes.c_void_p(self.context)))
        self.lib.SSL_set_fd(self.tls, self.socket.fileno())
        assert self.lib.SSL_connect(self.tls) == 1, "no handshake"

    def ask(self):
        """Sends a KeyUpdate that requests one in answer; False when the other end is gone."""
        return self.lib.SSL_key_update(self.tls, 1) == 1 and self.lib.SSL_do_handshake(self.tls) == 1

    def write(self, data):
        return self.lib.SSL_write(self.tls, data, len(data)) == len(data)

    def read(self, size):
        data = ctypes.create_string_buffer(size)
        while size > 0:
            got = self.lib.SSL_read(self.tls, data, size)
            if got <= 0:
                return False
            size -= got
        return True


def memory_of(pid):
    """Bytes of it that are resident."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))


def settled(read):
    """What `read` gives once it gives the same thrice in a row."""
    same, last = 0, None
    while same < 3:
        time.sleep(0.1)
        now = read()
        same = same + 1 if now == last else 0
        last = now
    return last
