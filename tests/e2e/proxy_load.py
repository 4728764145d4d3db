# SPDX-License-Identifier: Apache-2.0
"""A load that is known to the byte, and what the data plane says of it.

request PORT COUNT SENT RECEIVED [tls|classical|plain]   so many requests, one after the other, each of
                              SENT bytes with RECEIVED in answer; fails when one fails
leave PORT PID                one whose handshake and whose reset the proxy PID finds together
broken PORT [tls|classical|plain]   one that must end without its whole answer
page PORT PATH                the body of a page; the exit status is 0 for 200, 3 for 503
becomes PORT LINE...          waits until /metrics has all these lines
lines PORT NAME...            the lines of /metrics that begin so
"""
import glob
import os
import signal
import socket
import ssl
import struct
import sys
import time
import urllib.error
import urllib.request


def connect(port, kind):
    plain = socket.create_connection(("127.0.0.1", port), timeout=30)
    if kind == "plain":
        return plain
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if kind == "classical":
        context.set_ecdh_curve("prime256v1")
    return context.wrap_socket(plain, server_hostname="app.example")


def exchange(connection, sent, received):
    head = f"{received} ".encode()
    connection.sendall(head + b"y" * (sent - len(head) - 1) + b"\n")
    got = 0
    while got < received:
        more = connection.recv(65536)
        if not more:
            break
        got += len(more)
    return got


def end(connection):
    """Both sides say that they send no more."""
    if isinstance(connection, ssl.SSLSocket):
        connection.unwrap().close()
        return
    connection.shutdown(socket.SHUT_WR)
    if connection.recv(1):
        sys.exit("more than was asked for")
    connection.close()


def request(port, count, sent, received, kind="tls"):
    for _ in range(int(count)):
        connection = connect(int(port), kind)
        got = exchange(connection, int(sent), int(received))
        if got != int(received):
            sys.exit(f"{got} of {received} bytes")
        end(connection)


def stop(pid):
    """Its threads stop one after the other."""
    os.kill(pid, signal.SIGSTOP)
    for stat in glob.glob(f"/proc/{pid}/task/*/stat"):
        while open(stat).read().rsplit(")", 1)[1].split()[0] != "T":
            time.sleep(0.001)


def leave(port, pid):
    plain = socket.create_connection(("127.0.0.1", int(port)), timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))
    stop(int(pid))
    plain.sendall(outgoing.read())
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    plain.close()
    os.kill(int(pid), signal.SIGCONT)


def broken(port, kind="tls"):
    try:
        connection = connect(int(port), kind)
        got = exchange(connection, 100, 1000)
    except OSError as error:
        print(error)
        return
    if got == 1000:
        sys.exit("it got its whole answer")


def read(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def page(port, path):
    status, body = read(port, path)
    print(body, end="")
    sys.exit({200: 0, 503: 3}.get(status, 1))


def becomes(port, *lines):
    for _ in range(400):
        _, body = read(port, "/metrics")
        missing = set(lines) - set(body.splitlines())
        if not missing:
            return
        time.sleep(0.05)
    for line in missing:
        name = line.rsplit(" ", 1)[0]
        print("missing:", line)
        print("but:", *[other for other in body.splitlines() if other.rsplit(" ", 1)[0] == name])
    sys.exit(1)


def lines(port, *names):
    _, body = read(port, "/metrics")
    for line in body.splitlines():
        if line.startswith(names):
            print(line)


try:
    globals()[sys.argv[1]](*sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[1:]}: {error}")
