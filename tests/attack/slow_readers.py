"""Asks for long streams and does not read them, and counts the leases that stay open (F6 of the report).

    python3 tests/attack/slow_readers.py target/debug/jackfield [--count 100] [--wait 90] [--stall 60s]

It starts a server, and a provider whose streams have 96 MB. The server has held if no lease is open at the end although
the clients have not left, and a client that reads was served meanwhile.
"""

import argparse
import json
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request

TOKEN = "an-admin-token-for-attacks"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"x" * 4000)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", help="of the server")
    parser.add_argument("--count", type=int, default=100, help="clients that do not read")
    parser.add_argument("--wait", type=int, default=90, help="seconds")
    parser.add_argument("--stall", default="60s", help="timeouts.client-stall of the server")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        attack(arguments, pathlib.Path(folder))


def attack(arguments, folder):
    provider = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(provider,), daemon=True).start()
    ports = [free_port(), free_port()]
    config = folder / "jackfield.yaml"
    config.write_text(
        f"listen: 127.0.0.1:{ports[0]}\nadmin: {{ listen: 127.0.0.1:{ports[1]}, token: {TOKEN} }}\nstore: none\n"
        f"timeouts: {{ client-stall: {arguments.stall} }}\nproviders:\n  - name: acme\n    executor: openai-compatible\n"
        f"    base-url: http://127.0.0.1:{provider.getsockname()[1]}/v1\n"
        "    credentials: [ { id: a, api-key: key-a } ]\n    models: [ { name: short }, { name: long } ]\n"
    )
    server = subprocess.Popen([arguments.binary, "serve", "--config", config], stderr=subprocess.DEVNULL)
    try:
        wait_for(ports[0])
        clients = [ask(ports[0], "long") for _ in range(arguments.count)]
        began = time.monotonic()
        while True:
            seconds = time.monotonic() - began
            leases = open_leases(ports[1])
            print(f"{seconds:4.0f} s  leases open: {leases}  short call: {short_call(ports[0])}", flush=True)
            if seconds >= arguments.wait or (leases == 0 and seconds > 1):
                break
            time.sleep(5)
        print("held" if leases == 0 else "GOT THROUGH", f"- {len(clients)} clients that do not read")
    finally:
        server.kill()
        server.wait()


def serve(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=respond, args=(connection,), daemon=True).start()


def respond(connection):
    with connection:
        request = b""
        while b"\r\n\r\n" not in request or not request.rstrip().endswith(b"}"):
            received = connection.recv(65536)
            if not received:
                return
            request += received
        try:
            connection.sendall(HEAD)
            for _ in range(24_000 if b'"long"' in request else 1):
                connection.sendall(EVENT)
            connection.sendall(END)
        except OSError:
            pass


def ask(port, model):
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "hello"}]}).encode()
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def short_call(port):
    with ask(port, "short") as connection:
        answer = b""
        while received := connection.recv(65536):
            answer += received
    return "served" if b"[DONE]" in answer else "FAILED"


def open_leases(port):
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/admin/v1/credentials", headers={"authorization": f"Bearer {TOKEN}"}
    )
    with urllib.request.urlopen(asked, timeout=30) as response:
        return json.load(response)["leases"]["open"]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def wait_for(port):
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server does not listen")


if __name__ == "__main__":
    main()
