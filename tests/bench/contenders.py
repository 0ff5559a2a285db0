"""What is measured: servers that are started for the run, and what the machine can do without any of them."""

import contextlib
import dataclasses
import hashlib
import json
import os
import resource
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "target" / "bench"
LOAD = TARGET / "load" / "release" / "load"
BARE = TARGET / "load" / "release" / "examples" / "bare"
READY_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20
LARGE_BYTES = 256 << 20
FILL_CHUNK = 50_000


class Failure(Exception):
    """A run that gave no figure; the text says why."""


@dataclasses.dataclass
class Figure:
    """One run: what it came to, the server's CPU time by operation or GB, and what the slowest hundredth waited."""

    value: float
    cpu: float | None = None
    p99_ms: float | None = None
    note: str = ""


def load(work, **flags):
    """Runs the load generator; an error of any operation is a failure of the run."""
    command = [str(LOAD), work]
    for name, value in flags.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(done.stderr.strip())
    result = json.loads(done.stdout)
    if result["errors"] or not result["operations"]:
        total = result["errors"] + result["operations"]
        raise Failure(f"{result['errors']} of {total} failed: {result['first_error']}")
    return result


class Server:
    """A server with a folder and a port of its own; `{dir}`, `{port}`, `{access_key}` ... are filled in where told."""

    def __init__(self, name, command, folder=None, endpoint="http://127.0.0.1:{port}", setup="",
                 access_key="AKIDBENCHMARK0000001", secret_key="benchmark/secret+key=0123456789abcdefghi",
                 region="us-east-1", logs=False):
        self.name, self.command, self.setup, self.logs = name, command, setup, logs
        self.dir = Path(folder or TARGET / "store" / name.replace(" ", "-"))
        self.access_key, self.secret_key, self.region = access_key, secret_key, region
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.endpoint = endpoint.format(**vars(self))
        self.process, self.done = None, set()

    def twin(self):
        """The same server in another, empty folder."""
        endpoint = self.endpoint.replace(str(self.port), "{port}")
        return Server(self.name, self.command, self.dir.with_name(self.dir.name + "-empty"), endpoint, self.setup,
                      self.access_key, self.secret_key, self.region, self.logs)

    def start(self, fresh):
        """Starts it and waits until it answers anything over HTTP: seconds."""
        if fresh:
            shutil.rmtree(self.dir, ignore_errors=True)
            self.dir.mkdir(parents=True)
            self.prepare()
        log = open(self.dir.with_suffix(".log"), "ab") if self.logs else subprocess.DEVNULL
        began = time.monotonic()
        command = shlex.split(self.command.format(**vars(self)))
        if not shutil.which(command[0]):
            raise Failure(f"{self.name}: there is no {command[0]}")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        start_new_session=True)
        while not self.answers():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended at once; --logs shows what it said")
            if time.monotonic() - began > READY_SECONDS_MAX:
                raise Failure(f"{self.name} is not ready after {READY_SECONDS_MAX} s")
            time.sleep(0.0005)
        took = time.monotonic() - began
        if fresh and self.setup:
            subprocess.run(["bash", "-c", self.setup.format(**vars(self))], check=True, stdout=subprocess.DEVNULL)
        return took

    def prepare(self):
        """Lays out what the server needs in its folder before it starts."""

    def answers(self):
        host, port = self.endpoint.removeprefix("http://").rstrip("/").rsplit(":", 1)
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5) as stream:
            stream.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            return bool(stream.recv(1))
        return False

    def stop(self, by=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, by)
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()

    def processes(self):
        """`/proc/PID/stat` of the process and its children."""
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(path.read_text().rpartition(")")[2].split()[2]) == self.process.pid:
                    yield path

    def cpu(self):
        """Seconds of the process and its children, as in `/proc/PID/stat`, but from the clock that has nanoseconds."""
        return sum(time.clock_gettime((~int(path.parent.name) << 3) | 2) for path in self.processes())

    def memory(self):
        """MiB: all that is resident, and that without mapped files."""
        total = anonymous = 0
        for path in self.processes():
            for line in path.with_name("status").read_text().splitlines():
                total += int(line.split()[1]) / 1024 if line.startswith("VmRSS:") else 0
                anonymous += int(line.split()[1]) / 1024 if line.startswith("RssAnon:") else 0
        return total, anonymous

    def load(self, work, bucket="bench", **flags):
        """Runs the load generator against it; adds the CPU time that the server took meanwhile."""
        before = self.cpu()
        result = load(work, bucket=bucket, endpoint=self.endpoint, access_key=self.access_key,
                      secret_key=self.secret_key, region=self.region, **flags)
        return result | {"cpu": self.cpu() - before}

    def bucket(self, name="bench"):
        if name not in self.done:
            self.load("bucket", bucket=name)
            self.done.add(name)

    def fill(self, bucket, count, size, **flags):
        """Puts objects that later runs need, once."""
        if (bucket, str(flags), size) in self.done:
            return
        self.bucket(bucket)
        for at in range(0, count, FILL_CHUNK):
            self.load("put", bucket, size=size, count=min(FILL_CHUNK, count - at), **{"from": at, **flags})
        self.done.add((bucket, str(flags), size))


