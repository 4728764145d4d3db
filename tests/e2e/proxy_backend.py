# SPDX-License-Identifier: Apache-2.0
"""Services behind the data plane, and clients in front of it, for proxy_tls.sh.

serve PORTFILE            echoes; prints no more than its port into PORTFILE. A first line "header" makes
                          it answer with what stood before it: the PROXY header, as JSON
turn PORT SIZE CAFILE [NAME]   sends SIZE random bytes through TLS (or in clear with CAFILE "plain"), reads
                          them back while it sends, and ends its side; the end has to come back too
header PORT CAFILE NAME [CERT KEY]   asks for the header and prints it
hold PORT CAFILE SECONDS  one connection that says something every 10 ms and must get it back
"""
import json
import os
import select
import socket
import ssl
import struct
import sys
import threading
import time

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def read_exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return data
        data += more
    return data


def parse_v2(connection):
    command, family, size = struct.unpack(">BBH", read_exactly(connection, 4))
    body = read_exactly(connection, size)
    header = {"version": 2, "command": command & 15, "family": family, "tlvs": {}}
    at = {0x11: 12, 0x21: 36}.get(family, 0)
    if family == 0x11:
        header["source"] = socket.inet_ntoa(body[:4])
    while at < len(body):
        kind, length = struct.unpack(">BH", body[at:at + 3])
        header["tlvs"]["%02x" % kind] = body[at + 3:at + 3 + length].hex()
        at += 3 + length
    return header


def parse_header(connection, first):
    if first.startswith(b"PROXY "):
        line = first
        while not line.endswith(b"\r\n"):
            line += connection.recv(1)
        return {"version": 1, "line": line.decode().strip()}
    return parse_v2(connection) if first == SIGNATURE else None


def serve_one(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        first = read_exactly(connection, 12)
        header = parse_header(connection, first)
        if header is not None:
            first = b""
        while more := connection.recv(1 << 16) if not first else first:
            first = b""
            if header is not None and more == b"header\n":
                more = json.dumps(header).encode() + b"\n"
            connection.sendall(more)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1 << 16):
            pass
    except OSError:
        pass
    connection.close()


def serve(portfile):
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    with open(portfile + ".new", "w", encoding="ascii") as out:
        out.write(str(listener.getsockname()[1]))
    os.rename(portfile + ".new", portfile)
    while True:
        threading.Thread(target=serve_one, args=(listener.accept()[0],), daemon=True).start()


def connect(port, cafile, name="localhost", pair=None, alpn=None):
    plain = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
    if cafile == "plain":
        return plain
    context = ssl.create_default_context(cafile=cafile)
    if pair:
        context.load_cert_chain(*pair)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context.wrap_socket(plain, server_hostname=name, suppress_ragged_eofs=False)


def step(action, *arguments):
    """What it gives, or nothing when it would have to wait."""
    try:
        return action(*arguments)
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return None


def turn(port, size, cafile, name="localhost"):
    connection = connect(port, cafile, name)
    data = os.urandom(int(size))
    sent, got = 0, b""
    connection.setblocking(False)
    while len(got) < len(data):
        part = step(connection.send, data[sent:sent + (1 << 16)]) if sent < len(data) else None
        sent += part or 0
        more = step(connection.recv, 1 << 16)
        if more == b"":
            break
        got += more or b""
        if not part and not more and not select.select([connection], [], [], 30 if sent == len(data) else 0.01)[0] \
                and sent == len(data):
            sys.exit("nothing comes back any more")
    if got != data:
        sys.exit("what came back is not what was sent")
    connection.setblocking(True)
    if cafile == "plain":
        connection.shutdown(socket.SHUT_WR)
        end = connection.recv(1)
    else:
        connection.unwrap()
        end = b""
    if end:
        sys.exit("something came after the end")


def header(port, cafile, name, *pair):
    connection = connect(port, cafile, name, pair or None, ["h2", "http/1.1"])
    connection.sendall(b"header\n")
    line = b""
    while not line.endswith(b"\n"):
        more = connection.recv(65536)
        if not more:
            sys.exit("no header came back")
        line += more
    print(line.decode().strip())


def hold(port, cafile, seconds):
    connection = connect(port, cafile)
    until = time.monotonic() + float(seconds)
    print("held", flush=True)
    while time.monotonic() < until:
        connection.sendall(b"still here now\n")
        if read_exactly(connection, 15) != b"still here now\n":
            sys.exit("the connection was dropped")
        time.sleep(0.01)


{"serve": serve, "turn": turn, "header": header, "hold": hold}[sys.argv[1]](*sys.argv[2:])
