"""A real Neo4j on this machine without root and without Docker: Community Edition from Maven's artifacts, on loopback.

`python -m kg.stores.launcher` starts one in the background with Neo4j Browser, prints where it is and how to reach it, and
returns; `--stop` ends it. Neo4j is GPL-3.0 software and runs as a process of its own; nothing of it is part of clew.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kg.errors import ClewError, EngineError
from kg.progress import SILENT, Progress
from kg.stores.java import fetch_jars, find_java

USER = "neo4j"
DATABASE = "neo4j"

# What Neo4j's own start script passes.
_JVM_OPTIONS = (
    "-XX:+UseG1GC",
    "-XX:-OmitStackTraceInFastThrow",
    "-XX:+UseStringDeduplication",
    "-Dfile.encoding=UTF-8",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-opens=java.base/java.util.concurrent=ALL-UNNAMED",
    "--add-modules=jdk.incubator.vector",
)
_BRIEF_OPTIONS = ("-XX:TieredStopAtLevel=1",)

# Ends the server when the process that owns it is gone, however that ended: tests leave no server behind.
WATCH = """
owner=$1; shift
"$@" & child=$!
trap 'kill $child 2>/dev/null' TERM
while kill -0 "$owner" 2>/dev/null && kill -0 $child 2>/dev/null; do sleep 1 & wait $!; done
kill $child 2>/dev/null
wait $child
"""

# Servers started by this process: a child must be waited for, or it stays in the process table.
_CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True, slots=True)
class Server:
    """A server that this launcher started.

    Args:
        home: its folder (configuration, data, logs).
        pid: process id; also the id of its process group.
        bolt_port: port of Bolt on 127.0.0.1.
        http_port: port of Neo4j Browser on 127.0.0.1, or None when it has none.
    """

    home: Path
    pid: int
    bolt_port: int
    http_port: int | None

    @property
    def uri(self) -> str:
        """Address for a driver."""
        return f"bolt://127.0.0.1:{self.bolt_port}"

    @property
    def browser(self) -> str | None:
        """Address of Neo4j Browser."""
        return f"http://127.0.0.1:{self.http_port}/browser/" if self.http_port else None

    @property
    def password(self) -> str:
        """Password of the user `neo4j`, made when the folder was; only the owner of the folder can read it."""
        return _password_file(self.home).read_text().strip()

    def alive(self) -> bool:
        """Whether the process is there and is this server, not a later one that got its id."""
        return str(self.home) in _command_line(self.pid)

    def stop(self, timeout: float = 60.0) -> None:
        """End it and wait (seconds) until its files are closed.

        Raises:
            EngineError: it did not end in time.
        """
        if self.alive():
            os.killpg(self.pid, signal.SIGTERM)
        deadline = time.monotonic() + timeout
        while self.alive():
            if time.monotonic() > deadline:
                raise EngineError(f"Neo4j (process {self.pid}) did not stop within {timeout:.0f} s.", f"End it with: kill -9 {self.pid}")
            reap(self.pid)
            time.sleep(0.1)
        _CHILDREN.pop(self.pid, None)
        _state_file(self.home).unlink(missing_ok=True)


def default_home() -> Path:
    """Where `make neo4j` keeps its data."""
    import platformdirs

    return Path(platformdirs.user_data_dir("clew")) / "neo4j"


def running(home: Path) -> Server | None:
    """The server of a folder, if it runs."""
    try:
        state = json.loads(_state_file(home).read_text())
        server = Server(home, int(state["pid"]), int(state["bolt_port"]), state["http_port"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    return server if server.alive() else None


def start(
    home: Path,
    *,
    bolt_port: int | None = None,
    http_port: int | None = None,
    with_browser: bool = False,
    heap: str = "512m",
    owner_pid: int | None = None,
    settings: Mapping[str, str] | None = None,
    brief: bool = False,
    timeout: float = 180.0,
    progress: Progress = SILENT,
) -> Server:
    """Start Neo4j in a folder, or answer with the one that runs there.

    Args:
        home: its folder; made when missing. What it holds stays there.
        bolt_port, http_port: ports on 127.0.0.1; None: a free one.
        with_browser: also serve Neo4j Browser over HTTP.
        heap: Java heap, such as "512m" or "1g".
        owner_pid: end the server when this process is gone.
        settings: lines of neo4j.conf beside the launcher's own, or instead of them.
        brief: start sooner and run slower, for a server that lives a minute: Java compiles less.
        timeout: seconds to wait for it.
        progress: listener.

    Raises:
        EngineError: Java or Maven is missing or too old, the artifacts cannot be fetched, or it does not start.
    """
    home = home.resolve()
    java = find_java()
    lib = fetch_jars(progress)
    home.mkdir(parents=True, exist_ok=True)
    with _exclusive(home / "launcher.lock"):
        found = running(home)
        if found:
            return found
        bolt = bolt_port or free_port()
        http = (http_port or free_port()) if with_browser else None
        _configure(home, bolt, http, settings or {})
        _set_password(java, lib, home)
        with progress.stage("starting Neo4j"):
            options = [f"-Xmx{heap}", *(_BRIEF_OPTIONS if brief else ())]
            server = _launch(java, lib, Server(home, 0, bolt, http), options, owner_pid)
            _wait(server, timeout)
        return server


def admin(home: Path, *arguments: str, heap: str = "512m", folder: Path | None = None) -> str:
    """Run neo4j-admin with the server's artifacts on a home whose server is stopped; returns what it printed.

    Args:
        home: the server's folder; made when missing.
        arguments: such as "database", "info".
        heap: Java heap.
        folder: where relative paths in the arguments start; None: the home.

    Raises:
        EngineError: it failed; its last lines are the message.
    """
    _configure(home.resolve(), free_port(), None, {})
    return _run_admin(find_java(), fetch_jars(), home.resolve(), arguments, (f"-Xmx{heap}",), folder)


def reap(pid: int) -> None:
    """Let a server that this process started and that has ended leave the process table."""
    if pid in _CHILDREN:
        _CHILDREN[pid].poll()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def port_or_free(port: int) -> int:
    """The port itself when nobody listens there, else a free one."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return free_port()
    return port


