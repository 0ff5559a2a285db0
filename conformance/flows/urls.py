"""Presigned GET and PUT by every client that makes them; content types, lifetimes, addressing."""

import requests

from clients import BUCKET, boto, ibm, node, presigned_sign, signers, signing_clients
from flows import flow
from harness import (
    ACCESS_KEY, REGION, SECRET_KEY, UNKNOWN_KEY, equal, expect_absent, expect_error, expect_mismatch, get, md5, noise, upload,
)

DAY = 86_400


@flow("get-url", *signing_clients())
def get_url(cell, server=None):
    server = server or cell.serve()
    content = noise(300_000)
    for signer in signers(cell.client):
        for key in ("key.txt", "directory/two words+é 100%.txt"):
            boto(server).put_object(Bucket=BUCKET, Key=key, Body=content, ContentType="text/x-conformance")
            answer = get(cell, signer.sign(cell, server, "get", key), body=content, server=server)
            equal(answer.headers.get("content-length"), str(len(content)), "Content-Length")
            equal(answer.headers.get("content-type"), "text/x-conformance", "Content-Type")
            equal(answer.headers.get("etag"), f'"{md5(content)}"', "ETag")
            equal(answer.headers.get("accept-ranges"), "bytes", "Accept-Ranges")
        if cell.client != "rclone":  # It makes no URL for an object that is not there.
            missing = get(cell, signer.sign(cell, server, "get", "missing"), status=404, server=server)
            expect_error(missing, 404, "NoSuchKey", "The specified key does not exist.", ["Key"], Key="missing")


@flow("put-url", *signing_clients("put"))
def put_url(cell, server=None):
    server = server or cell.serve()
    reader = boto(server)
    for signer in signers(cell.client, "put"):
        key = f"uploads/{signer.label} é+.bin"
        url = signer.sign(cell, server, "put", key)
        for content in (noise(2_000_000, seed=2), b"the second body", b""):
            upload(cell, url, content, server=server)
            found = reader.get_object(Bucket=BUCKET, Key=key)
            equal(found["Body"].read(), content, f"what was stored through {signer.label}")
            equal(found["ETag"], f'"{md5(content)}"', "ETag of what was stored")
        listed = reader.list_objects_v2(Bucket=BUCKET, Prefix="uploads/" + signer.label)["Contents"]
        equal([(item["Key"], item["Size"]) for item in listed], [(key, 0)], "the listing after three uploads")


# ---- content types --------------------------------------------------------------------------------------------------


def typed_put(cell, server, version, sign):
    """`sign(key, content_type)` makes a PUT URL that the content type is signed into."""
    reader = boto(server)
    key, right = f"typed-{version}.json", "application/json"
    url = sign(key, right)
    for wrong in ([], ["--header", "Content-Type: text/plain"], ["--header", "Content-Type: application/jsonp"]):
        expect_mismatch(upload(cell, url, b"refused", *wrong, status=403), version)
        expect_absent(reader, key)
    upload(cell, url, b"{}", "--header", f"Content-Type: {right}")
    for wrong in ([], ["--header", "Content-Type: text/plain"]):
        expect_mismatch(upload(cell, url, b"refused", *wrong, status=403), version)
    found = reader.get_object(Bucket=BUCKET, Key=key)
    equal(found["ContentType"], right, "Content-Type of what was stored")
    equal(found["Body"].read(), b"{}", "what was stored")


@flow("typed-put", "boto3", "ibm")
def typed_put_python(cell):
    constructor = {"boto3": boto, "ibm": ibm}[cell.client]
    server = cell.serve()
    for version, setting in ((2, None), (4, 4)):

        def sign(key, content_type, setting=setting):
            parameters = {"Bucket": BUCKET, "Key": key, "ContentType": content_type}
            return constructor(server, setting).generate_presigned_url("put_object", Params=parameters, ExpiresIn=600)

        typed_put(cell, server, version, sign)


@flow("typed-put", "js")
def typed_put_js(cell):
    server = cell.serve()

    def sign(key, content_type):
        parameters = {"Bucket": BUCKET, "Key": key, "ContentType": content_type}
        return node(cell, server, "sign", command="PutObject", input=parameters, signable=["content-type"])["url"]

    typed_put(cell, server, 4, sign)


@flow("typed-put", "presigned")
def typed_put_presigned(cell):
    server = cell.serve()
    for version, option in ((2, ["--v2"]), (4, [])):

        def sign(key, content_type, option=option):
            header = ["--header", f"content-type:{content_type}"]
            return presigned_sign(cell, server, "put", f"s3://{BUCKET}/{key}", *option, *header).stdout.strip()

        typed_put(cell, server, version, sign)


# ---- lifetimes and keys ---------------------------------------------------------------------------------------------

MAIN_KEY = (ACCESS_KEY, SECRET_KEY)
SECOND_KEY = ("AKIDCONFORMANCE00002", "second/secret")


def configuration(*pairs):
    keys = ", ".join(f'{{ access_key = "{access_key}", secret_key = "{secret_key}" }}' for access_key, secret_key in pairs)
    return f'region = "{REGION}"\n[[users]]\nid = "main"\ndisplay_name = "Main"\nkeys = [{keys}]\n'


