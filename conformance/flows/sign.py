"""`presigned sign`: its URLs at work, its curl commands run as they stand, and the same URLs made by botocore."""

import shlex
import time
import urllib.parse

from clients import BUCKET, boto, clock, presigned_sign, version_of
from flows import flow
from harness import (
    ACCESS_KEY, BINARY, FAILS, REGION, SECRET_KEY, check, clean_environment, curl, equal, expect_absent, expect_bare, expect_error, expect_mismatch, get, noise,
    run_command, upload,
)

BOTH_VERSIONS = ((2, ["--v2"]), (4, []))


@flow("sign", "curl")
def sign_curl(cell):
    """Each method in each version, with headers and queries of the caller's, fetched with curl."""
    server = cell.serve()
    client, content = boto(server), noise(100_000)
    for version, option in BOTH_VERSIONS:
        key = f"dir/two words é+{version}.bin"
        place = f"s3://{BUCKET}/{key}"

        def sign(method, *more, place=place, option=option):
            return presigned_sign(cell, server, method, place, *option, *more).stdout.strip()

        url = sign("put", "--expires", "10m")
        equal(version_of(url), version, "version")
        upload(cell, url, content)
        get(cell, sign("get"), body=content)
        head = curl(cell, sign("head"), "--head")
        expect_bare(head, 200)
        equal(head.headers["content-length"], str(len(content)), "Content-Length of HEAD")
        asked = ["--query", "response-content-type=text/x-a", "--query", "response-content-disposition=attachment; filename=\"a b.txt\""]
        answer = get(cell, sign("get", *asked), body=content)
        equal(answer.headers["content-type"], "text/x-a", "Content-Type asked for in the query")
        equal(answer.headers["content-disposition"], 'attachment; filename="a b.txt"', "Content-Disposition asked for")

        url = sign("put", "--header", "content-type:text/plain", "--header", "x-amz-meta-colour:blue")
        headers = ["--header", "Content-Type: text/plain", "--header", "x-amz-meta-colour: blue"]
        expect_mismatch(upload(cell, url, b"refused", "--header", "x-amz-meta-colour: blue", status=403), version)
        upload(cell, url, content, *headers)
        equal(client.head_object(Bucket=BUCKET, Key=key)["Metadata"], {"colour": "blue"}, "metadata signed as a header")

        equal(curl(cell, sign("delete"), "--request", "DELETE").status, 204, "status of DELETE")
        expect_absent(client, key)
        short = sign("get", "--expires", "1s")
        time.sleep(2.2)
        elements = {2: ["Expires", "ServerTime"], 4: ["X-Amz-Expires", "Expires", "ServerTime"]}[version]
        expect_error(get(cell, short, status=403), 403, "AccessDenied", "Request has expired", elements)
    place = f"s3://{BUCKET}/key"
    for wrong in (
        ["get", "bucket/key"],
        ["get", "s3://"],
        ["frob", place],
        ["get", place, "--expires", "soon"],
        # What version 2 does not sign.
        ["get", f"s3://{BUCKET}", "--v2", "--query", "prefix=public/"],
        ["put", place, "--v2", "--query", "If-None-Match=*"],
        ["put", place, "--v2", "--header", "content-encoding:gzip"],
        # What the server would refuse.
        ["get", place, "--expires", "8d"],
        ["get", place, "--expires", "31d", "--expires-max", "30d"],
        ["get", place, "--v2", "--expires", "31d", "--expires-max", "30d"],
        ["get", place, "--virtual-hosted"],
        ["put", place, "--query", "tomorrow="],
        ["put", place, "--query", "acl="],
        ["get", place, "--header", "authorization: Bearer x"],
        ["put", place, "--header", "x-amz-server-side-encryption: AES256"],
        ["put", place, "--header", "x-amz-acl: public-read"],
        ["put", place, "--header", "content-md5: xx"],
        ["put", place, "--header", "x-amz-storage-class: COLD"],
        ["put", place, "--header", "x-amz-copy-source: /"],
        ["put", place, "--query", "uploadId=1", "--query", "partNumber=1"],
        ["put", f"s3://{BUCKET}", "--query", "tagging="],
        ["get", place, "--header", "x-amz-expected-bucket-owner: abc"],
        ["get", place, "--query", "versionId=x"],
        ["get", place, "--query", "partNumber=x"],
        ["get", f"s3://{BUCKET}", "--query", "max-keys=x"],
        ["get", f"s3://{BUCKET}", "--query", "list-type=2", "--query", "continuation-token=!"],
        # What cannot be signed as it is said.
        ["put", place, "--header", "host: other"],
        ["put", place, "--header", "x-amz-meta-a: 1", "--header", "X-Amz-Meta-A: 2"],
        ["put", place, "--header", "x-amz-content-sha256: " + "0" * 64],
        ["get", place, "--query", "=x"],
        ["get", place, "--region", "a/b"],
        ["get", place, "--secret-key", ""],
        ["get", place, "--endpoint", "http://user@host"],
        ["get", place, "--endpoint", "http://host:70000"],
        ["get", place, "--endpoint", "http://host/?x"],
        ["get", place, "--query", "X-Amz-Signature=x"],
    ):
        ended = presigned_sign(cell, server, *wrong, status=FAILS)
        check(ended.stderr and not ended.stdout, f"`sign {wrong}` fails and says why: {ended}")
        check("panicked" not in ended.stderr, f"`sign {wrong}` does not panic")
    sign_environment(cell, server, client)


