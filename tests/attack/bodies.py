"""Sends large bodies without their last byte, and shows the memory of the server (F7 of the report).

    python3 tests/attack/bodies.py 127.0.0.1:8317 --pid PID [--count 40] [--mebibytes 30] [--key KEY]

The server has held if its memory stays bounded while answers of 429 or 503 come.
"""

import argparse
import collections
import socket
import threading
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", help="ADDRESS:PORT")
    parser.add_argument("--pid", type=int, required=True, help="process id of the server")
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--mebibytes", type=int, default=30)
    parser.add_argument("--key", default="none")
    arguments = parser.parse_args()
    print(f"before: {resident(arguments.pid)} MiB")
    answers = collections.Counter()
    threads = [threading.Thread(target=send, args=(arguments, answers), daemon=True) for _ in range(arguments.count)]
    for thread in threads:
        thread.start()
    most = 0
    for _ in range(400):
        most = max(most, resident(arguments.pid))
        if not any(thread.is_alive() for thread in threads):
            break
        time.sleep(0.2)
    print(f"peak: {most} MiB; answers: {dict(answers)}; still open: {sum(thread.is_alive() for thread in threads)}")


def send(arguments, answers):
    host, port = arguments.server.rsplit(":", 1)
    length = arguments.mebibytes << 20
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {arguments.key}\r\ncontent-length: {length}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        try:
            connection.sendall(head.encode() + b'{"model":"' + b"a" * (length - 11))
            answer = connection.recv(64).split(b"\r\n")[0].decode()
        except OSError as error:
            answer = str(error)
    answers[answer] += 1


def resident(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    return int(line.split()[1]) >> 10


if __name__ == "__main__":
    main()
