"""Multicast forwarding by SMCRoute: a routing daemon in each router's namespace.

The daemon's configuration names the router's interfaces. What a source sends to a group it
forwards where it is told to while it runs, by its own command, as soon as a host has reported the
group: the kernel has its entry before the datagram that needs it, so nothing depends on how fast a
daemon is. It stands in for mpwire.lab.mroute, which tells the kernel the same without a daemon.

Its files lie in the folder of the run: configuration and log stay there, socket and process id go
with the daemon, and the daemon goes with the lab, however that ends.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from mpwire.errors import MachineError
from mpwire.lab.mroute import Entries, Ports
from mpwire.lab.namespaces import NetworkNamespace

DAEMON: Final = "smcrouted"
COMMAND: Final = "smcroutectl"
REMEDY: Final = "sudo apt-get install smcroute"
DEADLINE_S: Final = 10.0
_PLACES: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin")
"""Where daemons are, which the PATH of an ordinary user does not name."""


def search_path() -> str:
    """Give the folders that programs are looked for in."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), *_PLACES))


def lacks(path: str | None = None) -> str:
    """Say what is missing, and what brings it; empty where there is all of it.

    Args: path: None means `search_path`.
    """
    path = search_path() if path is None else path
    missing = [name for name in (DAEMON, COMMAND) if shutil.which(name, path=path) is None]
    return f"no {' and no '.join(missing)}: {REMEDY}" if missing else ""


def _found(program: str) -> str:
    return shutil.which(program, path=search_path()) or program


def configuration(ports: Ports) -> str:
    """Write the daemon's configuration: the router's interfaces, and no route yet."""
    lines = [f"# {port}\nphyint {interface} enable" for port, (interface, _) in ports.items()]
    return "\n".join(lines) + "\n"


class SmcrouteRouter:
    """Run the daemon of one router and tell it what to forward."""

    def __init__(
        self,
        folder: Path,
        name: str,
        namespace: NetworkNamespace,
        ports: Ports,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Start the daemon and wait until it takes commands.

        Args: folder: where its files go; name: of the router; deadline_s: for each answer of it.
        Raises: OSError where it cannot be started; MachineError where it ends, or is not ready.
        """
        self._name = name
        self._deadline_s = deadline_s
        self._folder = folder
        self._interfaces = {port: interface for port, (interface, _) in ports.items()}
        self._entries = Entries()
        folder = folder.absolute()
        self._log, self._ready = folder / f"{name}.smcroute.log", folder / f"{name}.smcroute.pid"
        # Relative to the folder: the path of a socket has room for 107 octets.
        self._socket = f"{name}.smcroute.sock"
        self._written = folder / f"{name}.smcroute.conf"
        self._written.write_text(configuration(ports), "utf-8")
        command = [_found(DAEMON), "-n", "-N", "-l", "debug", "-i", name]
        command += ["-f", str(self._written), "-u", self._socket, "-P", str(self._ready)]
        with namespace.entered(), self._log.open("wb") as log:
            self._daemon = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        try:
            self._wait()
        except MachineError:
            self.close()
            self._written.unlink()
            self._log.unlink()
            raise

    def _wait(self) -> None:
        give_up_s = time.monotonic() + self._deadline_s
        while not self._ready.exists():
            if self._daemon.poll() is not None or time.monotonic() > give_up_s:
                *_, said = ["", *self._log.read_text("utf-8", "replace").splitlines()]
                raise MachineError(f"{DAEMON} of {self._name} does not start: {said}")
            os.sched_yield()

    def forward(self, source: str, group: str, into: str, out: Sequence[str]) -> None:
        """Send on what a source sends to a group; what is the same already stays.

        Raises: MachineError where the daemon refuses.
        """
        if not self._entries.takes(source, group, into, out):
            return
        flow = (self._interfaces[into], source, group)
        with suppress(MachineError):  # there may be none yet
            self._tell("remove", *flow)
        if out:
            self._tell("add", *flow, *(self._interfaces[port] for port in out))

    def _tell(self, *words: str) -> None:
        asked = f"{COMMAND} of {self._name}: {' '.join(words)}"
        try:
            done = subprocess.run(
                [_found(COMMAND), "-u", self._socket, *words],
                cwd=self._folder,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._deadline_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise MachineError(f"{asked}: no answer within {self._deadline_s:g} s") from None
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip()
            raise MachineError(f"{asked}: {said}")

    def close(self) -> None:
        """End the daemon, and with it what it forwards; harmless when done already."""
        self._daemon.kill()
        self._daemon.wait()
        self._ready.unlink(missing_ok=True)
        (self._folder / self._socket).unlink(missing_ok=True)
