"""What a submission's process takes away from itself before it runs the submission.

- Resource limits: processor time, memory, no bytes into files, no further processes.
- On Linux a seccomp filter: system calls that open a network, start a process or thread, send a signal, or change or
  create a file fail with EPERM. It cannot be taken off again, and needs no privileges.
- On Linux with Landlock: only Python, its packages and the folder it runs in can be read. Glassnet cannot: it has the
  right pages. Since Linux 6.12 Landlock keeps signals inside the process, too.
- On Linux the process ends with the one that started it.
- Elsewhere Python's audit hooks refuse the same. They stop accidents, not somebody who means harm.
"""

import ctypes
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

__all__ = ["confine"]

CPU_SECONDS = 100
MEMORY = 2 << 30  # bytes of addresses

# Numbers of system calls: on x86-64, on ARM64 (-1: there is none). https://docs.kernel.org/userspace-api/seccomp_filter.html
_CALLS = {
    # network, and what gets around this filter
    "socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203), "bind": (49, 200), "listen": (50, 201),
    "io_uring_setup": (425, 425), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
    # processes and threads
    "clone": (56, 220), "clone3": (435, 435), "fork": (57, -1), "vfork": (58, -1), "execve": (59, 221),
    "execveat": (322, 281), "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "process_madvise": (440, 440), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438), "unshare": (272, 97),
    "setns": (308, 268), "prlimit64": (302, 261), "setrlimit": (160, 164), "setpriority": (141, 140),
    "ioprio_set": (251, 30), "sched_setaffinity": (203, 122), "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118), "sched_setattr": (314, 274), "migrate_pages": (256, 238), "move_pages": (279, 239),
    # signals
    "kill": (62, 129), "tkill": (200, 130), "tgkill": (234, 131), "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240), "pidfd_send_signal": (424, 424),
    # files
    "creat": (85, -1), "openat2": (437, 437), "unlink": (87, -1), "unlinkat": (263, 35), "rename": (82, -1),
    "renameat": (264, 38), "renameat2": (316, 276), "rmdir": (84, -1), "mkdir": (83, -1), "mkdirat": (258, 34),
    "truncate": (76, 45), "ftruncate": (77, 46), "fallocate": (285, 47), "chmod": (90, -1), "fchmod": (91, 52),
    "fchmodat": (268, 53), "fchmodat2": (452, 452), "chown": (92, -1), "fchown": (93, 55), "lchown": (94, -1),
    "fchownat": (260, 54), "link": (86, -1), "linkat": (265, 37), "symlink": (88, -1), "symlinkat": (266, 36),
    "mknod": (133, -1), "mknodat": (259, 33), "utime": (132, -1), "utimes": (235, -1), "futimesat": (261, -1),
    "utimensat": (280, 88), "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7),
    "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "mount": (165, 40),
    "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "open_tree": (428, 428), "move_mount": (429, 429),
    "mount_setattr": (442, 442), "fsopen": (430, 430), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142),
    # memory, queues and locks that are shared with other processes, and outlast this one
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193),
    "semtimedop": (220, 192), "semctl": (66, 191), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
    "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181), "flock": (73, 32),
    # changes of the machine, for one who is root
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170), "clock_settime": (227, 112),
    "adjtimex": (159, 171), "clock_adjtime": (305, 266), "acct": (163, 89), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104), "quotactl": (179, 60),
    "syslog": (103, 116), "iopl": (172, -1), "ioperm": (173, -1), "vhangup": (153, 58),
}  # fmt: skip
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, name of the architecture there
_CHANGING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _GIVE = 0x20, 0x15, 0x35, 0x45, 0x06  # operations of BPF
# Calls that are refused with certain arguments: their numbers, which argument, how it is compared, and with what.
_ARGUMENTS = {
    "open": ((2, -1), 1, _ANY_BIT, (_CHANGING,)),
    "openat": ((257, 56), 2, _ANY_BIT, (_CHANGING,)),
    # F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETLEASE, F_NOTIFY: the kernel would send signals in this process's place
    "fcntl": ((72, 25), 1, _EQUAL, (8, 10, 15, 1024, 1026)),
    "ioctl": ((16, 29), 1, _EQUAL, (0x8901, 0x8902)),  # FIOSETOWN, SIOCSPGRP: the same
    "prctl": ((157, 167), 0, _EQUAL, (1,)),  # PR_SET_PDEATHSIG: it could outlive glassnet
}
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # the latter: errno 1, EPERM
_FILES, _FOLDERS = 1 << 2, 1 << 3  # Landlock's rights to read them


def confine() -> list[str]:
    """Confine this process for good; return a line for each thing that could not be taken from it here."""
    missing = _limit_resources()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    if sys.platform == "linux" and _filter_calls():
        if not _limit_reading():
            missing.append("reading of files (the kernel has no Landlock)")
    else:
        sys.addaudithook(_refuse)
        missing.append("files, processes and network against deliberate attacks (only Linux on x86-64 or ARM64 can)")
    return missing


