"""Runs a program behind a system-call filter, as a stranger's plan must be judged.

usage: fence.py PROGRAM [ARGUMENT …]

The kernel kills the program (SIGSYS) when it tries to start another one, to open a socket, to
open a file for writing, to make, rename, remove or change one, or to write to anything but its
standard output and error. Reading and threads stay allowed. x86-64 and 64-bit ARM.
"""

import ctypes
import os
import platform
import struct
import sys

KILL, ALLOW = 0x80000000, 0x7FFF0000
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

# number of each call: (x86-64, 64-bit ARM); None where the machine does not have it
CALLS = {
    "execve": (59, 221), "execveat": (322, 281),
    "socket": (41, 198), "connect": (42, 203), "bind": (49, 200), "socketpair": (53, 199),
    "sendto": (44, 206), "sendmsg": (46, 211),
    "write": (1, 64), "writev": (20, 66), "pwrite64": (18, 68), "pwritev": (296, 70),
    "open": (2, None), "openat": (257, 56), "openat2": (437, 437), "creat": (85, None),
    "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "unlink": (87, None), "unlinkat": (263, 35), "rmdir": (84, None),
    "mkdir": (83, None), "mkdirat": (258, 34), "mknod": (133, None), "mknodat": (259, 33),
    "link": (86, None), "linkat": (265, 37), "symlink": (88, None), "symlinkat": (266, 36),
    "truncate": (76, 45), "ftruncate": (77, 46), "fallocate": (285, 47),
    "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53),
    "chown": (92, None), "fchown": (93, 55), "fchownat": (260, 54), "utimensat": (280, 88),
    "sendfile": (40, 71), "copy_file_range": (326, 285), "splice": (275, 76),
    "kill": (62, 129), "ptrace": (101, 117), "mount": (165, 40), "io_uring_setup": (425, 425),
}
WRITES = {"write", "writev", "pwrite64", "pwritev"}
FLAGS_AT = {"open": 1, "openat": 2}
MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}


def step(code, yes, no, value):
    """One instruction of the filter."""
    return struct.pack("HBBI", code, yes, no, value)


def argument(index, high=False):
    """Loads half of an argument of the call."""
    return step(LOAD, 0, 0, 16 + 8 * index + (4 if high else 0))


def rule(name, number, own):
    """What is done when the call has this number; falls through when it has another."""
    verdict = [step(RETURN, 0, 0, KILL)]
    if name == "execve":
        # the one start that is allowed is that of the program: its path lies at this address
        low, high = own & 0xFFFFFFFF, own >> 32
        verdict = [argument(0), step(EQUAL, 0, 3, low), argument(0, True), step(EQUAL, 0, 1, high),
                   step(RETURN, 0, 0, ALLOW), step(RETURN, 0, 0, KILL)]
    elif name in WRITES:
        verdict = [argument(0), step(EQUAL, 1, 0, 1), step(EQUAL, 0, 1, 2),
                   step(RETURN, 0, 0, ALLOW), step(RETURN, 0, 0, KILL)]
    elif name in FLAGS_AT:
        verdict = [argument(FLAGS_AT[name]), step(ANY_BIT, 0, 1, WRITE_FLAGS),
                   step(RETURN, 0, 0, KILL), step(RETURN, 0, 0, ALLOW)]
    return [step(LOAD, 0, 0, 0), step(EQUAL, 0, len(verdict), number)] + verdict


def program(own):
    """The whole filter."""
    column, architecture = MACHINES[platform.machine()]
    code = [step(LOAD, 0, 0, 4), step(EQUAL, 1, 0, architecture), step(RETURN, 0, 0, KILL)]
    for name, numbers in CALLS.items():
        if numbers[column] is not None:
            code += rule(name, numbers[column], own)
    return code + [step(RETURN, 0, 0, ALLOW)]


class Filter(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def main():
    """Puts up the fence and becomes the program."""
    libc = ctypes.CDLL(None, use_errno=True)
    path = ctypes.create_string_buffer(os.fsencode(sys.argv[1]))
    words = [os.fsencode(word) for word in sys.argv[1:]]
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    environment = [b"PATH=/usr/bin:/bin", b"LC_ALL=C.UTF-8"]
    envp = (ctypes.c_char_p * (len(environment) + 1))(*environment, None)
    code = program(ctypes.addressof(path))
    text = ctypes.create_string_buffer(b"".join(code))
    fence = Filter(len(code), ctypes.addressof(text))
    no_new_privileges, set_filter, filter_mode = 38, 22, 2
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        sys.exit("the kernel refuses no_new_privs")
    if libc.prctl(set_filter, filter_mode, ctypes.byref(fence), 0, 0) != 0:
        sys.exit(f"the kernel refuses the filter: {os.strerror(ctypes.get_errno())}")
    libc.execve(path, argv, envp)
    sys.exit(f"cannot start {sys.argv[1]}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    main()