def _state_file(home: Path) -> Path:
    return home / "server.json"


def _password_file(home: Path) -> Path:
    return home / "password"


def _configure(home: Path, bolt: int, http: int | None, settings: Mapping[str, str]) -> None:
    for name in ("conf", "data", "logs", "run", "import", "plugins"):
        (home / name).mkdir(parents=True, exist_ok=True)
    lines = {
        "server.default_listen_address": "127.0.0.1",
        "server.bolt.listen_address": f"127.0.0.1:{bolt}",
        "server.bolt.advertised_address": f"127.0.0.1:{bolt}",
        "server.http.enabled": "true" if http else "false",
        "server.https.enabled": "false",
        "dbms.usage_report.enabled": "false",
        # Cypher's LOAD CSV opens files and addresses even in a read transaction: both are switched off.
        "dbms.security.allow_csv_import_from_file_urls": "false",
        "internal.dbms.cypher_ip_blocklist": "0.0.0.0/0,::/0",
        "server.directories.import": str(home / "import"),
        "server.memory.pagecache.size": "256m",
        "db.tx_log.preallocate": "false",
        # Neo4j waits five seconds for late requests when it stops; nobody else talks to this one.
        "internal.dbms.bolt.netty_server_shutdown_quiet_period": "0",
    }
    if http:
        lines |= {
            "server.http.listen_address": f"127.0.0.1:{http}",
            "server.http.advertised_address": f"127.0.0.1:{http}",
            # Neo4j answers any web page's requests by default; only its own Browser shall ask.
            "dbms.security.http_access_control_allow_origin": f"http://127.0.0.1:{http}",
        }
    text = "".join(f"{name}={value}\n" for name, value in (lines | dict(settings)).items())
    (home / "conf" / "neo4j.conf").write_text(text)


def _set_password(java: Path, lib: Path, home: Path) -> None:
    file = _password_file(home)
    if file.exists():
        return
    password = secrets.token_urlsafe(12)
    _run_admin(java, lib, home, ("dbms", "set-initial-password", "--", password), ("-Xmx128m", *_BRIEF_OPTIONS))
    file.touch(mode=0o600)
    file.write_text(password + "\n")


