"""The clients: how each is pointed at a server, and how each makes presigned URLs.

A `Signer` makes URLs with one client in one signature version; the flows about URLs run over all of them.
"""

import contextlib
import json
import time
import urllib.parse
from datetime import datetime, timedelta, timezone
from unittest import mock

import boto3
import botocore.auth
import ibm_boto3
import ibm_botocore.auth
import minio
import urllib3
from botocore.config import Config
from ibm_botocore.client import Config as IbmConfig

from harness import (
    ACCESS_KEY, BINARY, BUCKET, HERE, REGION, SECRET_KEY, TARGET, TOOLS, check, clean_environment, equal, run_command,
)

# What `pip install boto3` gives signs in Python. The runtime that is installed for its checksums would sign, too.
SIGNERS_OF_RUNTIME = {name: botocore.auth.AUTH_TYPE_MAPS[name] for name in ("v4", "v4-query", "s3v4", "s3v4-query")}
botocore.auth.AUTH_TYPE_MAPS.update({
    "v4": botocore.auth.SigV4Auth,
    "v4-query": botocore.auth.SigV4QueryAuth,
    "s3v4": botocore.auth.S3SigV4Auth,
    "s3v4-query": botocore.auth.S3SigV4QueryAuth,
})
ONE_TRY = {"total_max_attempts": 1, "mode": "standard"}


# ---- Python SDKs ----------------------------------------------------------------------------------------------------


def _sdk(module, config, server, version, style, keys, endpoint, region, **settings):
    access_key, secret_key = keys
    s3 = {"s3": {"addressing_style": style}} if style else {}
    signature = {"signature_version": {2: "s3", 4: "s3v4"}[version]} if version else {}
    return module.client(
        "s3",
        endpoint_url=endpoint or server.endpoint,
        region_name=region,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        verify=str(server.ca) if server.tls else None,
        config=config(retries=ONE_TRY, proxies={}, **signature, **s3, **settings),
    )


def boto(server, version=None, style=None, keys=(ACCESS_KEY, SECRET_KEY), endpoint=None, region=REGION, **settings):
    """A boto3 client. Without a version it signs requests with V4 and URLs with V2: what boto3 does by itself."""
    return _sdk(boto3, Config, server, version, style, keys, endpoint, region, **settings)


def ibm(server, version=None, style=None, keys=(ACCESS_KEY, SECRET_KEY), endpoint=None, region=REGION, **settings):
    return _sdk(ibm_boto3, IbmConfig, server, version, style, keys, endpoint, region, **settings)


def minio_client(server, style=None, endpoint=None):
    http = urllib3.PoolManager(ca_certs=str(server.ca)) if server.tls else urllib3.PoolManager()
    address = (endpoint or server.endpoint).partition("://")[2]
    client = minio.Minio(
        address, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=server.tls, http_client=http
    )
    if style == "virtual":
        client.enable_virtual_style_endpoint()
    return client


@contextlib.contextmanager
def clock(offset):
    """botocore and its IBM edition sign as if it were `offset` seconds from now."""
    real = time.time

    def now(remove_tzinfo=True):
        moment = datetime.fromtimestamp(real() + offset, timezone.utc)
        return moment.replace(tzinfo=None) if remove_tzinfo else moment

    class Shifted(datetime):
        @classmethod
        def utcnow(cls):
            return now()

    with contextlib.ExitStack() as patches:
        patches.enter_context(mock.patch.object(botocore.auth, "get_current_datetime", now))
        patches.enter_context(mock.patch.object(ibm_botocore.auth.datetime, "datetime", Shifted))
        patches.enter_context(mock.patch("time.time", lambda: real() + offset))
        yield


def sign_with_runtime():
    """From here on botocore signs as after `pip install botocore[crt]`."""
    botocore.auth.AUTH_TYPE_MAPS.update(SIGNERS_OF_RUNTIME)


# ---- command-line clients -------------------------------------------------------------------------------------------


class Aws:
    """The AWS CLI with a profile of its own. `version` 4 sets the signature version in the profile."""

    def __init__(self, cell, server, version=None, style=None, endpoint=None):
        lines = [f"  signature_version = s3v{version}"] if version else []
        lines += [f"  addressing_style = {style}"] if style else []
        config = f"[default]\nregion = {REGION}\n" + "".join(["s3 =\n", *(f"{line}\n" for line in lines)] if lines else [])
        config += f"aws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
        path = cell.file(f"aws-{version}-{style}.config", config.encode())
        self.environment = clean_environment(cell, AWS_CONFIG_FILE=path, AWS_MAX_ATTEMPTS=1)
        self.options = ["--endpoint-url", endpoint or server.endpoint]
        if server.tls:
            self.options += ["--ca-bundle", server.ca]

    def __call__(self, *arguments, status=0):
        return run_command([TOOLS / "aws", *arguments, *self.options], self.environment, status)


