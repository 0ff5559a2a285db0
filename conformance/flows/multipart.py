"""Uploads in parts through presigned URLs, and connections that are cut."""

import contextlib
import datetime
import io
import signal
import socket
import stat
import subprocess
import time
from urllib.parse import urlsplit

import requests
from botocore.exceptions import BotoCoreError
from minio.datatypes import Part

from clients import BUCKET, Aws, boto, ibm, minio_client, node, version_of
from flows import flow
from harness import (
    MIB, TOOLS, check, curl, equal, expect_absent, expect_error, get, md5, noise, refused, run_command, sha256, upload,
)


@flow("part-urls", "boto3", "ibm")
def part_urls(cell, server=None):
    constructor = {"boto3": boto, "ibm": ibm}[cell.client]
    server = server or cell.serve()
    bodies = [noise(5 * MIB, seed=1), noise(5 * MIB + 1, seed=2), b"the last part may be small"]
    for version in (None, 4):
        client = constructor(server, version)
        name = {"Bucket": BUCKET, "Key": f"in parts {version} é.bin"}
        name["UploadId"] = client.create_multipart_upload(**name, ContentType="video/mp4")["UploadId"]
        etags = {}
        for number, body in reversed(list(enumerate(bodies, 1))):
            url = client.generate_presigned_url("upload_part", Params={**name, "PartNumber": number}, ExpiresIn=600)
            equal(version_of(url), version or 2, "version of the part's URL")
            if number == 2:
                upload(cell, url, b"first try, to be replaced", server=server)
            etags[number] = upload(cell, url, body, server=server).headers["etag"]
        expect_absent(client, name["Key"])
        listed = client.list_parts(**name)["Parts"]
        equal([(part["PartNumber"], part["Size"]) for part in listed], [(n, len(b)) for n, b in enumerate(bodies, 1)], "parts")
        parts = [{"PartNumber": number, "ETag": etags[number]} for number in sorted(etags)]
        done = client.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
        whole = md5(b"".join(bytes.fromhex(md5(body)) for body in bodies))
        equal(done["ETag"], f'"{whole}-3"', "ETag of the whole")
        found = client.get_object(Bucket=BUCKET, Key=name["Key"])
        equal((found["ContentType"], found["Body"].read()), ("video/mp4", b"".join(bodies)), "the whole")
        second = client.get_object(Bucket=BUCKET, Key=name["Key"], PartNumber=2)
        equal((second.get("PartsCount"), second["Body"].read()), (3, bodies[1]), "the second part of the whole")
        late = upload(cell, url, b"too late", status=404, server=server)
        expect_error(late, 404, "NoSuchUpload", None, ["UploadId"], UploadId=name["UploadId"])


@flow("part-urls", "minio")
def part_urls_minio(cell):
    server = cell.serve()
    client, bodies = minio_client(server), [noise(5 * MIB, seed=1), b"the rest"]
    upload_id = client._create_multipart_upload(BUCKET, "key", {})
    parts = []
    for number, body in enumerate(bodies, 1):
        url = client.get_presigned_url(
            "PUT", BUCKET, "key", expires=datetime.timedelta(minutes=10),
            extra_query_params={"partNumber": str(number), "uploadId": upload_id},
        )
        parts.append(Part(number, upload(cell, url, body).headers["etag"].strip('"')))
    client._complete_multipart_upload(BUCKET, "key", upload_id, parts)
    equal(client.get_object(BUCKET, "key").read(), b"".join(bodies), "the whole")


@flow("part-urls", "js")
def part_urls_js(cell):
    node(cell, cell.serve(), "partUrls")


# ---- cut connections ------------------------------------------------------------------------------------------------


def stored_bytes(cell):
    """What the store takes on disk."""
    taken = 0
    for path in (cell.folder / "store").rglob("*"):
        # The server may remove a file just now.
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat()
            taken += found.st_blocks * 512 if stat.S_ISREG(found.st_mode) else 0
    return taken


def nothing_left(cell, client, key, before):
    """Nothing under the key, no upload open, and the disk as it was, after the server has had a moment to notice."""
    deadline = time.monotonic() + 10
    while stored_bytes(cell) > before + MIB and time.monotonic() < deadline:
        time.sleep(0.05)
    check(stored_bytes(cell) <= before + MIB, f"{stored_bytes(cell) - before} bytes are left of a cut upload")
    expect_absent(client, key)
    equal(client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []), [], "open uploads")
    equal(client.list_objects_v2(Bucket=BUCKET).get("Contents", []), [], "the listing after a cut upload")


def half_sent(server, url, length, sent):
    """A PUT that breaks off: the head, part of the body, and a reset."""
    parts = urlsplit(url)
    connection = socket.create_connection(("127.0.0.1", server.port))
    head = f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + noise(sent))
    time.sleep(0.2)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


