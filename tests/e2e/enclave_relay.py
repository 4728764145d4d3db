# SPDX-License-Identifier: Apache-2.0
"""enclave_relay.py MODE CERT KEY FOLDER [PORT]: whoever stands between a verifier and what it asks.
Writes its port to FOLDER/port. Serves until it is ended, in one of these ways:

relay     opens TLS, and passes everything on to 127.0.0.1:PORT in a TLS connection of its own
silent    no ALPN
missing   answers 404
garbage   answers 200 with what is no token
short     answers with less than it announces
cut       answers, but does not end TLS
endless   answers without an end
"""
import pathlib
import socket
import ssl
import sys
import threading

ALPN = "airlock-attest/1"


def ask_real(port, request):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([ALPN])
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port))) as upstream:
        upstream.sendall(request)
        answer = b""
        while piece := upstream.recv(65536):
            answer += piece
        return answer


def answer_to(mode, request, port):
    if mode == "relay":
        return ask_real(port, request)
    if mode == "missing":
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
    if mode == "short":
        return b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na.b.c"
    return b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na.b.c"


def serve(mode, tls, port):
    try:
        request = tls.recv(65536)
        if mode == "endless":
            while True:
                tls.sendall(b"HTTP/1.1 200 OK\r\n" * 512)
        tls.sendall(answer_to(mode, request, port))
        if mode != "cut":
            tls.unwrap()
    except OSError:
        pass
    finally:
        tls.close()


def main():
    mode, cert, key, folder = sys.argv[1:5]
    port = int(sys.argv[5]) if len(sys.argv) > 5 else 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    if mode != "silent":
        context.set_alpn_protocols([ALPN])
    listener = socket.create_server(("127.0.0.1", 0))
    number = pathlib.Path(folder, "port.new")
    number.write_text(str(listener.getsockname()[1]))
    number.rename(pathlib.Path(folder, "port"))
    while True:
        client, _ = listener.accept()
        try:
            tls = context.wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            continue
        threading.Thread(target=serve, args=(mode, tls, port), daemon=True).start()


main()