class S3cmd:
    def __init__(self, cell, server, style=None):
        bucket_host = f"%(bucket)s.localhost:{server.port}" if style == "virtual" else f"localhost:{server.port}"
        settings = {
            "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "bucket_location": REGION, "use_https": server.tls,
            "host_base": f"localhost:{server.port}", "host_bucket": bucket_host, "signurl_use_https": server.tls,
            "max_retries": 1,
        }
        text = "[default]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
        self.command = [TOOLS / "s3cmd", "--config", cell.file(f"s3cmd-{style}.config", text.encode()), "--no-progress"]
        if server.tls:
            self.command += ["--ca-certs", server.ca]
        self.environment = clean_environment(cell)

    def __call__(self, *arguments, status=0):
        return run_command([*self.command, *arguments], self.environment, status)


class Rclone:
    """rclone with the remote `s3:`."""

    def __init__(self, cell, server, **settings):
        remote = {
            "TYPE": "s3", "PROVIDER": "Other", "ACCESS_KEY_ID": ACCESS_KEY, "SECRET_ACCESS_KEY": SECRET_KEY,
            "ENDPOINT": server.endpoint, "REGION": REGION, "FORCE_PATH_STYLE": "true", **settings,
        }
        named = {f"RCLONE_CONFIG_S3_{name}": value for name, value in remote.items()}
        self.environment = clean_environment(cell, RCLONE_CONFIG=cell.file("rclone.config"), **named)
        self.command = [TOOLS / "rclone", "--retries", "1", "--low-level-retries", "1"]
        if server.tls:
            self.command += ["--ca-cert", server.ca]

    def __call__(self, *arguments, status=0):
        return run_command([*self.command, *arguments], self.environment, status)


def node(cell, server, flow, style="path", endpoint=None, **parameters):
    """Runs one flow of clients.mjs, which must tell how many checks it made; gives what it answered."""
    settings = {
        "flow": flow, "endpoint": endpoint or server.endpoint, "region": REGION, "bucket": BUCKET, "folder": str(cell.folder),
        "pathStyle": style == "path", "accessKeyId": ACCESS_KEY, "secretAccessKey": SECRET_KEY, **parameters,
    }
    extra = {"NODE_EXTRA_CA_CERTS": server.ca} if server.tls else {}
    environment = clean_environment(cell, CLIENT_PACKAGES=TARGET / "js" / "package.json", NODE_NO_WARNINGS=1, **extra)
    ended = run_command(["node", HERE / "clients.mjs", json.dumps(settings)], environment)
    answer = json.loads(ended.stdout.splitlines()[-1])
    check(flow == "sign" or answer["checks"] > 0, f"the JavaScript flow {flow} checked nothing")
    return answer


def presigned_sign(cell, server, *arguments, endpoint=None, status=0):
    environment = clean_environment(cell, PRESIGNED_ACCESS_KEY=ACCESS_KEY, PRESIGNED_SECRET_KEY=SECRET_KEY)
    return run_command([BINARY, "sign", *arguments, "--endpoint", endpoint or server.endpoint], environment, status)


# ---- signers --------------------------------------------------------------------------------------------------------


def version_of(url):
    """The signature version of a presigned URL, from its parameters alone."""
    names = set(urllib.parse.parse_qs(urllib.parse.urlsplit(url).query, keep_blank_values=True))
    four = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"}
    two = {"AWSAccessKeyId", "Signature", "Expires"}
    check(four <= names or two <= names, f"all parameters of one version in {url}")
    check(not (four & names and two & names), f"parameters of one version only in {url}")
    return 4 if four <= names else 2


class Signer:
    """One client, making URLs of one version. `methods` says which it can; `responses`, whether it takes response-*."""

    def __init__(self, client, version, methods, make, label=None, responses=False, styles=("path",)):
        self.client, self.version, self.methods, self.make = client, version, methods, make
        self.label, self.responses, self.styles = label or f"V{version}", responses, styles

    def sign(self, cell, server, method, key, expires=600, style="path", **responses):
        """A URL for the key in the bucket of every flow. `responses`: response_content_type and so on."""
        endpoint = server.named_endpoint if "virtual" in self.styles else server.endpoint
        url = self.make(cell, server, method, key, expires, style, endpoint, responses)
        equal(version_of(url), self.version, f"signature version of {self.client}'s URL {url}")
        host = urllib.parse.urlsplit(url).hostname
        equal(host == f"{BUCKET}.localhost", style == "virtual", f"bucket in the host of {url}")
        return url


