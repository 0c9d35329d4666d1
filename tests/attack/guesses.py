"""Guesses keys as fast as it can, and measures what a right key costs meanwhile (item 10 of the report).

    python3 tests/attack/guesses.py http://127.0.0.1:8318/admin/v1/credentials --right TOKEN [--seconds 20]

The server has held if the guesses are a few a second, and the right key is answered in milliseconds.
"""

import argparse
import threading
import time
import urllib.error
import urllib.request


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--right", required=True, help="the right key")
    parser.add_argument("--threads", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=20)
    arguments = parser.parse_args()
    end = time.monotonic() + arguments.seconds
    guesses = [0] * arguments.threads
    threads = [
        threading.Thread(target=guess, args=(arguments.url, end, guesses, number), daemon=True)
        for number in range(arguments.threads)
    ]
    for thread in threads:
        thread.start()
    longest = 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        status = request(arguments.url, arguments.right)
        longest = max(longest, time.monotonic() - began)
        if status != 200:
            print(f"the right key got {status}")
        time.sleep(0.2)
    print(f"{sum(guesses) / arguments.seconds:.1f} guesses a second; right key: at most {longest * 1000:.0f} ms")


def guess(url, end, guesses, number):
    while time.monotonic() < end:
        request(url, f"wrong-key-of-thread-{number}-{guesses[number]}")
        guesses[number] += 1


def request(url, key):
    asked = urllib.request.Request(url, headers={"authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(asked, timeout=30) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    main()