def _run_admin(java: Path, lib: Path, home: Path, arguments: Sequence[str], options: Sequence[str], folder: Path | None = None) -> str:
    environment = {**os.environ, "NEO4J_HOME": str(home), "NEO4J_CONF": str(home / "conf")}
    command = [str(java), *options, *_JVM_OPTIONS, "-cp", f"{lib}/*", "org.neo4j.cli.AdminTool", *arguments]
    done = subprocess.run(command, env=environment, cwd=folder or home, capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    if done.returncode:
        raise EngineError(f"neo4j-admin {arguments[0]} {arguments[1]} failed: {_last_lines(output, 5)}", "Its words above say why.")
    return output


def _launch(java: Path, lib: Path, planned: Server, options: Sequence[str], owner_pid: int | None) -> Server:
    home = planned.home
    command = [str(java), "-Xms128m", *options, *_JVM_OPTIONS, "-cp", f"{lib}/*:{home}/plugins/*"]
    command += ["org.neo4j.server.CommunityEntryPoint", f"--home-dir={home}", f"--config-dir={home}/conf", "--console-mode"]
    if owner_pid is not None:
        command = ["/bin/sh", "-c", WATCH, "sh", str(owner_pid), *command]
    with (home / "console.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    _CHILDREN[process.pid] = process
    server = replace(planned, pid=process.pid)
    state = {**asdict(server), "home": str(home)}
    _state_file(home).write_text(json.dumps(state))
    return server


def _wait(server: Server, timeout: float) -> None:
    log = server.home / "console.log"
    deadline = time.monotonic() + timeout
    while "INFO  Started." not in (text := log.read_text(errors="replace")):
        if _CHILDREN[server.pid].poll() is not None:
            _state_file(server.home).unlink(missing_ok=True)
            raise EngineError(f"Neo4j ended while it started: {_last_lines(text, 3)}", f"The whole story is in {log}.")
        if time.monotonic() > deadline:
            server.stop()
            raise EngineError(f"Neo4j did not answer within {timeout:.0f} s.", f"The whole story is in {log}.")
        time.sleep(0.1)


def _last_lines(text: str, count: int) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("\tat ", "\t... "))]
    return " / ".join(lines[-count:]) or "it said nothing"


def _command_line(pid: int) -> str:
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str] | None = None) -> int:
    """The command `python -m kg.stores.launcher`; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m kg.stores.launcher", description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--stop", action="store_true", help="end the server that runs")
    parser.add_argument("--home", type=Path, default=None, help="its folder (default: the user's data folder)")
    parser.add_argument("--bolt-port", type=int, default=7687, help="port of Bolt; another is taken when it is not free")
    parser.add_argument("--http-port", type=int, default=7474, help="port of Neo4j Browser; another is taken when it is not free")
    parser.add_argument("--heap", default="1g", help="Java heap")
    options = parser.parse_args(arguments)
    home = (options.home or default_home()).resolve()
    try:
        if options.stop:
            return _say_stop(running(home))
        found = running(home)
        server = found or start(
            home,
            bolt_port=port_or_free(options.bolt_port),
            http_port=port_or_free(options.http_port),
            with_browser=True,
            heap=options.heap,
        )
        sys.stdout.write(_greeting(server, bool(found)))
    except ClewError as error:
        sys.stderr.write(f"error: {error.message}\n  {error.hint}\n")
        return error.exit_code
    return 0


def _say_stop(server: Server | None) -> int:
    if server is None:
        sys.stdout.write("No Neo4j of clew's launcher is running.\n")
        return 0
    server.stop()
    sys.stdout.write(f"Stopped Neo4j at {server.uri}; its data stays in {server.home}.\n")
    return 0


def _greeting(server: Server, was_running: bool) -> str:
    folder = "" if server.home == default_home().resolve() else f" --home {shlex.quote(str(server.home))}"
    return (
        f"Neo4j {'runs already' if was_running else 'has started'} (process {server.pid}, data in {server.home}).\n"
        f"  Bolt     {server.uri}\n"
        f"  Browser  {server.browser or 'not served'}\n"
        f"  User     {USER}\n"
        f"  Password {server.password}\n"
        f"Copy a graph into it:  CLEW_NEO4J_PASSWORD={server.password} clew graph sync --to {server.uri}\n"
        f"End it:                python -m kg.stores.launcher --stop{folder}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