def _sdk_signer(constructor, version):
    def make(cell, server, method, key, expires, style, endpoint, responses):
        client = constructor(server, version, style, endpoint=endpoint)
        named = {"".join(word.title() for word in name.split("_")): value for name, value in responses.items()}
        return client.generate_presigned_url(
            f"{method}_object", Params={"Bucket": BUCKET, "Key": key, **named}, ExpiresIn=expires
        )

    return make


def _aws(version):
    def make(cell, server, method, key, expires, style, endpoint, responses):
        aws = Aws(cell, server, version, style, endpoint)
        return aws("s3", "presign", f"s3://{BUCKET}/{key}", "--expires-in", expires).stdout.strip()

    return make


def _s3cmd(relative):
    def make(cell, server, method, key, expires, style, endpoint, responses):
        until = f"+{expires}" if relative else str(int(time.time()) + expires)
        return S3cmd(cell, server, style)("signurl", f"s3://{BUCKET}/{key}", until).stdout.strip()

    return make


def _minio(cell, server, method, key, expires, style, endpoint, responses):
    overrides = {name.replace("_", "-"): value for name, value in responses.items()}
    return minio_client(server, style, endpoint).get_presigned_url(
        method.upper(), BUCKET, key, expires=timedelta(seconds=expires), response_headers=overrides or None
    )


def _rclone(cell, server, method, key, expires, style, endpoint, responses):
    # It asks for the object first, so the object must be there.
    return Rclone(cell, server)("link", f"s3:{BUCKET}/{key}", "--expire", f"{expires}s").stdout.strip()


def _js(cell, server, method, key, expires, style, endpoint, responses):
    named = {"".join(word.title() for word in name.split("_")): value for name, value in responses.items()}
    return node(
        cell, server, "sign", style, endpoint, command=f"{method.title()}Object", expires=expires,
        input={"Bucket": BUCKET, "Key": key, **named},
    )["url"]


def _presigned(version):
    def make(cell, server, method, key, expires, style, endpoint, responses):
        overrides = [part for name, value in responses.items() for part in ("--query", f"{name.replace('_', '-')}={value}")]
        second = ["--v2"] if version == 2 else []
        command = ["sign", method, f"s3://{BUCKET}/{key}", "--expires", f"{expires}s", *second, *overrides]
        return presigned_sign(cell, server, *command[1:]).stdout.strip()

    return make


ALL_METHODS = ("get", "put", "head", "delete")
BOTH = ("path", "virtual")

SIGNERS = [
    Signer("aws", 2, ("get",), _aws(None), "V2, its default", styles=BOTH),
    Signer("aws", 4, ("get",), _aws(4)),
    Signer("boto3", 2, ALL_METHODS, _sdk_signer(boto, None), "V2, its default", responses=True, styles=BOTH),
    Signer("boto3", 4, ALL_METHODS, _sdk_signer(boto, 4), responses=True, styles=BOTH),
    Signer("ibm", 2, ALL_METHODS, _sdk_signer(ibm, None), "V2, its default", responses=True, styles=BOTH),
    Signer("ibm", 4, ALL_METHODS, _sdk_signer(ibm, 4), responses=True, styles=BOTH),
    Signer("s3cmd", 2, ("get",), _s3cmd(relative=False), "until an epoch", styles=BOTH),
    Signer("s3cmd", 2, ("get",), _s3cmd(relative=True), "for +seconds"),
    Signer("minio", 4, ALL_METHODS, _minio, responses=True, styles=BOTH),
    Signer("rclone", 4, ("get",), _rclone),
    Signer("js", 4, ALL_METHODS, _js, responses=True, styles=BOTH),
    Signer("presigned", 2, ALL_METHODS, _presigned(2), responses=True),
    Signer("presigned", 4, ALL_METHODS, _presigned(4), responses=True),
]


def signers(client, method="get", **attributes):
    """The signers of a client that can sign the method; at least one."""
    found = [
        signer for signer in SIGNERS
        if signer.client == client and method in signer.methods
        and all(getattr(signer, name) == value for name, value in attributes.items())
    ]
    check(found, f"{client} has a signer for {method}")
    return found


def signing_clients(method="get", wanted=lambda signer: True):
    return list(dict.fromkeys(signer.client for signer in SIGNERS if method in signer.methods and wanted(signer)))
