"""Reading through presigned URLs: ranges, conditions, HEAD, response headers."""

from email.utils import formatdate
from time import time

import requests

from clients import BUCKET, boto, presigned_sign, signers, signing_clients
from flows import flow
from harness import FAILS, check, curl, equal, expect_bare, expect_error, get, md5, noise

SIZE = 3_000_001
DISPOSITION = "attachment; filename=\"report.pdf\"; filename*=UTF-8''r%C3%A9sum%C3%A9%20%E6%BC%A2%E5%AD%97.pdf"


@flow("reads", *signing_clients())
def reads(cell):
    server = cell.serve()
    content = noise(SIZE, seed=3)
    writer = boto(server)
    writer.put_object(Bucket=BUCKET, Key="video.mp4", Body=content, ContentType="video/mp4", CacheControl="max-age=60")
    for signer in signers(cell.client):
        url = signer.sign(cell, server, "get", "video.mp4")
        ranges(cell, url, content)
        conditions(cell, url, content, writer.head_object(Bucket=BUCKET, Key="video.mp4")["LastModified"].timestamp())
        video(url, content)
        if "head" in signer.methods:
            head(cell, signer, server, content)
        if signer.responses:
            response_headers(cell, signer, server)


def ranges(cell, url, content):
    for asked, first, last in (
        ("0-0", 0, 0), ("0-99", 0, 99), ("1000000-1999999", 1_000_000, 1_999_999), ("2999990-", 2_999_990, SIZE - 1),
        ("-1000", SIZE - 1000, SIZE - 1), ("2999990-99999999", 2_999_990, SIZE - 1), ("-99999999", 0, SIZE - 1),
    ):
        answer = get(cell, url, "--header", f"Range: bytes={asked}", status=206, body=content[first : last + 1])
        equal(answer.headers.get("content-range"), f"bytes {first}-{last}/{SIZE}", f"Content-Range of bytes={asked}")
        equal(answer.headers.get("content-length"), str(last + 1 - first), f"Content-Length of bytes={asked}")
        equal(answer.headers.get("etag"), f'"{md5(content)}"', f"ETag of bytes={asked}")
    for asked in (f"bytes={SIZE}-", "bytes=99999999-100000000", "bytes=-0"):
        answer = get(cell, url, "--header", f"Range: {asked}", status=416)
        expect_error(
            answer, 416, "InvalidRange", "The requested range is not satisfiable", ["RangeRequested", "ActualObjectSize"],
            RangeRequested=asked, ActualObjectSize=str(SIZE),
        )
    # What is no range is no matter.
    get(cell, url, "--header", "Range: bytes=9-5", body=content)
    get(cell, url, "--header", "Range: pages=1-2", body=content)


def conditions(cell, url, content, modified):
    etag = f'"{md5(content)}"'
    # If-Modified-Since is not judged by a date in the future, so the object's own date is used.
    then, before = formatdate(modified, usegmt=True), formatdate(modified - 3600, usegmt=True)
    for header in (f"If-None-Match: {etag}", "If-None-Match: *", f"If-Modified-Since: {then}", f'If-None-Match: "x", {etag}'):
        answer = get(cell, url, "--header", header, status=304, body=b"")
        equal(answer.headers.get("etag"), etag, f"ETag of 304 ({header})")
        check("content-length" not in answer.headers or answer.headers["content-length"] != "0", "no empty length in 304")
    for condition, value in (("If-Match", '"00000000000000000000000000000000"'), ("If-Unmodified-Since", before)):
        answer = get(cell, url, "--header", f"{condition}: {value}", status=412)
        message = "At least one of the pre-conditions you specified did not hold"
        expect_error(answer, 412, "PreconditionFailed", message, ["Condition"], Condition=condition)
    for header in (f"If-Match: {etag}", 'If-None-Match: "other"', f"If-Modified-Since: {before}", f"If-Unmodified-Since: {then}"):
        get(cell, url, "--header", header, body=content)
    # The stronger condition decides.
    get(cell, url, "--header", f"If-Match: {etag}", "--header", f"If-Unmodified-Since: {before}", body=content)
    get(cell, url, "--header", 'If-None-Match: "other"', "--header", f"If-Modified-Since: {then}", body=content)
    get(cell, url, "--header", f"If-Match: {etag}", "--header", "Range: bytes=5-9", status=206, body=content[5:10])


