#!/usr/bin/python3 -I
"""Plays compose: does, step by step, what scene.json in the stack's directory says."""
import json
import os
import signal
import socket
import sys

VERSION = "2.99.0"


def tell(thing):
    sys.stdout.write(json.dumps(thing) + "\n")
    sys.stdout.flush()


def directory():
    words = sys.argv[1:]
    return words[words.index("--project-directory") + 1]


def show():
    """What it was started with, and what its private directory holds."""
    config = os.path.join(os.environ["DOCKER_CONFIG"], "config.json")
    modes = {}
    for name in ("HOME", "TMPDIR", "DOCKER_CONFIG"):
        modes[name] = oct(os.stat(os.environ[name]).st_mode & 0o7777)
    door = os.path.dirname(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    modes["door"] = oct(os.stat(door).st_mode & 0o7777)
    text = None
    if os.path.exists(config):
        modes["config.json"] = oct(os.stat(config).st_mode & 0o7777)
        with open(config, encoding="utf-8") as file:
            text = file.read()
    tell(
        {
            "argv": sys.argv[1:],
            "env": dict(os.environ),
            "cwd": os.getcwd(),
            "pid": os.getpid(),
            "leader": os.getpgid(0) == os.getpid(),
            "config": text,
            "modes": modes,
            "fds": sorted(open_files()),
        }
    )


def open_files():
    """Where the files lead that it has open beside the three every program has."""
    for number in range(3, 256):
        try:
            os.fstat(number)
        except OSError:
            continue
        try:
            yield os.readlink(f"/proc/self/fd/{number}")
        except OSError:
            yield "something"


def ask(method, target, body=None):
    """One exchange with the Engine it was given, told as a status and a body."""
    line = socket.socket(socket.AF_UNIX)
    line.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    body = b"" if body is None else json.dumps(body).encode()
    head = f"{method} {target.replace('PID', str(os.getpid()))} HTTP/1.1\r\nHost: docker\r\nUser-Agent: compose\r\n"
    head += "Content-Type: application/json\r\n" if body else ""
    line.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
    answer = b""
    while True:
        piece = line.recv(65536)
        if not piece:
            break
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head else 0
    tell({"asked": f"{method} {target}", "status": status, "body": body.decode(errors="replace")})


def attempt(what, deed):
    """Whether something could be done; why not, where it could not."""
    try:
        tell({what: deed() or "done"})
    except OSError as error:
        tell({what: f"refused {error.errno}"})


def read(path):
    with open(os.path.expandvars(path), "rb") as file:
        return file.read(4096).decode(errors="replace")


def write(path):
    with open(os.path.expandvars(path), "ab") as file:
        file.write(b"written by the child")


def run(path):
    """Runs another program in a child of its own, which tells why it could not."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.execv(path, [path, "true"])
        except OSError as error:
            os.write(send, str(error.errno).encode())
        os._exit(1)
    os.close(send)
    said = os.read(receive, 16).decode()
    os.waitpid(child, 0)
    if said:
        raise OSError(int(said), path)


def connect(port):
    socket.create_connection(("127.0.0.1", port), 20).close()


def multiply():
    """Goes on in a child, and waits for ever itself."""
    child = os.fork()
    if child != 0:
        while True:
            signal.pause()


def leave():
    """Goes on in a child, and ends itself."""
    if os.fork() != 0:
        os._exit(0)


def emit(count):
    block = (b"x" * 1023 + b"\n") * 1024
    while count > 0:
        sys.stdout.buffer.write(block[:count])
        count -= len(block)
    sys.stdout.flush()


def play(step):
    name, *rest = step
    if name == "show":
        show()
    elif name == "say":
        os.write(1, rest[0].encode())
    elif name == "bytes":
        os.write(1, bytes(rest[0]))
    elif name == "warn":
        os.write(2, rest[0].encode())
    elif name == "ask":
        ask(*rest)
    elif name == "emit":
        emit(rest[0])
    elif name == "read":
        attempt(f"read {rest[0]}", lambda: read(rest[0]))
    elif name == "list":
        attempt(f"list {rest[0]}", lambda: " ".join(os.listdir(os.path.expandvars(rest[0]))))
    elif name == "write":
        attempt(f"write {rest[0]}", lambda: write(rest[0]))
    elif name == "run":
        attempt(f"run {rest[0]}", lambda: run(rest[0]))
    elif name == "connect":
        attempt("connect", lambda: connect(rest[0]))
    elif name == "signal":
        attempt("signal", lambda: os.kill(os.getppid(), 0))
    elif name == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif name == "fork":
        multiply()
    elif name == "leave":
        leave()
    elif name == "wait":
        while True:
            signal.pause()
    elif name == "exit":
        sys.exit(rest[0])
    elif name == "die":
        os.kill(os.getpid(), rest[0])
    else:
        sys.exit(f"no such step: {name}")


if "version" in sys.argv:
    print(VERSION)
    sys.exit(0)
with open(os.path.join(directory(), "scene.json"), encoding="utf-8") as file:
    SCENE = json.load(file)
for STEP in SCENE:
    play(STEP)
