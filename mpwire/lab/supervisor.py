"""Stand between a caller and its lab, so that no death of either leaves anything behind.

Started as ``python -I -S supervisor.py ORDER``: standard library only, one thread, few imports,
because the kernel refuses a user namespace to a process with threads and because this file is
all that runs between "the caller wants a lab" and "the lab cannot outlive the caller".

Three processes, each of which may be killed at any instruction::

    caller          any program: a shell command, pytest, a notebook
    `- supervisor   in the caller's PID namespace; owns the new user, mount and net namespaces
       `- init      PID 1 of the new PID namespace; mounts /proc, starts the lab, reaps
          `- lab    the module the caller named, and below it the agents

- The caller dies: the supervisor and init each hold a pidfd of it and see it end.
- The supervisor dies: the kernel sends init the signal that it asked for (PDEATHSIG), and init
  holds a pidfd of the supervisor for the time before it had asked.
- Init dies: the kernel kills everything in its PID namespace; the supervisor sees it end.
- Whatever held the namespaces is then gone, and with it every interface, address and mount,
  because nothing here has a name outside: no file, no bind mount, no named namespace.

Init does not become the lab but starts it, so that a lab that hangs cannot stop the watch, that
an `exec` cannot lose the death signal, and that orphans of agents are reaped.

Standard input (the specification for the lab), output (its progress lines) and error go through
to the lab untouched. A refusal by the kernel is one line on standard output,
``{"refused": "unshare", "errno": 1}``, and exit status 4.
"""

import ctypes
import errno
import json
import os
import select
import signal
import sys
from pathlib import Path

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x4_0000
PR_SET_PDEATHSIG = 1

EXIT_MACHINE_LACKS = 4
FORWARDED = (signal.SIGINT, signal.SIGTERM)

_libc = ctypes.CDLL(None, use_errno=True)


class Refused(Exception):  # noqa: N818 - it names what the kernel did, and never leaves this file
    """Name the step that the kernel refused."""

    def __init__(self, step: str, number: int) -> None:
        """Keep the step and its errno."""
        super().__init__(step, number)
        self.step = step
        self.number = number


def _call(step: str, result: int) -> None:
    if result != 0:
        raise Refused(step, ctypes.get_errno())


def open_caller(pid: int) -> int:
    """Open a pidfd of the caller, or exit when it is dead already.

    The caller's number might belong to a stranger by now: it is ours only while it is still our
    parent after the pidfd was opened.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        sys.exit(1)
    if os.getppid() != pid:
        sys.exit(1)
    return descriptor


def identity_map(parent_map: str) -> str:
    """Map every id of the parent namespace to itself.

    Layout: lines of "inside outside count", as in /proc/PID/uid_map.
    """
    ranges = [line.split() for line in parent_map.splitlines()]
    return "".join(f"{inside} {inside} {count}\n" for inside, _outside, count in ranges)


def _fork_mapper() -> tuple[int, int]:
    """Fork the helper that maps all ids for root once it reads an octet; return (its pid, pipe).

    Only a process with privilege outside can map more than one id. Root needs them all: a run
    folder may lie in a home directory that belongs to somebody else.
    """
    supervisor = os.getpid()
    reading, writing = os.pipe()
    helper = os.fork()
    if helper != 0:
        os.close(reading)
        return helper, writing
    status = 1
    try:
        os.close(writing)
        if os.read(reading, 1):  # end of file: the supervisor is dead
            for kind in ("uid_map", "gid_map"):
                text = identity_map(Path(f"/proc/self/{kind}").read_text("ascii"))
                Path(f"/proc/{supervisor}/{kind}").write_text(text, "ascii")
            status = 0
    finally:
        os._exit(status)


def _map_one(uid: int, gid: int) -> None:
    try:
        Path("/proc/self/setgroups").write_text("deny", "ascii")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1\n", "ascii")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1\n", "ascii")
    except OSError as error:
        raise Refused("map", error.errno or errno.EPERM) from error


def enter_namespaces() -> None:
    """Leave the caller's user, mount, net and (for children) PID namespaces.

    Raises: Refused. Root goes on without a user namespace where there are none to be had.
    """
    uid, gid = os.geteuid(), os.getegid()
    mapper = _fork_mapper() if uid == 0 else None
    flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET
    own_user = True
    try:
        _call("unshare", _libc.unshare(CLONE_NEWUSER | flags))
    except Refused:
        if uid != 0 or _libc.unshare(flags) != 0:
            raise
        own_user = False
    if mapper is not None:
        helper, pipe = mapper
        if own_user:
            os.write(pipe, b"!")
        os.close(pipe)
        mapped = os.waitpid(helper, 0)[1] == 0
        if mapped or not own_user:
            return
    _map_one(uid, gid)


def _mount_privately() -> None:
    _call("mount", _libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
    # Refused where the machine itself hides parts of /proc (some containers). Then the outer
    # /proc stays, which still answers correctly for everything the lab reads in it.
    _libc.mount(b"proc", b"/proc", b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)


def exit_status(wait_status: int) -> int:
    """Turn a wait status into what a shell would report."""
    code = os.waitstatus_to_exitcode(wait_status)
    return 128 - code if code < 0 else code


def refuse(refused: Refused) -> int:
    """Report what the kernel refused and return the exit status for it."""
    line = json.dumps({"refused": refused.step, "errno": refused.number})
    os.write(1, line.encode() + b"\n")
    return EXIT_MACHINE_LACKS


def _forward_to(child: int) -> None:
    def forward(number: int, _frame: object) -> None:
        os.kill(child, number)

    for number in FORWARDED:
        signal.signal(number, forward)


def _wait_for_any(descriptors: list[int]) -> set[int]:
    """Sleep until one of the pidfds tells of a death."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return {descriptor for descriptor, _ in poll.poll()}


