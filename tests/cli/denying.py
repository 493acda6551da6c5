"""Run a program to which the kernel denies one system call, as a security module does.

Arguments: name of the system call, number of the error, then the program and its arguments. The
filter is a seccomp program: it compares the number of each call, and stays for all descendants.
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF_0000, 0x0005_0000
CALLS = {
    "x86_64": {"unshare": 272, "mount": 165},
    "aarch64": {"unshare": 97, "mount": 40},
}
UNKNOWN = 77
"""Exit status on a processor whose numbers are not here."""


def deny(number: int, error: int) -> None:
    """Let a system call fail from now on."""
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (LOAD_WORD, 0, 0, 0),  # the number of the call
            (JUMP_IF_EQUAL, 0, 1, number),
            (RETURN, 0, 0, ERRNO | error),
            (RETURN, 0, 0, ALLOW),
        )
    )
    held = ctypes.create_string_buffer(program, len(program))
    wanted = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    done |= libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, wanted, 0, 0)
    if done != 0:
        raise OSError(ctypes.get_errno(), "no seccomp filter")


if __name__ == "__main__":
    call, error, *command = sys.argv[1:]
    numbers = CALLS.get(platform.machine())
    if numbers is None:
        sys.exit(UNKNOWN)
    deny(numbers[call], int(error))
    os.execvp(command[0], command)  # noqa: S606 - it is to replace us
