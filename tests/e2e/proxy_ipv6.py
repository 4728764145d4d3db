#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Both ends for proxy_ipv6.sh.

    proxy_ipv6.py serve PORT                       at ::1 and 127.0.0.1: answers with what the PROXY header says
    proxy_ipv6.py ask HOST PORT [LINE]             prints that, over TLS; LINE: a header of version 1 before it
    proxy_ipv6.py ask HOST PORT 2 FROM TO          a header of version 2 before it
    proxy_ipv6.py ask HOST PORT crowd FROM...      all at once: which of them are let in
"""
import ipaddress
import socket
import ssl
import struct
import sys
import threading

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FAMILIES = {0x11: ("TCP4", 4), 0x21: ("TCP6", 16)}


def exactly(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_header(connection):
    start = exactly(connection, 12)
    if start != SIGNATURE:
        while not start.endswith(b"\r\n"):
            start += exactly(connection, 1)
        _, family, source, target, _, port = start.decode().split()
        return f"v1 {family} {source} {target} {port}"
    _, kind, size = struct.unpack(">BBH", exactly(connection, 4))
    rest = exactly(connection, size)
    family, width = FAMILIES[kind]
    source, target = (ipaddress.ip_address(rest[at:at + width]) for at in (0, width))
    return f"v2 {family} {source} {target} {struct.unpack('>H', rest[2 * width + 2:2 * width + 4])[0]}"


def answer(connection):
    with connection:
        try:
            said = read_header(connection)
            connection.sendall(said.encode() + b"\n")
            while connection.recv(4096):
                pass
        except (EOFError, OSError):
            pass


def listen(family, host, port):
    with socket.create_server((host, port), family=family) as server:
        while True:
            connection, _ = server.accept()
            threading.Thread(target=answer, args=(connection,), daemon=True).start()


def version_2(source, target):
    source, target = ipaddress.ip_address(source), ipaddress.ip_address(target)
    kind = 0x11 if source.version == 4 else 0x21
    addresses = source.packed + target.packed + struct.pack(">HH", 7777, 443)
    return SIGNATURE + struct.pack(">BBH", 0x21, kind, len(addresses)) + addresses


def begin(host, port, header):
    plain = socket.create_connection((host, port), timeout=60)
    plain.sendall(header)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = context.wrap_socket(plain)
    return connection, connection.recv(200).decode().strip()


def ask(host, port, words):
    if words[:1] == ["crowd"]:
        held, let_in = [], []
        for source in words[1:]:
            try:
                connection, said = begin(host, port, version_2(source, "2001:db8::1"))
                held.append(connection)
            except OSError:
                said = ""
            let_in.append("in" if f" {source} " in said else "out")
        return " ".join(let_in)
    header = b""
    if words[:1] == ["2"]:
        header = version_2(*words[1:])
    elif words:
        header = words[0].encode() + b"\r\n"
    connection, said = begin(host, port, header)
    connection.close()
    return said


def main():
    if sys.argv[1] == "serve":
        port = int(sys.argv[2])
        threading.Thread(target=listen, args=(socket.AF_INET6, "::1", port), daemon=True).start()
        listen(socket.AF_INET, "127.0.0.1", port)
    print(ask(sys.argv[2], int(sys.argv[3]), sys.argv[4:]))


if __name__ == "__main__":
    main()
