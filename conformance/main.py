"""Runs the flows and prints the table: clients by flows, then what failed, then the count.

    python main.py [--jobs N] [--keep] [--client NAME]... [FLOW]...

Each cell runs in a process of its own, with servers and a folder of its own.
"""

import argparse
import multiprocessing
import os
import shutil
import signal
import sys
import time
import traceback
from multiprocessing import connection

import harness
from flows import CELLS, FLOWS

WORK = harness.TARGET / "work"
CLIENTS = ["curl", "aws", "boto3", "ibm", "s3cmd", "minio", "rclone", "requests", "js", "samtools", "presigned"]
LOG_LINES_SHOWN = 10
CELL_SECONDS_MAX = 240
FORK = multiprocessing.get_context("fork")
#: What takes longest begins first.
SLOW = ("trees", "refused", "cut", "tls", "sdk", "versions")


def run_cell(flow, client):
    """Runs one cell; gives the text of its failure or None, the checks made, and the seconds taken."""
    began = time.monotonic()
    harness.checks_made = 0
    cell = harness.Cell(client, flow, WORK / f"{flow}-{client}")
    failure = None
    try:
        CELLS[flow, client](cell)
        cell.close()
        if harness.checks_made == 0:
            failure = "nothing was checked"
    except BaseException as error:  # whatever it is, the cell has failed
        # Where an expectation did not hold, the way there is enough; anything else is shown in full.
        limit = -6 if isinstance(error, harness.Failure) else None
        failure = "".join(traceback.format_exception(error, limit=limit))
        for server in cell.servers:
            lines = server.log_text().splitlines()[-LOG_LINES_SHOWN:]
            failure += f"\nthe end of {server.log.relative_to(harness.TARGET)}:\n" + "".join(f"  {line[:300]}\n" for line in lines)
    finally:
        cell.kill()
    return failure, harness.checks_made, time.monotonic() - began


def run_all(cells, jobs, keep):
    """Runs each cell in a process of its own, `jobs` at a time, none for longer than CELL_SECONDS_MAX."""
    waiting = sorted(cells, key=lambda cell: SLOW.index(cell[0]) if cell[0] in SLOW else len(SLOW))
    running, results = {}, {}
    while waiting or running:
        while waiting and len(running) < jobs:
            start_cell(waiting.pop(0), running)
        connection.wait(running, timeout=1)
        for receiver, (cell, process, deadline) in list(running.items()):
            result = outcome(receiver, process, deadline)
            if result is None:
                continue
            del running[receiver]
            results[cell] = failure, checks, seconds = result
            flow, client = cell
            print(f"  {flow:<9} {client:<9} {'FAIL' if failure else 'pass'}  {checks:>5} checks  {seconds:5.1f} s", flush=True)
            if not keep and not failure:
                shutil.rmtree(WORK / f"{flow}-{client}", ignore_errors=True)
    return results


def start_cell(cell, running):
    receiver, sender = FORK.Pipe(duplex=False)

    def body():
        os.setpgid(0, 0)
        sender.send(run_cell(*cell))

    process = FORK.Process(target=body)
    process.start()
    sender.close()
    running[receiver] = cell, process, time.monotonic() + CELL_SECONDS_MAX


def outcome(receiver, process, deadline):
    """What a running cell has come to, or None while it runs."""
    try:
        result = receiver.recv() if receiver.poll() else None
    except EOFError:
        process.join()
        result = f"the cell's process ended with {process.exitcode}", 0, 0
    if result is None and time.monotonic() > deadline:
        os.killpg(process.pid, signal.SIGKILL)
        result = f"the cell took more than {CELL_SECONDS_MAX} s", 0, CELL_SECONDS_MAX
    if result is not None:
        process.join()
        receiver.close()
    return result


def print_table(results, flows, clients):
    widths = [max(len(flow), 4) for flow in flows]
    print("\n" + "  ".join([f"{'':<9}", *(f"{flow:<{width}}" for flow, width in zip(flows, widths))]).rstrip())
    for client in clients:
        words = []
        for flow in flows:
            words.append("-" if (flow, client) not in results else "FAIL" if results[flow, client][0] else "pass")
        print("  ".join([f"{client:<9}", *(f"{word:<{width}}" for word, width in zip(words, widths))]).rstrip())


def forget_callers_settings():
    """The clients inside this process take nothing from the caller's environment either."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith(("_proxy", "ca_bundle", "ssl_cert_file")):
            del os.environ[name]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("flows", nargs="*", metavar="FLOW", help=", ".join(FLOWS))
    parser.add_argument("--client", action="append", choices=CLIENTS, help="only this client; repeatable")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="cells at a time")
    parser.add_argument("--keep", action="store_true", help="keep the folders and logs of cells that passed")
    options = parser.parse_args()
    for flow in options.flows:
        if flow not in FLOWS:
            parser.error(f"no flow {flow!r}; there are {', '.join(FLOWS)}")
    cells = [
        (flow, client) for flow, client in CELLS
        if flow in (options.flows or FLOWS) and client in (options.client or CLIENTS)
    ]
    missing = {client for _, client in CELLS} ^ set(CLIENTS)
    if missing or not cells or not harness.BINARY.exists():
        parser.error(f"nothing to run: binary {harness.BINARY}, cells {len(cells)}, clients without a row {missing}")
    forget_callers_settings()
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    began = time.monotonic()
    results = run_all(cells, options.jobs, options.keep)
    flows = [flow for flow in FLOWS if any(cell[0] == flow for cell in cells)]
    print_table(results, flows, [client for client in CLIENTS if any(cell[1] == client for cell in cells)])
    print()
    for flow in flows:
        print(f"  {flow:<9}  {FLOWS[flow]}")
    for (flow, client), (failure, _, _) in results.items():
        if failure:
            print(f"\n---- {client}, {flow} " + "-" * 60 + f"\n{failure}")
    failed = [f"{flow} of {client}" for (flow, client), (failure, _, _) in results.items() if failure]
    checks = sum(checks for _, checks, _ in results.values())
    print(f"\n{checks} checks in {time.monotonic() - began:.0f} s")
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed" + (f": {', '.join(failed)}" if failed else ""), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