class Bare(Server):
    """A bare hyper server, which answers 1 KiB from memory whatever it is asked."""

    def __init__(self):
        super().__init__("limit: bare hyper", f"{BARE} {{port}} 1024")

    def bucket(self, name="bench"):
        pass

    def fill(self, *_, **__):
        pass


class Nginx(Bare):
    """nginx with sendfile and two workers: any object with `large` in its name has 256 MiB, any other one 1 KiB."""

    BINARY = shutil.which("nginx")
    CONFIGURATION = """
        daemon off; worker_processes 2; pid nginx.pid; {user}
        events {{ worker_connections 4096; }}
        http {{
            access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; root {dir};
            client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
            scgi_temp_path scgi;
            server {{
                listen 127.0.0.1:{port};
                location ~ large {{ rewrite ^ /256m break; }}
                location / {{ rewrite ^ /1k break; }}
            }}
        }}
    """

    def __init__(self):
        Server.__init__(self, "limit: nginx sendfile", f"{self.BINARY} -p {{dir}} -c {{dir}}/nginx.conf -e stderr")

    def prepare(self):
        user = "user root root;" if os.geteuid() == 0 else ""
        (self.dir / "nginx.conf").write_text(self.CONFIGURATION.format(dir=self.dir, port=self.port, user=user))
        (self.dir / "1k").write_bytes(os.urandom(1024))
        with open(self.dir / "256m", "wb") as file:
            for _ in range(LARGE_BYTES >> 20):
                file.write(os.urandom(1 << 20))


class Limit:
    """What the machine can do: a name and a function of seconds that gives a value."""

    def __init__(self, name, measure):
        self.name, self.measure = "limit: " + name, measure


def md5(_seconds):
    """GB/s on one core: what openssl says, or else the library that Python has from it."""
    if shutil.which("openssl"):
        command = ["openssl", "speed", "-mr", "-seconds", "1", "-bytes", "1048576", "-evp", "md5"]
        answer = subprocess.run(command, capture_output=True, text=True).stdout
        lines = [line for line in answer.splitlines() if line.startswith("+F:")]
        if lines:
            return float(lines[-1].rsplit(":", 1)[1]) / 1e9
    digest, block, began = hashlib.md5(usedforsecurity=False), os.urandom(1 << 20), time.monotonic()
    for _ in range(1024):
        digest.update(block)
    return 1024 * len(block) / (time.monotonic() - began) / 1e9


def disk(work, connections):
    """Durable operations per second on the disk that the stores are on."""

    def measure(seconds):
        folder = TARGET / "store" / "disk"
        folder.mkdir(parents=True, exist_ok=True)
        result = load(work, dir=folder, connections=connections, seconds=seconds)
        return result["operations"] / result["seconds"]

    return measure


def settle(patience):
    """Writes out what is dirty, then waits until the machine is idle, at most so many seconds: whether it became so."""
    os.sync()
    deadline = time.monotonic() + patience
    while True:
        before = cpu_ticks()
        time.sleep(0.15)
        busy, total = (new - old for new, old in zip(cpu_ticks(), before))
        if busy <= 0.1 * total:
            return True
        if time.monotonic() > deadline:
            return False


def cpu_ticks():
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3], sum(fields)


def raise_file_limit():
    """For 1,000 connections, here and in the servers."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
