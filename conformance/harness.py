"""What every flow stands on: checks that count, servers on free ports, curl, and S3 errors taken to pieces."""

import base64
import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "target" / "conformance"
BINARY = Path(os.environ.get("PRESIGNED_BIN", HERE.parent / "target" / "release" / "presigned"))
TOOLS = Path(sys.executable).parent

ACCESS_KEY = "AKIDCONFORMANCE00001"
SECRET_KEY = "conformance/secret+key=0123456789abcdefgh"
REGION = "us-east-1"
BUCKET = "bucket"

MIB = 1 << 20
COMMAND_SECONDS_MAX = 180
FAILS = "other than 0"


# ---- checks -------------------------------------------------------------------------------------------------------


class Failure(Exception):
    """An expectation that did not hold. The text says what was expected and what came."""


checks_made = 0


def check(condition, message):
    """Counts one check, and fails with the message if the condition does not hold."""
    global checks_made
    checks_made += 1
    if not condition:
        raise Failure(message)


def equal(actual, expected, what):
    check(actual == expected, f"{what}: expected {clip(expected)}, got {clip(actual)}")


def clip(value, limit=700):
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


@contextlib.contextmanager
def refused(kind, code, status):
    """The SDK call in the block must raise `kind` (a ClientError of botocore's shape) with this code and status."""
    try:
        yield
    except kind as error:
        equal(error.response["Error"]["Code"], code, "error code")
        equal(error.response["ResponseMetadata"]["HTTPStatusCode"], status, f"status of {code}")
        return
    raise Failure(f"the call succeeded where {status} {code} was expected")


# ---- data ---------------------------------------------------------------------------------------------------------


def noise(size, seed=1):
    """Bytes that do not compress and do not repeat; the same for the same seed."""
    source = random.Random(seed)
    return b"".join(source.randbytes(min(MIB, size - at)) for at in range(0, size, MIB))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(4 * MIB):
            digest.update(block)
    return digest.hexdigest()


def md5(data):
    return hashlib.md5(data).hexdigest()


def base64_md5(data):
    return base64.b64encode(hashlib.md5(data).digest()).decode()


AWKWARD_NAMES = [
    "plain.txt",
    "with space.txt",
    "a+b.txt",
    "50%.txt",
    "50%25.txt",
    "q?u=e&r#y.txt",
    "quotes'\"<&>.txt",
    "~!@$^*()[]{}=;,:|.txt",
    "directory/deeper still/é ü 漢字 😀.txt",
    "decomposed e\u0301.txt",
    "empty",
    # 1,000 bytes, the components within what a file system takes.
    "/".join(["l" * 199] * 5),
]


def awkward_content(name):
    return b"" if name == "empty" else f"content of {name}\n".encode() * 40


def write_tree(folder):
    """The files are an hour old: a listing tells seconds only, and `aws s3 sync` sends again what was written in the
    second in which it was sent."""
    an_hour_ago = time.time() - 3600
    for name in AWKWARD_NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(awkward_content(name))
        os.utime(path, (an_hour_ago, an_hour_ago))
    return folder