@flow("cut", "curl")
def cut_curl(cell):
    server = cell.serve()
    for version in (None, 4):
        client = boto(server, version)
        put, read = (
            client.generate_presigned_url(f"{verb}_object", Params={"Bucket": BUCKET, "Key": "cut"}) for verb in ("put", "get")
        )
        before = stored_bytes(cell)
        big = cell.file("big", noise(24 * MIB))
        slow = ["--limit-rate", "6M", "--max-time", "1.5"]
        curl(cell, put, "--request", "PUT", "--upload-file", big, *slow, allow_exit=(28,))
        nothing_left(cell, client, "cut", before)
        for sent in (0, 1000, 3 * MIB):
            half_sent(server, put, 8 * MIB, sent)
            nothing_left(cell, client, "cut", before)
        # Over an object that is there, it leaves the object.
        upload(cell, put, b"what was there")
        half_sent(server, put, 8 * MIB, 3 * MIB)
        get(cell, read, body=b"what was there")

        equal(curl(cell, put, "--upload-file", big).status, 200, "status of the whole upload")
        target = cell.folder / "download"
        target.unlink(missing_ok=True)
        download = ["curl", "--silent", "--show-error", "--noproxy", "*", "--output", target]
        equal(run_command([*download, *slow, read], status=None).returncode, 28, "curl's status after the cut download")
        half = target.stat().st_size
        check(0 < half < 24 * MIB, f"the download was cut in the middle: {half} bytes")
        resumed = run_command([*download, "--continue-at", "-", "--write-out", "%{http_code} %{size_download}", read])
        equal(resumed.stdout, f"206 {24 * MIB - half}", "status and size of the resumed download")
        equal(sha256(target), sha256(big), "the file after the resumed download")
        client.delete_object(Bucket=BUCKET, Key="cut")


@flow("cut", "requests")
def cut_requests(cell):
    server = cell.serve()
    client, content = boto(server), noise(16 * MIB)

    def breaks_off():
        yield content[: 4 * MIB]
        raise ConnectionAbortedError("the sender went away")

    put = client.generate_presigned_url("put_object", Params={"Bucket": BUCKET, "Key": "cut"})
    before = stored_bytes(cell)
    try:
        requests.put(put, data=breaks_off(), headers={"Content-Length": str(len(content))})
    except (ConnectionAbortedError, requests.ConnectionError):
        pass
    nothing_left(cell, client, "cut", before)
    equal(requests.put(put, data=content).status_code, 200, "status of the second try")
    resume_requests(client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "cut"}), content)


def resume_requests(url, content):
    with requests.get(url, stream=True) as answer:
        have, etag = answer.raw.read(5 * MIB), answer.headers["ETag"]
    while len(have) < len(content):
        with requests.get(url, stream=True, headers={"Range": f"bytes={len(have)}-", "If-Match": etag}) as answer:
            equal(answer.status_code, 206, "status of the resumed download")
            have += answer.raw.read(4 * MIB)
    equal(md5(have), md5(content), "the download in several goes")


@flow("cut", "boto3")
def cut_boto3(cell):
    server = cell.serve()
    client, content = boto(server), noise(16 * MIB)

    class BreaksOff(io.BytesIO):
        """A file whose disk fails in the middle, once it is being sent."""

        sending = broken = False

        def read(self, size=-1):
            if self.sending and self.tell() >= 4 * MIB:
                self.broken = True
                raise OSError("the disk went away")
            return super().read(size)

    body, before = BreaksOff(content), stored_bytes(cell)
    client.meta.events.register("before-send.s3.PutObject", lambda **_: setattr(body, "sending", True))
    try:
        client.put_object(Bucket=BUCKET, Key="cut", Body=body)
    except (OSError, BotoCoreError):  # It may pass the error on, or tell of the connection.
        pass
    check(body.broken, "the upload broke off in the middle")
    nothing_left(cell, client, "cut", before)

    client.put_object(Bucket=BUCKET, Key="cut", Body=content)
    answer = client.get_object(Bucket=BUCKET, Key="cut")
    have = answer["Body"].read(5 * MIB)
    answer["Body"].close()
    rest = client.get_object(Bucket=BUCKET, Key="cut", Range=f"bytes={len(have)}-", IfMatch=answer["ETag"])
    equal(md5(have + rest["Body"].read()), md5(content), "the download in two goes")
    client.put_object(Bucket=BUCKET, Key="cut", Body=b"another")
    with refused(client.exceptions.ClientError, "PreconditionFailed", 412):
        client.get_object(Bucket=BUCKET, Key="cut", Range="bytes=3-", IfMatch=answer["ETag"])


@flow("cut", "aws")
def cut_aws(cell):
    """`aws s3 cp` killed in the middle of a multipart upload: no object; the upload can be aborted; a second try succeeds."""
    server = cell.serve()
    client, aws = boto(server), Aws(cell, server)
    source = cell.file("big", noise(64 * MIB))
    slow = cell.file("slow.config", (cell.folder / "aws-None-None.config").read_bytes())
    slow.write_text(slow.read_text() + "s3 =\n  max_bandwidth = 20MB/s\n")
    command = [TOOLS / "aws", "s3", "cp", source, f"s3://{BUCKET}/cut", *aws.options]
    before = stored_bytes(cell)
    process = subprocess.Popen(
        [str(part) for part in command], env=aws.environment | {"AWS_CONFIG_FILE": str(slow)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        uploads = wait_for_part(client)
        equal(process.poll(), None, "status of aws while it is uploading")
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    expect_absent(client, "cut")
    client.abort_multipart_upload(Bucket=BUCKET, Key="cut", UploadId=uploads[0]["UploadId"])
    nothing_left(cell, client, "cut", before)
    aws("s3", "cp", source, f"s3://{BUCKET}/cut")
    aws("s3", "cp", f"s3://{BUCKET}/cut", cell.folder / "back")
    equal(sha256(cell.folder / "back"), sha256(source), "the file after the second try")


def wait_for_part(client, seconds_max=30):
    """Waits until an upload of the key `cut` has a part, and gives the open uploads."""
    deadline = time.monotonic() + seconds_max
    while time.monotonic() < deadline:
        uploads = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        if uploads and client.list_parts(Bucket=BUCKET, Key="cut", UploadId=uploads[0]["UploadId"]).get("Parts"):
            return uploads
        time.sleep(0.05)
    check(False, "an upload had a part in time")