def video(url, content):
    """What a video player asks: all of it, given up; the index at the end; then piece after piece, over one connection."""
    with requests.Session() as session:
        with session.get(url, headers={"Range": "bytes=0-"}, stream=True) as answer:
            equal(answer.status_code, 206, "status of bytes=0-")
            equal(answer.headers["Content-Range"], f"bytes 0-{SIZE - 1}/{SIZE}", "Content-Range of bytes=0-")
            equal(answer.headers["Content-Type"], "video/mp4", "Content-Type of bytes=0-")
            equal(answer.raw.read(1000), content[:1000], "the first bytes")
        tail = session.get(url, headers={"Range": "bytes=-65536"})
        equal(tail.content, content[-65536:], "the last 64 KiB")
        pieces, at, step = [], 0, 262_144
        while at < SIZE:
            answer = session.get(url, headers={"Range": f"bytes={at}-{at + step - 1}"})
            equal(answer.status_code, 206, f"status of the piece at {at}")
            pieces.append(answer.content)
            at += step
        equal(md5(b"".join(pieces)), md5(content), "the pieces together")


def head(cell, signer, server, content):
    url = signer.sign(cell, server, "head", "video.mp4")
    answer = curl(cell, url, "--head")
    expect_bare(answer, 200)
    expected = {
        "content-length": str(SIZE), "etag": f'"{md5(content)}"', "content-type": "video/mp4", "accept-ranges": "bytes",
        "cache-control": "max-age=60",
    }
    equal({name: answer.headers.get(name) for name in expected}, expected, "headers of HEAD")
    expect_bare(curl(cell, url, "--head", "--header", f'If-None-Match: "{md5(content)}"'), 304)
    expect_bare(curl(cell, url, "--head", "--header", 'If-Match: "other"'), 412)
    partial = curl(cell, url, "--head", "--header", "Range: bytes=0-9")
    expect_bare(partial, 206)
    equal(partial.headers.get("content-length"), "10", "Content-Length of a ranged HEAD")
    expect_bare(curl(cell, signer.sign(cell, server, "head", "missing"), "--head"), 404)


def response_headers(cell, signer, server):
    asked = {
        "response_content_disposition": DISPOSITION, "response_content_type": "application/pdf",
        "response_content_language": "de, en", "response_cache_control": "no-store", "response_content_encoding": "identity",
    }
    url = signer.sign(cell, server, "get", "video.mp4", **asked)
    for options, status in (([], 200), (["--header", "Range: bytes=0-9"], 206)):
        answer = get(cell, url, *options, status=status)
        for name, value in asked.items():
            header = name.removeprefix("response_").replace("_", "-")
            equal(answer.headers.get(header), value, f"{header} asked for in the URL")
    plain = get(cell, signer.sign(cell, server, "get", "video.mp4"))
    equal(plain.headers.get("content-type"), "video/mp4", "Content-Type without an override")
    check("content-disposition" not in plain.headers, "no Content-Disposition without an override")
    value = 'attachment; filename="漢字.pdf"'
    if cell.client == "presigned":
        # It makes no such URL.
        asked = ["--query", f"response-content-disposition={value}"]
        ended = presigned_sign(cell, server, "get", f"s3://{BUCKET}/video.mp4", *asked, status=FAILS)
        check("cannot be represented using ISO-8859-1" in ended.stderr, f"what `sign` says of it: {ended.stderr}")
        return
    answer = get(cell, signer.sign(cell, server, "get", "video.mp4", response_content_disposition=value), status=400)
    expect_error(
        answer, 400, "InvalidArgument", "Header value cannot be represented using ISO-8859-1.", ["ArgumentName", "ArgumentValue"],
        ArgumentName="response-content-disposition", ArgumentValue=value,
    )


@flow("reads", "requests")
def reads_requests(cell):
    """The defaults of `requests`: it accepts compression, follows redirects, keeps connections."""
    server = cell.serve()
    content = noise(SIZE, seed=4)
    boto(server).put_object(Bucket=BUCKET, Key="key", Body=content, ContentType="text/plain")
    with requests.Session() as session:
        for version in (None, 4):
            client = boto(server, version)
            url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "key"})
            answer = session.get(url)
            equal((answer.status_code, answer.content), (200, content), "requests.get")
            equal((answer.headers.get("Content-Encoding"), answer.history), (None, []), "no compression, no redirect")
            again = session.get(url, headers={"If-None-Match": answer.headers["ETag"]})
            equal((again.status_code, again.content), (304, b""), "requests.get of what it has")
            part = session.get(url, headers={"Range": "bytes=10-19"})
            equal((part.status_code, part.content), (206, content[10:20]), "requests.get of a range")
            refused = session.get(url, auth=("user", "password"))
            equal(refused.status_code, 400, "status of requests.get with basic authentication beside the URL")
            url = client.generate_presigned_url("head_object", Params={"Bucket": BUCKET, "Key": "key"})
            found = session.head(url)
            equal((found.status_code, found.headers["Content-Length"]), (200, str(SIZE)), "requests.head")
            check(abs(time() - client.head_object(Bucket=BUCKET, Key="key")["LastModified"].timestamp()) < 60, "Last-Modified")
