"""Java, Maven and the artifacts of Neo4j Community, found or fetched."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from kg.errors import EngineError
from kg.progress import SILENT, Progress

NEO4J_VERSION = "5.26.31"  # the long-term release; runs on Java 17 and 21
BROWSER_VERSION = "5.24.0"
MIN_JAVA = 17

_ARTIFACTS = (
    ("org.neo4j", "neo4j", NEO4J_VERSION),
    ("org.neo4j.app", "neo4j-server", NEO4J_VERSION),
    ("org.neo4j", "neo4j-bolt", NEO4J_VERSION),
    ("org.neo4j", "neo4j-import-tool", NEO4J_VERSION),
    ("org.neo4j.client", "neo4j-browser", BROWSER_VERSION),
)
_JAVA_HINT = f"Install Java {MIN_JAVA} or newer (Debian and Ubuntu: apt install openjdk-17-jre-headless), or set JAVA_HOME."
_MAVEN_HINT = "Install Maven (Debian and Ubuntu: apt install maven); it is needed once, to fetch Neo4j."


def find_java() -> Path:
    """Java's executable: of JAVA_HOME, else on the path.

    Raises:
        EngineError: there is none, or it is older than 17.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if found is None:
        where = f"in JAVA_HOME ({home})" if home else "on the path"
        raise EngineError(f"A Neo4j of one's own needs Java, and there is none {where}.", _JAVA_HINT)
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False)
    version = java_version(said.stderr + said.stdout)
    if version < MIN_JAVA:
        raise EngineError(f"Neo4j {NEO4J_VERSION} needs Java {MIN_JAVA}; {found} is Java {version}.", _JAVA_HINT)
    return Path(found)


def java_version(said: str) -> int:
    """The major version in what `java -version` says ("1.8.0_392" is 8).

    Raises:
        EngineError: it does not say one.
    """
    match = re.search(r'version "(\d+)(?:\.(\d+))?', said)
    if match is None:
        raise EngineError(f"Java does not say its version: {said.strip()[:200]!r}.", _JAVA_HINT)
    first, second = int(match[1]), int(match[2] or 0)
    return second if first == 1 else first


def jars() -> Path | None:
    """The folder of Neo4j's artifacts, if they were fetched."""
    lib = _base() / "lib"
    return lib if lib.is_dir() else None


def fetch_jars(progress: Progress = SILENT) -> Path:
    """The folder of Neo4j's artifacts; fetched with Maven the first time (140 MB), complete or not there at all.

    Raises:
        EngineError: Maven is missing, or it could not fetch them.
    """
    found = jars()
    if found:
        return found
    maven = shutil.which("mvn")
    if maven is None:
        raise EngineError("Neo4j is fetched with Maven, and there is no mvn on the path.", _MAVEN_HINT)
    base = _base()
    base.mkdir(parents=True, exist_ok=True)
    with (base / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (found := jars()) is None:
            with progress.stage("fetching Neo4j"):
                found = _fetch(maven, base)
    return found


def _fetch(maven: str, base: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=base) as scratch:
        pom, part = Path(scratch) / "pom.xml", Path(scratch) / "lib"
        pom.write_text(_pom())
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={part}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode or not part.is_dir():
            errors = [line for line in (done.stdout + done.stderr).splitlines() if "ERROR" in line]
            raise EngineError(
                f"Maven could not fetch Neo4j {NEO4J_VERSION}: {errors[0][:300] if errors else 'it gave no reason'}",
                "Check that Maven reaches a repository (settings.xml, proxy), and try again.",
            )
        part.rename(base / "lib")
    return base / "lib"


def _base() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("clew")) / "neo4j" / f"{NEO4J_VERSION}+{BROWSER_VERSION}"


def _pom() -> str:
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in _ARTIFACTS
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>local</groupId>'
        "<artifactId>neo4j</artifactId><version>1</version><packaging>pom</packaging>"
        f"<dependencies>{dependencies}</dependencies></project>"
    )
