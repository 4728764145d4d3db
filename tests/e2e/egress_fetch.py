#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client inside a sandbox that says exactly what it is told to: fetch.py HOW ARGUMENT..."""
import socket
import struct
import sys

PROXY = ("127.0.0.1", 3128)


def dial(to=PROXY):
    return socket.create_connection(to, timeout=20)


def read_all(connection):
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionResetError:
        data += b"<reset>"
    return data


def raw(data, then=b"", pause=None):
    """Sends bytes, ends, and gives all that comes back."""
    connection = dial()
    connection.sendall(data)
    if then:
        connection.sendall(then)
    if pause is None:
        connection.shutdown(socket.SHUT_WR)
    return read_all(connection)


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def denied(answer):
    for line in answer.split(b"\r\n\r\n")[0].split(b"\r\n"):
        if line.startswith(b"Airlock-Denied: "):
            return line[16:].decode()
    return ""


def get(url, extra=b"", method=b"GET"):
    target = url.encode() if isinstance(url, str) else url
    return raw(b"%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n" % (method, target, extra), pause=1)


def connect(host, port, first):
    connection = dial()
    connection.sendall(f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head and (part := connection.recv(1)):
        head += part
    if status(head) != 200:
        return connection, head + read_all(connection)
    connection.sendall(first)
    return connection, head


def socks(kind, address, port, first=b""):
    connection = dial()
    connection.sendall(b"\x05\x01\x00")
    assert connection.recv(2) == b"\x05\x00"
    connection.sendall(b"\x05\x01\x00" + kind + address + struct.pack(">H", port))
    reply = connection.recv(10)
    if reply[1] != 0:
        return connection, reply[1]
    connection.sendall(first)
    return connection, 0


REQUEST = b"GET /file HTTP/1.0\r\n\r\n"


def table(port, other):
    """Rows: what is sent, and what has to come of it."""
    base = b"http://127.0.0.1:%d" % port
    head = b"Host: h\r\nConnection: close\r\n"

    def row(what, good, shown=None):
        print("ok" if good else "bad", what if good else f"{what}: {shown!r}")

    def refused(what, data, codes=(400, 403)):
        answer = raw(data)
        row(what, status(answer) in codes and b"from outside" not in answer, answer)

    for text in ("0x7f.1", "0x7f000001", "017700000001", "2130706433", "127.1", "0177.0.0.1", "127.0.0.1.",
                 "127.0.0.01", "[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:7f00:1]", "%31%32%37.0.0.1",
                 "127.0.0.1%00.example.org", "user@127.0.0.1", "127.0.0.1\\@x", "[::1%25lo]",
                 "1\u06627.0.0.1", "LOCALHOST.", "*", ""):
        refused(f"the host {text!a} is refused", b"GET http://%s:%d/file HTTP/1.1\r\n%s\r\n" % (text.encode(), port, head))
    for kind, address in ((b"\x03", b"\x060x7f.1"), (b"\x03", b"\x0a127.0.0.1."), (b"\x03", b"\x0a127.0.0.1\0"),
                          (b"\x03", b"\x00"), (b"\x04", b"\0" * 10 + b"\xff\xff\x7f\0\0\1"), (b"\x01", b"\0\0\0\0"),
                          (b"\x01", b"\xa9\xfe\xa9\xfe"), (b"\x04", b"\xfd\0\x0e\xc2" + b"\0" * 10 + b"\x02\x54")):
        connection, code = socks(kind, address, port)
        row(f"SOCKS address {address!r} is refused", code == 2, code)
    answer = raw(b"\x05\x01\x02")
    row("SOCKS with a password only", answer == b"\x05\xff", answer)
    answer = raw(b"\x05\x01\x00\x05\x02\x00\x01\x7f\0\0\1\0\x50")
    row("SOCKS BIND is refused", answer[2:4] == b"\x05\x07", answer)
    answer = raw(b"\x05\x01\x00\x05\x03\x00\x01\x7f\0\0\1\0\x50")
    row("SOCKS UDP is refused", answer[2:4] == b"\x05\x07", answer)

    smuggled = b"GET /file HTTP/1.1\r\nHost: h\r\n\r\n"
    post = b"POST %s/ HTTP/1.1\r\nHost: h\r\n" % base
    for what, data in (
        ("length and chunks", post + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled),
        ("chunks and length", post + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n" + smuggled),
        ("two lengths", post + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd" + smuggled),
        ("the same length twice", post + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd" + smuggled),
        ("a list of lengths", post + b"Content-Length: 4, 4\r\n\r\nabcd" + smuggled),
        ("a signed length", post + b"Content-Length: +4\r\n\r\nabcd" + smuggled),
        ("two codings", post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("two coding fields", post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
        ("a coding that is none", post + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        ("a space before the colon", post + b"Content-Length : 4\r\n\r\nabcd"),
        ("a folded line", post + b"X: a\r\n b\r\n\r\n"),
        ("a bare line feed", b"GET %s/file HTTP/1.1\nHost: h\n\n" % base),
        ("a bare line feed in a field", b"GET %s/file HTTP/1.1\r\nHost: h\nX: y\r\n\r\n" % base),
        ("a carriage return in a field", b"GET %s/file HTTP/1.1\r\nHost: h\rX: y\r\n\r\n" % base),
        ("a NUL in a field", b"GET %s/file HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n" % base),
        ("two hosts", b"GET %s/file HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" % base),
        ("no host", b"GET %s/file HTTP/1.1\r\n\r\n" % base),
        ("a path without a host", b"GET /file HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % port),
        ("https in a request", b"GET https://127.0.0.1:%d/ HTTP/1.1\r\nHost: h\r\n\r\n" % port),
        ("another scheme", b"GET ftp://127.0.0.1:%d/ HTTP/1.1\r\nHost: h\r\n\r\n" % port),
        ("a fragment", b"GET %s/file#x HTTP/1.1\r\nHost: h\r\n\r\n" % base),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("HTTP/0.9", b"GET %s/file\r\n\r\n" % base),
        ("CONNECT with a body", b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" % port),
        ("CONNECT without a port", b"CONNECT 127.0.0.1 HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("CONNECT to port 0", b"CONNECT 127.0.0.1:0 HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("CONNECT with a path", b"CONNECT 127.0.0.1:%d/x HTTP/1.1\r\nHost: h\r\n\r\n" % port),
        ("garbage", b"\x00\x01\x02\x03\r\n\r\n"),
    ):
        refused(f"{what}: refused", data)
    refused("a head that is too long", b"GET %s/file HTTP/1.1\r\nHost: h\r\nX: %s\r\n\r\n" % (base, b"a" * 70000), (431,))

    answer = get(base + b"/head", b"Proxy-Authorization: Basic eA==\r\nX-Private: 1\r\nConnection: x-private\r\n")
    row("the Host that arrives is the target's", b"Host: 127.0.0.1:%d\n" % port in answer, answer)
    row("fields for the proxy do not arrive", b"roxy" not in answer and b"X-Private" not in answer, answer)
    row("an upgrade is not passed on", b"pgrade" not in get(base + b"/head", b"Upgrade: h2c\r\n"))
    row("a switch of protocols is refused", status(get(base + b"/switch")) == 502)
    answer = get(base + b"/chunks")
    row("chunks arrive", answer.count(b"one ") == 1 and answer.endswith(b"0\r\n\r\n"), answer)
    answer = get(base + b"/until-close")
    row("a body until the end arrives in chunks", b"until the end" in answer and answer.endswith(b"0\r\n\r\n"), answer)
    answer = get(base + b"/file", method=b"HEAD")
    row("HEAD has a length and no body", b"Content-Length: 13" in answer and answer.endswith(b"\r\n\r\n"), answer)
    answer = raw(post + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nT: x\r\n\r\n", pause=1)
    row("a body in chunks is passed on", b"got 7: abcdefg" in answer, answer)
    answer = raw(post + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", b"abc", 1)
    row("100-continue", b"100 Continue" in answer and b"got 3: abc" in answer, answer)
    one = b"GET %s/file HTTP/1.1\r\nHost: h\r\n\r\n" % base
    answer = raw(one * 5 + b"GET %s/file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % base, pause=1)
    row("six requests on one connection", answer.count(b"from outside") == 6, answer)
    answer = raw(one + b"GET http://127.0.0.1:%d/file HTTP/1.1\r\nHost: h\r\n\r\n" % other, pause=1)
    row("the second of two is judged too", answer.count(b"from outside") == 1 and b" 403 " in answer, answer)
    answer = raw(b"GET %s/two HTTP/1.1\r\nHost: h\r\n\r\n" % base
                 + b"GET http://localhost:%d/file HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" % port, pause=1)
    row("what one host says too much is no answer of another", b"uncalled" not in answer and b"from outside" in answer, answer)
    connection, _ = connect("127.0.0.1", port, REQUEST)
    connection.shutdown(socket.SHUT_WR)
    row("half a connection closed: the other half goes on", b"from outside" in read_all(connection))
    for _ in range(200):
        connection = dial()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.sendall(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: h\r\n\r\n" % port)
        connection.close()
    row("a storm of resets", b"from outside" in get(base + b"/file"))
    slow = [dial() for _ in range(100)]
    for connection in slow:
        connection.sendall(b"GET http://")
    row("a hundred that say nothing more", b"from outside" in get(base + b"/file"))


def main():
    how, *rest = sys.argv[1:]
    if how == "http":
        answer = get(rest[0])
        print(status(answer), denied(answer), answer.split(b"\r\n\r\n", 1)[-1].decode())
    elif how == "post":
        answer = get(rest[0], method=b"POST")
        print(status(answer), denied(answer))
    elif how == "connect":
        connection, head = connect(rest[0], int(rest[1]), REQUEST)
        print(head.decode(), read_all(connection).decode())
        assert status(head) == 200
    elif how in ("socks", "socks4"):
        name = rest[0].encode()
        address = (b"\x03", bytes([len(name)]) + name) if how == "socks" else (b"\x01", socket.inet_aton(rest[0]))
        connection, code = socks(*address, int(rest[1]), REQUEST)
        print(read_all(connection).decode() if code == 0 else f"socks {code}")
    elif how == "direct":
        try:
            dial((rest[0], int(rest[1])))
        except OSError as error:
            print(error)
    elif how == "table":
        table(int(rest[0]), int(rest[1]))


main()