def sign_environment(cell, server, client):
    """`sign` reads what the greeting of `serve` tells people to paste, and what AWS tools read besides."""
    client.put_object(Bucket=BUCKET, Key="key", Body=b"found")
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    for option in ([], ["--v2"]):
        for endpoint in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
            for region in ("AWS_DEFAULT_REGION", "AWS_REGION"):
                pasted = clean_environment(cell, **keys, **{endpoint: server.endpoint, region: REGION})
                url = run_command([BINARY, "sign", "get", f"s3://{BUCKET}/key", *option], pasted).stdout.strip()
                get(cell, url, body=b"found")
                if not option:
                    pasted[region] = "eu-central-1"
                    url = run_command([BINARY, "sign", "get", f"s3://{BUCKET}/key"], pasted).stdout.strip()
                    check("%2Feu-central-1%2Fs3" in url, f"the region of {region}: {url}")
        # A bucket in the host is part of what version 2 signs.
        named = ["--endpoint", server.named_endpoint, "--virtual-hosted", *option]
        pasted = clean_environment(cell, **keys)
        url = run_command([BINARY, "sign", "get", f"s3://{BUCKET}/key", *named], pasted).stdout.strip()
        get(cell, url, body=b"found")
    anywhere = cell.serve("--listen", "0.0.0.0:0", store="anywhere")
    check("0.0.0.0" not in anywhere.ready.read_text(), f"an address that a client can use: {anywhere.ready.read_text()}")
    check("0.0.0.0" not in anywhere.log_text().splitlines()[0], "the greeting names one, too")


@flow("sign", "presigned")
def sign_commands(cell):
    """--curl prints a command that does what was asked when it is pasted into a shell."""
    server = cell.serve()
    client, content = boto(server), b"text of the object\n" * 9
    folder = cell.folder / "shell"
    folder.mkdir()
    environment = clean_environment(cell)

    def paste(command):
        return run_command(["bash", "-ec", f"cd {shlex.quote(str(folder))}; {command}"], environment).stdout

    for option in ([], ["--v2"]):
        place = f"s3://{BUCKET}/it's a key é&$x.txt"
        client.put_object(Bucket=BUCKET, Key=place.split("/", 3)[3], Body=content)
        command = presigned_sign(cell, server, "get", place, "--curl", *option).stdout.strip()
        check(command.startswith("curl "), f"a curl command: {command}")
        equal(paste(command), content.decode(), f"output of {command}")
        if not option:
            # Version 2 signs no such header, and `sign` makes nothing that it cannot sign.
            command = presigned_sign(cell, server, "get", place, "--curl", "--header", "range:bytes=0-3").stdout.strip()
            equal(paste(command), "text", f"output of {command}")
        command = presigned_sign(cell, server, "head", place, "--curl", *option).stdout.strip()
        check(" 200" in paste(command).splitlines()[0], f"output of {command}")
        command = presigned_sign(
            cell, server, "put", place, "--curl", "--header", "content-type:text/x-b", *option
        ).stdout.strip()
        (folder / "FILE").write_bytes(b"uploaded")
        paste(command)
        found = client.get_object(Bucket=BUCKET, Key=place.split("/", 3)[3])
        equal((found["Body"].read(), found["ContentType"]), (b"uploaded", "text/x-b"), f"what {command} stored")
        command = presigned_sign(cell, server, "delete", place, "--curl", *option).stdout.strip()
        paste(command)
        expect_absent(client, place.split("/", 3)[3])
        # curl would put a file's name behind a path that ends as a folder does.
        for key in ("folder/", "folder/.", "folder/.."):
            command = presigned_sign(cell, server, "put", f"s3://{BUCKET}/{key}", "--curl", *option).stdout.strip()
            paste(command)
            equal(client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), b"uploaded", f"what {command} stored")
        command = presigned_sign(cell, server, "put", f"s3://made-by-curl{len(option)}", "--curl", *option).stdout.strip()
        paste(command)
        client.head_bucket(Bucket=f"made-by-curl{len(option)}")


@flow("sign", "boto3")
def sign_boto3(cell):
    """The URL that botocore makes in the same second is the same, but for the order of its parameters."""
    server = cell.serve()
    for version, option in BOTH_VERSIONS:
        client = boto(server, version)
        for method in ("get", "put", "head", "delete"):
            for key in ("key", "dir/two words é+%25 ~!'()*.txt"):
                ours = presigned_sign(
                    cell, server, method, f"s3://{BUCKET}/{key}", "--expires", "10m", *option
                ).stdout.strip()
                theirs = at_the_same_time(client, method, key, ours)
                equal(split(theirs), split(ours), f"botocore's URL beside {ours}")
        named = "attachment; filename*=UTF-8''%C3%A9.txt"
        query = ["--query", f"response-content-disposition={named}"]
        ours = presigned_sign(cell, server, "get", f"s3://{BUCKET}/key", "--expires", "10m", *option, *query).stdout.strip()
        theirs = at_the_same_time(client, "get", "key", ours, ResponseContentDisposition=named)
        equal(split(theirs), split(ours), f"botocore's URL beside {ours}")
    ours = presigned_sign(
        cell, server, "put", f"s3://{BUCKET}/key", "--expires", "10m", "--header", "content-type:a/b", "--header", "x-amz-meta-m:1"
    ).stdout.strip()
    theirs = at_the_same_time(boto(server, 4), "put", "key", ours, ContentType="a/b", Metadata={"m": "1"})
    equal(split(theirs), split(ours), f"botocore's URL beside {ours}")


def split(url):
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc, parts.path, sorted(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))


def at_the_same_time(client, method, key, url, **more):
    """botocore's URL, made when `url` was made, to live 600 seconds as it does."""
    given = dict(split(url)[3])
    if "Expires" in given:
        made = int(given["Expires"]) - 600
    else:
        made = time.mktime(time.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ")) - time.timezone
    with clock(made + 0.5 - time.time()):
        return client.generate_presigned_url(f"{method}_object", Params={"Bucket": BUCKET, "Key": key, **more}, ExpiresIn=600)
