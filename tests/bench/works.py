"""The rows of the table: what is done, what has to be there for it, and which limit of the machine it is held to."""

import dataclasses
import signal
import threading
import time
from collections.abc import Callable

import contenders
from contenders import LARGE_BYTES, Bare, Failure, Figure, Limit, Nginx

PART_BYTES = 16 << 20
MULTIPART_BYTES = 1 << 30
SLOW_STREAMS = 1000
SLOW_BYTES_PER_SECOND = 65536
# Of the load generator's own thread; above it, a figure tells of it rather than of the server.
OWN_CPU_SHARE_MAX = 0.9


@dataclasses.dataclass
class Work:
    """One row. `unit` is `/s` and `GB/s`, where more is better, or `ms` and `MiB`, where less is."""

    name: str
    title: str
    unit: str
    measure: Callable
    prepare: Callable = lambda server: None
    # Pairs: a Server that does the same work or a Limit, and the ratio to it that we want to reach, if any.
    limits: tuple = ()
    # What `cpu` is per.
    per: str = "op"


def figure(result, value, share):
    """A figure from what `Server.load` says; the CPU time is shared out among so many operations or GB."""
    own = result["own_cpu_seconds"] / result["seconds"]
    note = f"load generator {own:.0%} busy" if own > OWN_CPU_SHARE_MAX else ""
    return Figure(value, result["cpu"] / share, result["p99_micros"] / 1000, note)


def rate(result):
    return figure(result, result["operations"] / result["seconds"], result["operations"])


def throughput(result, size):
    gigabytes = result["operations"] * size / 1e9
    return dataclasses.replace(figure(result, gigabytes / result["seconds"], gigabytes), p99_ms=None)


def expect(holds, text):
    if not holds:
        raise Failure(text)