def be_init(command: list[str], caller: int, supervisor: int) -> None:
    """Be PID 1: tie this life to both parents, start the lab, reap, end as the lab ends."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # From here on the kernel watches the supervisor; before, only this pidfd does.
    poll = select.poll()
    poll.register(supervisor, select.POLLIN)
    if poll.poll(0):
        os._exit(1)
    try:
        _mount_privately()
    except Refused as refused:
        os._exit(refuse(refused))
    lab = os.fork()
    if lab == 0:
        for number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        # An interrupt waits until the lab can answer it in order: the lab unblocks it itself.
        signal.pthread_sigmask(signal.SIG_SETMASK, [signal.SIGINT])
        os.execv(command[0], command)  # noqa: S606 - the caller's own interpreter

    def reap(_number: int, _frame: object) -> None:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == lab:
                os._exit(exit_status(status))
            if pid == 0:
                return

    signal.signal(signal.SIGCHLD, reap)
    _forward_to(lab)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    _wait_for_any([caller, supervisor])
    os._exit(1)


def supervise(command: list[str], caller: int) -> int:
    """Start init in its namespaces and watch it and the caller; return the exit status."""
    try:
        enter_namespaces()
    except Refused as refused:
        return refuse(refused)
    myself = os.pidfd_open(os.getpid())
    init = os.fork()
    if init == 0:
        try:
            be_init(command, caller, myself)
        finally:
            os._exit(1)
    _forward_to(init)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    ending = os.pidfd_open(init)
    if caller in _wait_for_any([caller, ending]):
        signal.pidfd_send_signal(ending, signal.SIGKILL)
    return exit_status(os.waitpid(init, 0)[1])


def main() -> int:
    """Obey the order in the first argument.

    Layout: {"caller": pid, "command": [interpreter, argument, ...]}
    """
    # Nothing that the caller left inheritable may keep its pipes or locks open from in here.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    # Whoever interrupts early must not be answered by a traceback: deliver when there is a lab.
    signal.pthread_sigmask(signal.SIG_BLOCK, [*FORWARDED, signal.SIGCHLD])
    order = json.loads(sys.argv[1])
    return supervise(order["command"], open_caller(order["caller"]))


if __name__ == "__main__":
    sys.exit(main())