def _limit_resources() -> list[str]:
    missing = []
    limits = {"CPU": CPU_SECONDS, "AS": MEMORY, "FSIZE": 0, "CORE": 0, "NPROC": 0}
    for name, limit in limits.items():
        try:
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (limit, limit))
        except (OSError, ValueError, AttributeError):
            missing.append({"CPU": "processor time", "AS": "memory"}.get(name, f"RLIMIT_{name}"))
    if sys.platform == "darwin" and "memory" not in missing:
        missing.append("memory (macOS does not keep the limit)")
    return missing


def _filter_calls() -> bool:
    """Install the seccomp filter; return whether this processor has one here."""
    if platform.machine() not in _MACHINES or sys.maxsize < 1 << 32:
        return False
    column, machine = _MACHINES[platform.machine()]
    refuse = (_GIVE, 0, 0, _REFUSE)
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, machine), refuse, (_LOAD, 0, 0, 0)]
    program += [(_AT_LEAST, 0, 1, 0x40000000), refuse]  # x32: other numbers for the same calls
    for numbers, argument, compare, values in _ARGUMENTS.values():
        if numbers[column] >= 0:
            tests = [line for value in values for line in ((compare, 0, 1, value), refuse)]
            tests = [(_LOAD, 0, 0, 16 + 8 * argument), *tests, (_GIVE, 0, 0, _ALLOW)]
            program += [(_EQUAL, 0, len(tests), numbers[column]), *tests]
    for numbers in _CALLS.values():
        if numbers[column] >= 0:
            program += [(_EQUAL, 0, 1, numbers[column]), refuse]
    program.append((_GIVE, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    libc = ctypes.CDLL(None)
    no_new_privileges, set_seccomp, filtering = 38, 22, 2
    return bool(
        libc.prctl(no_new_privileges, 1, 0, 0, 0) == 0
        and libc.prctl(set_seccomp, filtering, ctypes.byref(header), 0, 0) == 0
    )


def _limit_reading() -> bool:
    """Let only what `_readable` yields be read; return whether Landlock is there."""
    libc = ctypes.CDLL(None)
    libc.syscall.restype = ctypes.c_long
    create, add, restrict = 444, 445, 446
    version = libc.syscall(create, None, ctypes.c_size_t(0), 1)
    own_signals = 2 if version >= 6 else 0  # none to processes outside
    handled = (ctypes.c_uint64 * 3)(_FILES | _FOLDERS, 0, own_signals)
    rules = libc.syscall(create, ctypes.byref(handled), ctypes.c_size_t(24 if own_signals else 8), 0)
    if rules < 0:
        return False
    for place, allowed in _readable():
        with suppress(OSError):
            descriptor = os.open(place, getattr(os, "O_PATH", 0) | os.O_CLOEXEC)
            rule = ctypes.create_string_buffer(struct.pack("<Qi", allowed, descriptor))
            libc.syscall(add, rules, 1, ctypes.byref(rule), 0)
            os.close(descriptor)
    restricted = libc.syscall(restrict, rules, 0) == 0
    os.close(rules)
    return bool(restricted)


def _readable() -> Iterator[tuple[str, int]]:
    """Yield the files and folders that may be read, each with what of it: Python's, the system's, the one at hand."""
    places = {sys.prefix, sys.base_prefix, sys.exec_prefix, *sys.path, "/usr", "/lib", "/lib64", "/etc/ld.so.cache"}
    glassnet = {os.path.join(path, "glassnet") for path in sys.path}  # noqa: PTH118  # nothing more is imported here
    glassnet.add(os.path.join(__file__, *[os.pardir] * 2))  # noqa: PTH118
    secret = {os.path.realpath(path) for path in glassnet}
    for place in {os.path.realpath(place) for place in (*places, os.curdir)}:
        yield from _without(place, secret)


def _without(place: str, secret: set[str]) -> Iterator[tuple[str, int]]:
    """Yield the parts of a place that have none of the secret folders in them; of what is above these, the names."""
    if place in secret:
        return
    if not any(folder.startswith(place.rstrip("/") + "/") for folder in secret):
        yield place, _FILES | _FOLDERS if os.path.isdir(place) else _FILES  # noqa: PTH112
        return
    yield place, _FOLDERS
    with suppress(OSError), os.scandir(place) as entries:
        for path in [entry.path for entry in entries if not entry.is_symlink()]:
            yield from _without(path, secret)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    """Python's audit hook: raise where a submission is about to do what it may not."""
    kind = event.partition(".")[0]
    changes = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & _CHANGING)
    harmless = event in ("os.listdir", "os.scandir", "os.walk", "os.putenv", "os.unsetenv", "os.chdir", "os.fwalk")
    if changes or (kind in ("os", "shutil", "socket", "subprocess", "ctypes", "signal", "_winapi") and not harmless):
        raise PermissionError(f"a submission may not do this ({event})")
