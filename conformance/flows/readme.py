"""The recipes of the README, as they stand there."""

import os
import re
import socket

from flows import flow
from harness import BINARY, FAILS, HERE, check, clean_environment, run_command

README = HERE.parent / "README.md"


def commands(heading):
    """The commands of the first console block below a heading."""
    section = README.read_text().split(f"\n## {heading}\n")[1]
    block = re.search(r"```console\n(.*?)```", section, re.S)[1]
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def with_binary(cell):
    environment = clean_environment(cell)
    environment["PATH"] = f"{os.path.dirname(BINARY)}:{environment['PATH']}"
    return environment


@flow("readme", "presigned")
def readme_fixture(cell):
    """The loop of the fixture ends with an endpoint, and with an error when the server cannot start."""
    make, serve, wait, stop = commands("As a test fixture")
    environment = with_binary(cell)
    use = f"{make}\n{serve}\n{wait}\n"
    ask = "curl -s -o /dev/null -w '%{http_code}' $(cat $dir/ready)/test/none"
    ended = run_command(["bash", "-c", f"{use}{ask}\n{stop}; wait $server"], environment)
    lines = ended.stdout.splitlines()
    check(any(re.fullmatch(r"http://127\.0\.0\.1:\d+", line) for line in lines), f"an endpoint in {lines}")
    check(lines[-1].endswith("403"), f"an answer in {lines}")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = use.replace("127.0.0.1:0", f"127.0.0.1:{port}")
        ended = run_command(["timeout", "20", "bash", "-c", busy], environment, status=FAILS)
        check(ended.returncode != 124, "the loop ends")
        check("http://" not in ended.stdout, f"no endpoint in {ended}")
