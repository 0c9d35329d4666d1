"""Opens connections that never send a request, and counts those that the server closes (F3 of the report).

    python3 tests/attack/connections.py 127.0.0.1:8317 [--count 200] [--wait 90]

The server has held if the last line says `0 open` for each kind, and /healthz answered meanwhile.
"""

import argparse
import select
import socket
import time
import urllib.request

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
KINDS = {
    "nothing sent": b"",
    "half a preface": PREFACE[:12],
    "half a head": b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n",
    "idle HTTP/2": PREFACE + SETTINGS,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="ADDRESS:PORT")
    parser.add_argument("--count", type=int, default=200, help="connections of each kind")
    parser.add_argument("--wait", type=int, default=90, help="seconds")
    arguments = parser.parse_args()
    host, port = arguments.server.rsplit(":", 1)
    open_by_kind = {}
    for kind, sent in KINDS.items():
        open_by_kind[kind] = [connect(host, int(port), sent) for _ in range(arguments.count)]
    began = time.monotonic()
    while time.monotonic() - began < arguments.wait:
        time.sleep(5)
        for kind, connections in open_by_kind.items():
            open_by_kind[kind] = [connection for connection in connections if is_open(connection)]
        counts = ", ".join(f"{kind}: {len(left)} open" for kind, left in open_by_kind.items())
        print(f"{time.monotonic() - began:4.0f} s  healthz {health(arguments.server)}  {counts}", flush=True)
        if not any(open_by_kind.values()):
            break


def connect(host, port, sent):
    connection = socket.create_connection((host, port), timeout=10)
    connection.sendall(sent)
    connection.setblocking(False)
    return connection


def is_open(connection):
    """Reads what the server has sent, up to the end if it has closed."""
    while select.select([connection], [], [], 0)[0]:
        try:
            if not connection.recv(65536):
                return False
        except OSError:
            return False
    return True


def health(server):
    try:
        with urllib.request.urlopen(f"http://{server}/healthz", timeout=8) as response:
            return response.status
    except OSError as error:
        return f"failed ({error})"


if __name__ == "__main__":
    main()
