"""Over TLS with a self-signed certificate: what was done in the clear, and each client's own transfer."""

import io
import os
import subprocess
import time

import requests

from clients import BUCKET, SIGNERS, Aws, boto, ibm, minio_client, node, signers, signing_clients
from flows import flow
from flows.commands import commands_rclone, commands_s3cmd
from flows.multipart import part_urls
from flows.urls import get_url, put_url
from harness import MIB, check, curl, equal, expect_mismatch, get, md5, noise, run_command, sha256, upload


@flow("tls", *signing_clients())
def tls(cell):
    server = cell.serve(tls=True)
    get_url(cell, server)
    if any(signer.client == cell.client and "put" in signer.methods for signer in SIGNERS):
        put_url(cell, server)
    content = noise(2 * MIB)
    boto(server).put_object(Bucket=BUCKET, Key="key", Body=content)
    for signer in signers(cell.client):
        if "virtual" in signer.styles:
            get(cell, signer.sign(cell, server, "get", "key", style="virtual"), body=content, server=server)
    OWN_TRANSFER[cell.client](cell, server)


def own_boto3(cell, server):
    part_urls(cell, server)
    client, big = boto(server), cell.file("big", noise(20 * MIB))
    client.upload_file(str(big), BUCKET, "big")
    client.download_file(BUCKET, "big", str(cell.folder / "back"))
    equal(sha256(cell.folder / "back"), sha256(big), "upload_file and download_file")


def own_ibm(cell, server):
    part_urls(cell, server)
    client = ibm(server)
    client.put_object(Bucket=BUCKET, Key="own", Body=b"by ibm")
    equal(client.get_object(Bucket=BUCKET, Key="own")["Body"].read(), b"by ibm", "put_object and get_object")


def own_aws(cell, server):
    big = cell.file("big", noise(20 * MIB))
    aws = Aws(cell, server)
    aws("s3", "cp", big, f"s3://{BUCKET}/big")
    aws("s3", "cp", f"s3://{BUCKET}/big", cell.folder / "back")
    equal(sha256(cell.folder / "back"), sha256(big), "20 MiB with `aws s3 cp`")
    check(aws("s3", "ls", f"s3://{BUCKET}/big").stdout.split()[2:] == [str(20 * MIB), "big"], "`aws s3 ls`")
    aws("s3", "rm", f"s3://{BUCKET}/big")


def own_minio(cell, server):
    client, content = minio_client(server), noise(12 * MIB)
    client.put_object(BUCKET, "own", io.BytesIO(content), -1, part_size=5 * MIB)
    equal(md5(client.get_object(BUCKET, "own").read()), md5(content), "put_object and get_object")


def own_presigned(cell, server):
    """The URLs are all that it makes."""
    for signer in signers("presigned", "delete"):
        boto(server).put_object(Bucket=BUCKET, Key="own", Body=b"x")
        url = signer.sign(cell, server, "delete", "own")
        equal(curl(cell, url, "--request", "DELETE", server=server).status, 204, "status of DELETE")


OWN_TRANSFER = {
    "aws": own_aws,
    "boto3": own_boto3,
    "ibm": own_ibm,
    "js": lambda cell, server: node(cell, server, "sdk"),
    "minio": own_minio,
    "presigned": own_presigned,
    "rclone": commands_rclone,
    "s3cmd": commands_s3cmd,
}


def shrinking(cell, server, options):
    """A file that is cut short under its download ends that download, and nothing else."""
    client = boto(server)
    for option in options:
        client.put_object(Bucket=BUCKET, Key="shrinking", Body=noise(24 * MIB))
        url = client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "shrinking"})
        slow = ["curl", "--silent", option, "--cacert", server.ca, "--noproxy", "*", "--limit-rate", "4M", "--output", "/dev/null"]
        download = subprocess.Popen([*map(str, slow), url])
        time.sleep(1)
        for blob in (cell.folder / "store" / "blobs").glob("*/*"):
            blob.chmod(0o600)
            os.truncate(blob, 100_000)
        check(download.wait(timeout=60) not in (0, None), f"the download with {option} breaks off")
        client.delete_object(Bucket=BUCKET, Key="shrinking")
        check(curl(cell, server.endpoint + "/_presigned/health", server=server).status == 200, "the server goes on")


@flow("tls", "curl")
def tls_curl(cell):
    server = cell.serve(tls=True)
    content = noise(3 * MIB)
    features = next(line for line in version_of_curl() if line.startswith("Features:"))
    versions = [("--http1.1", "1.1")] + ([("--http2", "2")] if "HTTP2" in features else [])
    for option, version in versions:
        for signature in (None, 4):
            for style in ("path", "virtual"):
                client = boto(server, signature, style, endpoint=server.named_endpoint)
                parameters = {"Bucket": BUCKET, "Key": f"key {version}"}
                put = client.generate_presigned_url("put_object", Params=parameters)
                read = client.generate_presigned_url("get_object", Params=parameters)
                answer = upload(cell, put, content, option, server=server)
                equal(answer.version, version, f"HTTP version with {option}")
                equal(get(cell, read, option, body=content, server=server).version, version, f"HTTP version with {option}")
                part = get(cell, read, option, "--header", "Range: bytes=-9", status=206, body=content[-9:], server=server)
                equal(part.version, version, f"HTTP version with {option}")
                refusal = curl(cell, put, option, server=server)
                equal(refusal.version, version, f"HTTP version with {option}")
                expect_mismatch(refusal, signature or 2)
                early = upload(cell, read, content, option, status=403, server=server)
                expect_mismatch(early, signature or 2)
                etag = f'If-None-Match: "{md5(content)}"'
                get(cell, read, option, "--header", etag, status=304, body=b"", server=server)
    check(curl(cell, read, allow_exit=(60,)).exit_status == 60, "curl refuses the certificate when it is not told of it")
    plain = curl(cell, read.replace("https:", "http:"), allow_exit=(0, 1, 52, 56))
    check(plain.status != 200, "no object without TLS")
    get(cell, read, body=content, server=server)
    shrinking(cell, server, [option for option, _ in versions])


def version_of_curl():
    return run_command(["curl", "--version"]).stdout.splitlines()


@flow("tls", "requests")
def tls_requests(cell):
    server = cell.serve(tls=True)
    content = noise(3 * MIB)
    for version in (None, 4):
        for style in ("path", "virtual"):
            client = boto(server, version, style, endpoint=server.named_endpoint)
            urls = {
                verb: client.generate_presigned_url(f"{verb}_object", Params={"Bucket": BUCKET, "Key": "key"})
                for verb in ("get", "put", "delete")
            }
            equal(requests.put(urls["put"], data=content, verify=str(server.ca)).status_code, 200, "requests.put")
            answer = requests.get(urls["get"], verify=str(server.ca))
            equal((answer.status_code, answer.content), (200, content), "requests.get")
            equal(requests.delete(urls["delete"], verify=str(server.ca)).status_code, 204, "requests.delete")
            equal(requests.get(urls["get"], verify=str(server.ca)).status_code, 404, "requests.get after delete")
    try:
        requests.get(urls["get"])
    except requests.exceptions.SSLError:
        return
    check(False, "requests refuses the certificate when it is not told of it")