def all_works(options):
    seconds, objects = options.seconds, 2_000 if options.quick else 10_000
    bare, nginx = Bare(), Nginx() if Nginx.BINARY else None
    file_rate = {1: Limit("file per object, 1 thread", contenders.disk("files", 1)),
                 32: Limit("file per object, 32 threads", contenders.disk("files", 32))}
    sync_rate = Limit("fdatasync", contenders.disk("fdatasync", 1))
    md5 = Limit("openssl MD5, one core", contenders.md5)

    def ahead(per_second):
        """How many requests to sign: more than the fastest server can answer in the time."""
        return int(per_second * seconds)

    def small_put(name, size, connections):
        count, key = ahead(40_000 if connections > 1 else 5_000), f"put-{size}-{connections}/"

        def measure(server, turn):
            return rate(server.load("put", key=key, count=count, size=size, connections=connections, seconds=seconds,
                                    **{"from": turn * count}))

        limits = ((file_rate[connections], 4.0 if (size, connections) == (1024, 32) else None), (sync_rate, None))
        return Work(f"put-{name}-c{connections}", f"put {title(size)}, {plural(connections)}", "/s", measure,
                    lambda server: server.bucket(), limits)

    def small_get(name, size, connections):
        count = ahead(110_000 if connections > 1 else 20_000)

        def measure(server, _):
            result = server.load("get", key=f"objects-{size}/", count=count, of=objects, connections=connections,
                                 seconds=seconds)
            expect(result["bytes"] == result["operations"] * size, "bodies of the wrong size")
            return rate(result)

        limits = ((bare, 0.8), (nginx, None)) if size == 1024 else ()
        return Work(f"get-{name}-c{connections}", f"get {title(size)}, {plural(connections)}", "/s", measure,
                    lambda server: small_objects(server, size), limits)

    def small_objects(server, size):
        server.fill("bench", objects, size, key=f"objects-{size}/", connections=32)

    def large_objects(server):
        server.fill("bench", 4, LARGE_BYTES, key="large/", connections=1)

    def large_put(streams):
        def measure(server, _):
            result = server.load("put", key="put-large/", count=streams, size=LARGE_BYTES, connections=streams)
            return throughput(result, LARGE_BYTES)

        return Work(f"put-large-{streams}", f"put 256 MiB, {plural(streams, 'stream')}", "GB/s", measure,
                    lambda server: server.bucket(), ((md5, 0.9 if streams == 1 else None),), "GB")

    def large_get(streams):
        def measure(server, _):
            result = server.load("get", key="large/", count=ahead(100) + 4, of=4, connections=streams,
                                 seconds=seconds)
            expect(result["bytes"] == result["operations"] * LARGE_BYTES, "bodies of the wrong size")
            return throughput(result, LARGE_BYTES)

        return Work(f"get-large-{streams}", f"get 256 MiB, {plural(streams, 'stream')}", "GB/s", measure,
                    large_objects, ((nginx, 1.0),), "GB")

    def multipart(server, _):
        result = server.load("multipart", key="multipart/", size=MULTIPART_BYTES, part=PART_BYTES, connections=4)
        return throughput(result, MULTIPART_BYTES)

    def listing(count, delimiter):
        bucket, flags = f"list-{count}", {"delimiter": 1} if delimiter else {}

        def measure(server, _):
            result = server.load("list", bucket, key="", tree=1, count=ahead(2_000), of=count,
                                 seconds=seconds, **flags)
            expect(result["bytes"] > (40_000 if delimiter else 80_000) * result["operations"], "short pages")
            return figure(result, 1000 * result["seconds"] / result["operations"], result["operations"])

        name = f"list-{short(count)}" + ("-delimiter" if delimiter else "")
        kind = "1,000 prefixes" if delimiter else "1,000 keys"
        return Work(name, f"list page of {kind} out of {count:,}", "ms", measure,
                    lambda server: server.fill(bucket, count, 16, key="", tree=1, connections=64))

    def delete(server, turn):
        count, key = objects // 2, f"delete-{turn}/"
        server.load("put", key=key, count=count, size=1024, connections=32)
        return rate(server.load("delete", key=key, count=count, connections=32))

    def small_copy(server, turn):
        count = objects // 2
        return rate(server.load("copy", key="copy/", source="objects-1024/", of=objects, count=count, connections=32,
                                seconds=seconds, **{"from": turn * count}))

    def large_copy(server, turn):
        result = server.load("copy", key="copy-large/", source="large/", of=4, count=4, seconds=seconds)
        return figure(result, 1000 * result["seconds"] / result["operations"], result["operations"])

    def start_empty(server, _):
        twin = server.twin()
        try:
            return Figure(1000 * twin.start(fresh=True), twin.cpu())
        finally:
            twin.stop(signal.SIGKILL)

    def restart(by):
        def measure(server, _):
            server.stop(by)
            return Figure(1000 * server.start(fresh=False), server.cpu())

        return measure

    def memory_idle(server, _):
        twin = server.twin()
        try:
            twin.start(fresh=True)
            time.sleep(0.5)
            total, anonymous = twin.memory()
            return Figure(total, note=f"{anonymous:.0f} MiB of it anonymous")
        finally:
            twin.stop(signal.SIGKILL)

    def memory_slow(server, _):
        """Anonymous memory, at its highest: what is mapped is the page cache, and counted again for each mapping."""
        over, most = threading.Event(), [0, 0]

        def watch():
            while not over.wait(0.05):
                most[:] = map(max, most, server.memory())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            server.load("slow", key="large/", count=SLOW_STREAMS, rate=SLOW_BYTES_PER_SECOND, seconds=3)
        finally:
            over.set()
            watcher.join()
        return Figure(most[1], note=f"{most[0]:,.0f} MiB resident with mapped files")

    def largest(server):
        count = max(options.list_sizes)
        server.fill(f"list-{count}", count, 16, key="", tree=1, connections=64)

    sizes = (("1k", 1024), ("16k", 16384))
    full = f"with {max(options.list_sizes):,} objects"
    works = [small_put(*size, connections) for size in sizes for connections in (1, 32)]
    works += [small_get(*size, connections) for size in sizes for connections in (1, 32)]
    works += [large_put(1), large_put(4), large_get(1), large_get(4)]
    works += [Work("multipart", "multipart upload of 1 GiB, 4 connections", "GB/s", multipart,
                   lambda server: server.bucket(), ((md5, None),), "GB")]
    works += [listing(count, delimiter) for delimiter in (False, True) for count in options.list_sizes]
    works += [
        Work("delete", "delete 1 KiB, 32 connections", "/s", delete, lambda server: server.bucket()),
        Work("copy-1k", "copy 1 KiB, 32 connections", "/s", small_copy, lambda server: small_objects(server, 1024)),
        Work("copy-large", "copy 256 MiB", "ms", large_copy, large_objects),
        Work("start-empty", "start to ready, empty", "ms", start_empty),
        Work("start-full", f"start to ready {full}", "ms", restart(signal.SIGTERM), largest),
        Work("start-killed", f"start to ready {full}, after a kill", "ms", restart(signal.SIGKILL), largest),
        Work("memory-idle", "resident memory, idle", "MiB", memory_idle),
        Work("memory-slow", f"anonymous memory, {SLOW_STREAMS:,} slow downloads", "MiB", memory_slow, large_objects),
    ]
    return works


def title(size):
    return f"{size >> 10} KiB"


def plural(count, noun="connection"):
    return f"{count} {noun}" + ("" if count == 1 else "s")


def short(count):
    for unit, letter in ((10**6, "m"), (10**3, "k")):
        if count % unit == 0:
            return f"{count // unit}{letter}"
    return str(count)
