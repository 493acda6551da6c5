"""Network namespaces without names, held by descriptor.

A namespace lives as long as a process, a socket or a descriptor refers to it, so one that never
had a name in a file system is gone when its owner is, however it died. `setns` moves the calling
thread only: everything here is for the lab's one thread.
"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x4000_0000

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _open_current() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class NetworkNamespace:
    """Hold one network namespace; closing it lets the kernel remove it."""

    def __init__(self, descriptor: int) -> None:
        """Take over the descriptor."""
        self.descriptor = descriptor

    @classmethod
    def current(cls) -> "NetworkNamespace":
        """Hold the namespace that the thread is in."""
        return cls(_open_current())

    @classmethod
    def create(cls) -> "NetworkNamespace":
        """Make a new namespace and come back from it."""
        with cls.created() as namespace:
            return namespace

    @classmethod
    @contextmanager
    def created(cls) -> Iterator["NetworkNamespace"]:
        """Make a new namespace and be in it for the length of a block, which it outlives.

        When the block fails, nobody may hold it yet: then it is closed.
        """
        home = cls.current()
        try:
            _check(_libc.unshare(CLONE_NEWNET), "new network namespace")
            try:
                namespace = cls.current()
                try:
                    yield namespace
                except BaseException:
                    namespace.close()
                    raise
            finally:
                home.enter()
        finally:
            home.close()

    def enter(self) -> None:
        """Move the thread into this namespace."""
        _check(_libc.setns(self.descriptor, CLONE_NEWNET), "enter network namespace")

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be in this namespace for the length of a block; sockets opened there stay there."""
        home = self.current()
        try:
            self.enter()
            try:
                yield
            finally:
                home.enter()
        finally:
            home.close()

    def close(self) -> None:
        """Let go of the namespace; harmless when done already."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