def read_tree(folder):
    return {
        str(path.relative_to(folder)): sha256(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


# ---- the cell: one client in one flow -------------------------------------------------------------------------------


class Cell:
    """A working folder and the servers of one client in one flow."""

    def __init__(self, client, flow, folder):
        self.client, self.flow, self.folder = client, flow, folder
        self.servers = []
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def serve(self, *arguments, tls=False, config=None, store="store", buckets=(BUCKET,), port=0):
        server = Server(self, list(arguments), tls, config, store, buckets, port)
        self.servers.append(server)
        server.start()
        return server

    def file(self, name, content=b""):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def close(self):
        """Stops the servers, each of which must still be alive, stop when told, and have met no panic."""
        for server in self.servers:
            server.stop()

    def kill(self):
        for server in self.servers:
            server.kill()


class Server:
    """One `presigned serve` on a port of its own."""

    def __init__(self, cell, arguments, tls, config, store, buckets, port):
        number = len(cell.servers)
        self.cell, self.process = cell, None
        self.log = cell.folder / f"server-{number}.log"
        self.ready = cell.folder / f"server-{number}.ready"
        self.ca = certificate(cell.folder) if tls else None
        self.command = [BINARY, "serve", cell.folder / store, "--ready-file", self.ready]
        self.command += ["--listen", f"127.0.0.1:{port}"]
        self.command += [part for bucket in buckets for part in ("--bucket", bucket)]
        if config is not None:
            self.command += ["--config", cell.file(f"server-{number}.toml", config.encode())]
        else:
            self.command += ["--access-key", ACCESS_KEY, "--secret-key", SECRET_KEY]
        if tls:
            self.command += ["--tls-cert", self.ca, "--tls-key", cell.folder / "tls.key"]
        self.command += arguments

    def start(self, seconds_max=15):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=clean_environment(self.cell))
        deadline = time.monotonic() + seconds_max
        while not (self.ready.exists() and self.ready.read_text().endswith("\n")):
            if self.process.poll() is not None:
                raise Failure(f"the server ended at start with status {self.process.returncode}")
            if time.monotonic() > deadline:
                raise Failure(f"the server was not ready after {seconds_max} s")
            time.sleep(0.005)
        self.endpoint = self.ready.read_text().split()[0].rstrip("/")
        parts = urlsplit(self.endpoint)
        self.scheme, self.port, self.tls = parts.scheme, parts.port, self.ca is not None
        if self.scheme != ("https" if self.tls else "http"):
            raise Failure(f"the ready file names {self.endpoint}")
        #: The same server under a name that has subdomains.
        self.named_endpoint = f"{self.scheme}://localhost:{self.port}"

    def stop(self, seconds_max=15):
        if self.process is None:
            return
        if self.process.poll() is not None:
            raise Failure(f"the server ended by itself with status {self.process.returncode}")
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            raise Failure(f"the server did not stop within {seconds_max} s of SIGTERM") from None
        finally:
            self.kill()
        if "panicked at" in self.log_text():
            raise Failure("the server's log shows a panic")

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def certificate(folder):
    """A self-signed certificate (tls.pem, tls.key in the folder) for the names that the flows use."""
    path = folder / "tls.pem"
    if not path.exists():
        names = f"subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:{BUCKET}.localhost"
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
        run_command([*command.split(), "-addext", names, "-keyout", folder / "tls.key", "-out", path])
    return path


# ---- processes ------------------------------------------------------------------------------------------------------


def clean_environment(cell, **extra):
    """The environment of a client: nothing of the caller's AWS settings, proxies or home."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PRESIGNED_", "RCLONE_", "MINIO_")) and not name.lower().endswith("_proxy")
    }
    environment |= {
        "HOME": str(cell.folder),
        "LC_ALL": "C.UTF-8",
        "PYTHONWARNINGS": "ignore",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(cell.folder / "aws.config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(cell.folder / "aws.credentials"),
    }
    return environment | {name: str(value) for name, value in extra.items()}


def run_command(command, environment=None, status=0, text=True, input=None):
    """Runs a command and gives its CompletedProcess. `status`: what it must end with; FAILS: not 0; None: anything."""
    command = [str(part) for part in command]
    ended = subprocess.run(
        command, env=environment, input=input, capture_output=True, text=text, timeout=COMMAND_SECONDS_MAX, check=False
    )
    if status is not None:
        shown = " ".join(command)
        check(
            ended.returncode != 0 if status == FAILS else ended.returncode == status,
            f"`{clip(shown)}` ended with {ended.returncode}, not {status}\n"
            f"stdout: {clip(ended.stdout, 2000)}\nstderr: {clip(ended.stderr, 3000)}",
        )
    return ended


# ---- names under localhost ------------------------------------------------------------------------------------------

_getaddrinfo = socket.getaddrinfo


def _resolve_localhost(host, *arguments, **keywords):
    """Every name under `localhost` and `test` is this machine; not every resolver knows that."""
    name = host.decode() if isinstance(host, bytes) else host
    if isinstance(name, str) and (name == "localhost" or name.endswith((".localhost", ".test"))):
        host = "127.0.0.1"
    return _getaddrinfo(host, *arguments, **keywords)


socket.getaddrinfo = _resolve_localhost


# ---- curl -----------------------------------------------------------------------------------------------------------


class Answer:
    """One HTTP answer: status, headers (names lower-case), body, and curl's own exit status."""

    def __init__(self, status, version, headers, body, exit_status=0):
        self.status, self.version, self.headers, self.body, self.exit_status = (
            status, version, headers, body, exit_status,
        )

    def __repr__(self):
        return f"<{self.status} {self.headers} {clip(self.body)}>"


def curl(cell, url, *options, server=None, allow_exit=(0,)):
    """curl as a user has it: the URL as given, the options as given."""
    head, body = cell.folder / "curl.head", cell.folder / "curl.body"
    for path in (head, body):
        path.write_bytes(b"")
    command = ["curl", "--silent", "--show-error", "--globoff", "--path-as-is", "--max-time", "60", "--noproxy", "*"]
    if server is not None and server.tls:
        command += ["--cacert", server.ca]
    host = urlsplit(url).hostname
    if host.endswith(("localhost", ".test")):
        command += ["--resolve", f"{host}:{urlsplit(url).port}:127.0.0.1"]
    command += ["--dump-header", head, "--output", body, "--write-out", "%{http_code} %{http_version}", *options, url]
    ended = run_command(command, clean_environment(cell), status=None)
    check(ended.returncode in allow_exit, f"curl ended with {ended.returncode}: {ended.stderr.strip()} ({url})")
    code, version = ended.stdout.split()
    # With --head, curl writes the head where the body would go.
    content = b"" if "--head" in options else body.read_bytes()
    return Answer(int(code), version, _last_headers(head.read_text("latin-1")), content, ended.returncode)


def _last_headers(text):
    """The headers of the last answer in curl's dump, past any `100 Continue`."""
    blocks = [block for block in re.split(r"\r?\n\r?\n", text) if block.startswith("HTTP/")]
    lines = blocks[-1].splitlines()[1:] if blocks else []
    return {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def get(cell, url, *options, status=200, body=None, **keywords):
    answer = curl(cell, url, *options, **keywords)
    equal(answer.status, status, f"status of GET {url} (answer {clip(answer.body)})")
    if body is not None:
        equal(answer.body, body, f"body of GET {url}")
    return answer


def upload(cell, url, content, *options, status=200, **keywords):
    """`curl --request PUT --upload-file`."""
    source = cell.file("curl.upload", content)
    answer = curl(cell, url, "--request", "PUT", "--upload-file", source, *options, **keywords)
    equal(answer.status, status, f"status of PUT {url} (answer {clip(answer.body)})")
    if status == 200:
        equal(answer.headers.get("etag"), f'"{md5(content)}"', "ETag of the PUT answer")
    return answer


def raw_exchange(server, request, read_seconds_max=10):
    """Sends the bytes on a plain socket and reads until the server closes: (status line, headers, whatever follows)."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=read_seconds_max) as connection:
        connection.sendall(request)
        answer = b""
        while block := connection.recv(65536):
            answer += block
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode("latin-1").partition("\r\n")[0], _last_headers(head.decode("latin-1") + "\r\n\r\n"), body


# ---- S3 errors ------------------------------------------------------------------------------------------------------

NOT_MATCHING = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
UNKNOWN_KEY = "The AWS Access Key Id you provided does not exist in our records."
NOT_SIGNED = "There were headers present in the request which were not signed"
NO_SUCH_KEY = "The specified key does not exist."
ONE_MECHANISM = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the "
    "Authorization header should be specified"
)
V4_MISMATCH_ELEMENTS = [
    "AWSAccessKeyId", "StringToSign", "SignatureProvided", "StringToSignBytes", "CanonicalRequest", "CanonicalRequestBytes",
]
V2_MISMATCH_ELEMENTS = V4_MISMATCH_ELEMENTS[:4]


def expect_error(answer, status, code, message=None, elements=(), **values):
    """The answer is this S3 error: status, code, message, and between Message and RequestId exactly these elements.

    `values` gives the expected text of elements, with `_` for `-`. Gives the elements as a dictionary.
    """
    equal(answer.status, status, f"status (expecting {code}; answer {clip(answer.body)})")
    equal(answer.headers.get("content-type"), "application/xml", f"Content-Type of {code}")
    check(answer.body.startswith(b'<?xml version="1.0" encoding="UTF-8"?>'), f"XML declaration in {clip(answer.body)}")
    root = ElementTree.fromstring(answer.body)
    equal(root.tag, "Error", "root element")
    found = {child.tag: child.text or "" for child in root}
    equal(found.get("Code"), code, f"Code (answer {clip(answer.body)})")
    if message is not None:
        equal(found.get("Message"), message, f"Message of {code}")
    expected = ["Code", "Message", *elements, "RequestId", "HostId"]
    equal([child.tag for child in root], expected, f"elements of {code}, in order")
    equal(found.get("RequestId"), answer.headers.get("x-amz-request-id"), "RequestId beside x-amz-request-id")
    equal(found.get("HostId"), answer.headers.get("x-amz-id-2"), "HostId beside x-amz-id-2")
    for name, value in values.items():
        name = name.replace("_", "-")
        equal(found.get(name), value, f"{name} of {code}")
    return found


def expect_mismatch(answer, version, access_key=ACCESS_KEY, of="AWS4-HMAC-SHA256"):
    """SignatureDoesNotMatch, with everything it says in agreement with itself. `of`: what was signed, in V4."""
    elements = V4_MISMATCH_ELEMENTS if version == 4 else V2_MISMATCH_ELEMENTS
    found = expect_error(answer, 403, "SignatureDoesNotMatch", NOT_MATCHING, elements, AWSAccessKeyId=access_key)
    spelled = {"StringToSign": "StringToSignBytes", "CanonicalRequest": "CanonicalRequestBytes"}
    for text, spelling in spelled.items():
        if text in found:
            equal(found[spelling], found[text].encode().hex(" "), f"{spelling} beside {text}")
    if version == 4:
        equal(found["StringToSign"].splitlines()[0], of, "first line of the string to sign")
    if version == 4 and of == "AWS4-HMAC-SHA256":
        digest = hashlib.sha256(found["CanonicalRequest"].encode()).hexdigest()
        equal(found["StringToSign"].splitlines()[-1], digest, "hash of the canonical request in the string to sign")
    check(SECRET_KEY not in answer.body.decode(), "the answer shows the secret key")
    return found


def expect_bare(answer, status):
    """An answer to HEAD: status and headers, no body."""
    equal(answer.status, status, "status of HEAD")
    equal(answer.body, b"", "body of HEAD")
    check(answer.headers.get("x-amz-request-id"), "x-amz-request-id of HEAD")


def expect_absent(server_client, key, bucket=BUCKET):
    """Nothing is stored under the key (asked by a boto3 client)."""
    try:
        found = server_client.head_object(Bucket=bucket, Key=key)
    except server_client.exceptions.ClientError as error:
        equal(error.response["ResponseMetadata"]["HTTPStatusCode"], 404, f"status of HEAD {key}")
        return
    raise Failure(f"{key} is stored, and should not be: {found['ContentLength']} bytes")


def iso(moment):
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def expect_near_now(text, seconds=60):
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp()
    check(abs(moment - time.time()) < seconds, f"ServerTime {text} is not now")
