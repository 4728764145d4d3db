#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients and a server for tests/e2e/proxy_udp.sh; each verb exits with 0 when what it is about holds.

serve PORT      answers a datagram "N TEXT" N times with "PORT TEXT", the port being the one it came
                from; "0 ..." not at all
"""
import os
import socket
import sys
import time
import urllib.request

WAIT = 5


def client(port, family=socket.AF_INET):
    one = socket.socket(family, socket.SOCK_DGRAM)
    one.settimeout(WAIT)
    one.connect(("127.0.0.1" if family == socket.AF_INET else "::1", port))
    return one


def ask(one, count, size=200):
    """Asks until there is an answer, since what begins a session may be lost."""
    text = b"%d " % count
    one.send(text + b"x" * (size - len(text)))
    return [one.recv(65536) for _ in range(count)]


def serve(port):
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.bind(("127.0.0.1", port))
    while True:
        data, source = one.recvfrom(65536)
        count, text = data.split(b" ", 1)
        for _ in range(int(count)):
            one.sendto(b"%d " % source[1] + text[:100], source)


def numbers(metrics, name):
    page = urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=WAIT).read().decode()
    return {line.rsplit(" ", 1)[0]: int(line.rsplit(" ", 1)[1])
            for line in page.splitlines() if line.startswith("airlock_proxy_" + name)}


def number(metrics, name, *labels):
    found = [value for key, value in numbers(metrics, name).items()
             if all(label in key for label in labels)]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def until(holds):
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def ready(metrics):
    for _ in range(100):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{metrics}/ready", timeout=WAIT).read()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(1)


def echo(port, count):
    one = client(port)
    for i in range(count):
        text = b"%d " % i + b"y" * (i * 13 % 1400)
        one.send(text)
        assert one.recv(65536) == text


def several(port):
    for family in (socket.AF_INET, socket.AF_INET6):
        one = client(port, family)
        for _ in range(20):
            assert len(set(ask(one, 3, 300))) == 1


def amplify(port):
    one = client(port)
    one.settimeout(1)
    one.send(b"9 " + b"z" * 48)  # nine answers of 54 bytes to 50
    got = 0
    try:
        while True:
            got += len(one.recv(65536))
    except TimeoutError:
        pass
    assert got == 2 * 54, got


def stay(port, begun, done):
    one = client(port)
    first = ask(one, 1)
    open(begun, "w", encoding="ascii").close()
    until(lambda: os.path.exists(done))
    assert ask(one, 1) == first
    os.remove(begun)
    os.remove(done)


def churn(port, metrics, count, room):
    clients = [client(port) for _ in range(count)]
    for one in clients:
        ask(one, 1)
    assert number(metrics, "udp_sessions_live", '"names"') == room
    for one in clients[:room]:
        ask(one, 1)  # those were given up, and begin again
    assert number(metrics, "udp_sessions_live", '"names"') == room


def counters(metrics):
    # echo: 500 each way; names: 40 questions with 3 answers, 1 with 2 of 9, 2 of stay, 48 of churn
    assert number(metrics, "udp_datagrams_total", '"echo"', '"in"') == 500
    assert number(metrics, "udp_datagrams_total", '"echo"', '"out"') == 500
    assert number(metrics, "udp_datagrams_total", '"names"', '"in"') == 40 + 1 + 2 + 48
    dropped = number(metrics, "udp_drops_total", '"names"', '"amplification"')
    assert dropped == 7, dropped
    assert number(metrics, "udp_datagrams_total", '"names"', '"out"') == 120 + 2 + 2 + 48
    assert number(metrics, "udp_sessions_total", '"names"') == 2 + 1 + 1 + 48


def silent(port):
    one = client(port)
    one.settimeout(0.5)
    try:
        ask(one, 1)
    except (TimeoutError, ConnectionRefusedError):
        return
    sys.exit(1)


def back(port):
    one = client(port)
    one.settimeout(0.3)
    for _ in range(100):
        try:
            ask(one, 1)
            return
        except (TimeoutError, ConnectionRefusedError):
            pass
    sys.exit(1)


def gone(port, metrics):
    ask(client(port), 1)
    until(lambda: number(metrics, "udp_sessions_live", '"names"') == 0)


if __name__ == "__main__":
    arguments = [int(one) if one.isdigit() else one for one in sys.argv[2:]]
    {f.__name__: f for f in (serve, ready, echo, several, amplify, stay, churn, counters, silent, back,
                             gone)}[sys.argv[1]](*arguments)
