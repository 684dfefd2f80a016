"""A process that can start no other: what no limit of Linux's forbids to root, a filter of its system calls does.

Threads may be started, programs may not be called, and no other process is looked into. On Linux, on x86-64 and aarch64.
"""

import ctypes
import errno
import platform
import struct
import sys

CLONE, CLONE3 = {"x86_64": 56, "aarch64": 220}, 435
DENIED = {
    # fork vfork execve execveat ptrace process_vm_readv/writev unshare setns mount io_uring_setup bpf userfaultfd
    "x86_64": (57, 58, 59, 322, 101, 310, 311, 272, 308, 165, 425, 321, 323),
    "aarch64": (221, 281, 117, 270, 271, 97, 268, 40, 425, 280, 282),
}
"""Numbers of system calls, by machine."""
MACHINE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
THREAD = 0x00010000  # clone's flag for a thread
OTHER_TABLE = 0x40000000  # calls of x86-64's second table
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOWED, REFUSED = 0x7FFF0000, 0x00050000
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


def rules(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter as a list of instructions: what to do, how many to skip if so and if not, and its operand."""
    refused = (RETURN, 0, 0, REFUSED | errno.EPERM)
    made = [(LOAD, 0, 0, 4), (EQUAL, 1, 0, MACHINE[machine]), refused, (LOAD, 0, 0, 0), (AT_LEAST, 0, 1, OTHER_TABLE)]
    made += [refused]
    for number in DENIED[machine]:
        made += [(EQUAL, 0, 1, number), refused]
    made += [(EQUAL, 0, 1, CLONE3), (RETURN, 0, 0, REFUSED | errno.ENOSYS)]  # libc then calls clone
    made += [(EQUAL, 0, 3, CLONE[machine]), (LOAD, 0, 0, 16), (ANY_BIT, 1, 0, THREAD), refused]
    return [*made, (RETURN, 0, 0, ALLOWED)]


def start_nothing() -> bool:
    """From now on this process starts no other; False where that cannot be had."""
    machine = platform.uname().machine
    if sys.platform != "linux" or machine not in DENIED:
        return False
    program = b"".join(struct.pack("HBBI", *rule) for rule in rules(machine))
    held = ctypes.create_string_buffer(program)
    head = struct.pack("HxxxxxxP", len(rules(machine)), ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return libc.prctl(SECCOMP, FILTER, ctypes.create_string_buffer(head), 0, 0) == 0
