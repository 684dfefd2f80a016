"""Isolation: what a forked observer gives up before a submission's code runs in it.

The sandbox keeps the machine away from all observers (`sandbox.py`); this keeps them away from each other and from the
process that they were forked from. Each has its own processes, its own places to write in, and no right to change that.
"""

import ctypes
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable

from .seccomp import start_nothing

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PROCESSES = 0x00020000, 0x08000000, 0x10000000, 0x20000000
NO_SET_USER, NO_DEVICES, READ_ONLY, RECURSIVE, PRIVATE = 0x2, 0x4, 0x1, 0x4000, 0x40000
END_WITH_PARENT = 1
CAPABILITIES = 0x20080522  # the version of the call's structures

DISK = 256 * 2**20  # bytes in memory, in each of the places to write in
MEMORY = 6 * 2**30  # bytes
FILE_SIZE = 64 * 2**20  # bytes
FILES = 256


def guard(leash: int, places: tuple[str, ...], observe: Callable[[], None]) -> None:
    """Run an observer in a process of its own until the other end of the leash is let go; then end it. Never returns.

    places: where it may write, and last where it starts; without any it is not isolated, and starts in a new folder.

    Raises: OSError where the system does not allow it.
    """
    folder = "" if places else tempfile.mkdtemp()
    if places:
        leave_the_others()
    observer = os.fork()
    if observer == 0:
        os.close(leash)
        os.setsid()  # a signal to its group reaches nobody else
        if sys.platform == "linux":
            LIBC.prctl(END_WITH_PARENT, signal.SIGKILL)
        if places:
            own(places)
        os.chdir(places[-1] if places else folder)
        limit()
        start_nothing()
        observe()
        os._exit(0)
    os.closerange(0, leash)
    os.closerange(leash + 1, FILES)
    os.read(leash, 1)
    os.kill(observer, signal.SIGKILL)
    os.waitpid(observer, 0)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def leave_the_others() -> None:
    """From the next fork on, processes see none of those that were there before, and mounts are their own."""
    user, group = os.getuid(), os.getgid()
    require(LIBC.unshare(NEW_USER | NEW_MOUNTS | NEW_IPC | NEW_PROCESSES))
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with open(f"/proc/self/{file}", "w") as said:
            said.write(text)
    require(LIBC.mount(b"none", b"/", None, RECURSIVE | PRIVATE, None))


def own(places: tuple[str, ...]) -> None:
    """Have these places empty and alone, see nothing of /proc, and give up every right that came with the new mounts."""
    for place in places:
        require(LIBC.mount(b"tmpfs", place.encode(), b"tmpfs", NO_SET_USER | NO_DEVICES, f"size={DISK}".encode()))
    require(LIBC.mount(b"tmpfs", b"/proc", b"tmpfs", NO_SET_USER | NO_DEVICES | READ_ONLY, b"size=4k"))
    require(LIBC.capset((ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()))


def limit() -> None:
    """Limits of this process that a submission cannot lift."""
    for what, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, FILE_SIZE),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def require(failed: int) -> None:
    if failed:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