@flow("lifetime", "boto3", "ibm")
def lifetime(cell):
    constructor = {"boto3": boto, "ibm": ibm}[cell.client]

    def sign(server, version, seconds, method="get", keys=MAIN_KEY):
        client = constructor(server, version, keys=keys)
        parameters = {"Bucket": BUCKET, "Key": "key"}
        return client.generate_presigned_url(f"{method}_object", Params=parameters, ExpiresIn=seconds)

    week = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"
    server = cell.serve(store="default")
    upload(cell, sign(server, 4, 7 * DAY, "put"), b"a week")
    get(cell, sign(server, 4, 7 * DAY), body=b"a week")
    expect_error(get(cell, sign(server, 4, 7 * DAY + 1), status=400), 400, "AuthorizationQueryParametersError", week)
    expect_error(get(cell, sign(server, 4, 30 * DAY), status=400), 400, "AuthorizationQueryParametersError", week)
    get(cell, sign(server, None, 30 * DAY), body=b"a week")

    server = cell.serve("--expires-max", "30d", store="raised")
    for version in (None, 4):
        upload(cell, sign(server, version, 30 * DAY, "put"), b"thirty days")
        get(cell, sign(server, version, 30 * DAY), body=b"thirty days")
    expect_error(get(cell, sign(server, 4, 31 * DAY), status=400), 400, "AuthorizationQueryParametersError")
    expect_error(get(cell, sign(server, None, 31 * DAY), status=403), 403, "AccessDenied", None, ["Expires", "ServerTime"])
    expect_error(upload(cell, sign(server, 4, 31 * DAY, "put"), b"no", status=400), 400, "AuthorizationQueryParametersError")
    get(cell, sign(server, 4, 600), body=b"thirty days")

    server = cell.serve(config=configuration(MAIN_KEY, SECOND_KEY), store="keys")
    kept = sign(server, 4, DAY)
    doomed = {version: [sign(server, version, DAY, method, SECOND_KEY) for method in ("put", "get")] for version in (2, 4)}
    for put, read in doomed.values():
        upload(cell, put, b"by the second key")
        get(cell, read, body=b"by the second key")
    server.stop()
    server = cell.serve(config=configuration(MAIN_KEY), store="keys", port=server.port)
    for put, read in doomed.values():
        for answer in (upload(cell, put, b"too late", status=403), get(cell, read, status=403)):
            expect_error(
                answer, 403, "InvalidAccessKeyId", UNKNOWN_KEY, ["AWSAccessKeyId"], AWSAccessKeyId=SECOND_KEY[0]
            )
    get(cell, kept, body=b"by the second key")


# ---- addressing -----------------------------------------------------------------------------------------------------


def both_ways(cell, signer, server, client_get):
    for style in ("path", "virtual"):
        client_get(signer.sign(cell, server, "get", "one/object é+.txt", style=style))


@flow("address", *signing_clients("get", lambda signer: "virtual" in signer.styles))
def address(cell):
    server = cell.serve()
    content = noise(70_000)
    boto(server).put_object(Bucket=BUCKET, Key="one/object é+.txt", Body=content)
    for signer in signers(cell.client, styles=("path", "virtual")):
        both_ways(cell, signer, server, lambda url: get(cell, url, body=content))
        both_ways(cell, signer, server, lambda url: equal(requests.get(url).content, content, f"requests.get({url})"))
        if "put" in signer.methods:
            url = signer.sign(cell, server, "put", f"through the host {signer.version}", style="virtual")
            upload(cell, url, b"put through the host")
            get(cell, signer.sign(cell, server, "get", f"through the host {signer.version}"), body=b"put through the host")


@flow("address", "requests")
def address_requests(cell):
    """`requests` with boto3's URLs of both versions, at a domain of the server's own as well."""
    server = cell.serve("--domain", "s3.example.test")
    content = noise(70_000)
    boto(server).put_object(Bucket=BUCKET, Key="key", Body=content, ContentType="image/png")
    for endpoint in (server.named_endpoint, f"http://s3.example.test:{server.port}"):
        for version in (None, 4):
            for style in ("path", "virtual"):
                client = boto(server, version, style, endpoint=endpoint)
                parameters = {"Bucket": BUCKET, "Key": "key"}
                answer = requests.get(client.generate_presigned_url("get_object", Params=parameters))
                equal((answer.status_code, answer.content), (200, content), f"requests.get({answer.url})")
                equal(answer.headers["Content-Type"], "image/png", "Content-Type")
                parameters["Key"] = "put by requests"
                url = client.generate_presigned_url("put_object", Params=parameters)
                equal(requests.put(url, data=content).status_code, 200, f"status of requests.put({url})")
                url = client.generate_presigned_url("get_object", Params=parameters)
                equal(requests.get(url).content, content, f"requests.get({url}) after put")
                url = client.generate_presigned_url("delete_object", Params=parameters)
                equal(requests.delete(url).status_code, 204, f"status of requests.delete({url})")
                expect_absent(boto(server), "put by requests")
