"""The flows: what is done with each client. A flow is a column of the table; a client in it, a cell."""

import importlib

#: Column, and what it stands for.
FLOWS = {
    "get-url": "a presigned GET as the client makes it, fetched with curl",
    "put-url": "a presigned PUT with curl, and again over the same key",
    "typed-put": "a presigned PUT that signs the Content-Type",
    "commands": "the command-line tools: mb, put, get, ls, cp, del, rb",
    "lifetime": "a lifetime of 30 days; a key taken out of the configuration",
    "address": "virtual-hosted and path-style URLs of one object, with curl and requests",
    "refused": "expired, early, tampered, unknown, doubled and unsigned requests, to the last word",
    "trees": "trees of awkward names, copied, listed, synchronised, removed; files of 200 MiB",
    "part-urls": "a presigned URL for each part of a multipart upload",
    "reads": "ranges, conditions, HEAD and response headers on presigned URLs",
    "cut": "connections cut in mid-upload and mid-download",
    "tls": "the same over TLS with a self-signed certificate, HTTP/1.1 and HTTP/2",
    "sdk": "checksums, streaming bodies, conditional writes, emptying buckets, as the SDKs do them",
    "versions": "versioning, tags and attributes, as the SDKs and tools see them",
    "checksums": "each of the ten checksums: of objects, of parts, of copies, in answers",
    "genomics": "files that samtools writes in parts and reads back",
    "surface": "every method of the newest model, with its smallest input, changes nothing that it should not",
    "readme": "the recipes of the README, as they stand there",
    "sign": "the URLs of `presigned sign`, beside those of botocore",
}

#: (flow, client) -> function of a Cell.
CELLS = {}


def flow(name, *clients):
    """Registers the function as this flow for these clients."""
    assert name in FLOWS and clients, name

    def register(function):
        for client in clients:
            assert (name, client) not in CELLS, (name, client)
            CELLS[name, client] = function
        return function

    return register


for module in ("checksums", "commands", "genomics", "multipart", "readme", "reads", "refusals", "sdk", "sign", "surface", "tls", "trees", "urls", "versions", "version_tools"):
    importlib.import_module(f"flows.{module}")
