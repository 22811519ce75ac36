"""A seccomp filter that refuses what a program has no business with: namespaces, mounts, tracing, keys, BPF."""

import errno
import platform
import struct
import sys
from typing import Any, Final

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN: Final = 0x06  # BPF_RET | BPF_K

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_REFUSE: Final = 0x00050000 | errno.EPERM
_UNKNOWN: Final = 0x00050000 | errno.ENOSYS

_NUMBER_OFFSET: Final = 0
_ARCHITECTURE_OFFSET: Final = 4
_FIRST_ARGUMENT_OFFSET: Final = 16  # its low half, on a little-endian machine

_CLONE_NAMESPACES: Final = 0x7E020000
_X32_BIT: Final = 0x40000000

# Numbers from the kernel's asm/unistd_64.h (x86_64) and asm-generic/unistd.h (aarch64).
_AUDIT: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE: Final = {"x86_64": 56, "aarch64": 220}
_CLONE3: Final = 435
_SAME_EVERYWHERE: Final = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "memfd_secret": 447,
}
# fmt: off
_REFUSED: Final[dict[str, dict[str, int]]] = {
    "x86_64": {
        "shmget": 29, "ptrace": 101, "syslog": 103, "pivot_root": 155, "chroot": 161, "acct": 163,
        "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169, "init_module": 175,
        "delete_module": 176, "quotactl": 179, "kexec_load": 246, "add_key": 248, "request_key": 249,
        "keyctl": 250, "migrate_pages": 256, "unshare": 272, "move_pages": 279, "perf_event_open": 298,
        "fanotify_init": 300, "name_to_handle_at": 303, "open_by_handle_at": 304, "setns": 308,
        "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "finit_module": 313,
        "memfd_create": 319, "kexec_file_load": 320, "bpf": 321, "userfaultfd": 323, **_SAME_EVERYWHERE,
    },
    "aarch64": {
        "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "quotactl": 60, "acct": 89,
        "unshare": 97, "kexec_load": 104, "init_module": 105, "delete_module": 106, "syslog": 116,
        "ptrace": 117, "reboot": 142, "shmget": 194, "add_key": 217, "request_key": 218, "keyctl": 219,
        "swapon": 224, "swapoff": 225, "migrate_pages": 238, "move_pages": 239, "perf_event_open": 241,
        "fanotify_init": 262, "name_to_handle_at": 264, "open_by_handle_at": 265, "setns": 268,
        "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "finit_module": 273,
        "memfd_create": 279, "bpf": 280, "userfaultfd": 282, "kexec_file_load": 294, **_SAME_EVERYWHERE,
    },
}
# fmt: on


def seccomp_filter(machine: str | None = None) -> bytes | None:
    """Return the filter as bubblewrap's ``--seccomp`` reads it.

    Args:
        machine: Machine name as in ``uname -m``; by default this one's.

    Returns:
        The compiled BPF program, or ``None`` on a machine whose system calls we have no table of.
    """
    machine = machine or platform.machine()
    if machine not in _REFUSED or sys.byteorder != "little":
        return None
    program = [
        _instruction(_LOAD, _ARCHITECTURE_OFFSET),
        *_unless(_EQUAL, _AUDIT[machine], _KILL),
        _instruction(_LOAD, _NUMBER_OFFSET),
    ]
    if machine == "x86_64":
        program += _when(_AT_LEAST, _X32_BIT, _REFUSE)
    # The C library falls back to clone, whose flags a filter can see.
    program += _when(_EQUAL, _CLONE3, _UNKNOWN)
    for number in _REFUSED[machine].values():
        program += _when(_EQUAL, number, _REFUSE)
    program += _unless(_EQUAL, _CLONE[machine], _ALLOW)
    program.append(_instruction(_LOAD, _FIRST_ARGUMENT_OFFSET))
    program += _when(_ANY_BIT, _CLONE_NAMESPACES, _REFUSE)
    program.append(_instruction(_RETURN, _ALLOW))
    return b"".join(program)


def seccomp_profile() -> dict[str, Any]:
    """Return the same refusals as a profile of container engines.

    https://docs.docker.com/engine/security/seccomp/
    """
    names = sorted({name for table in _REFUSED.values() for name in table})
    flags = [1 << bit for bit in range(_CLONE_NAMESPACES.bit_length()) if _CLONE_NAMESPACES >> bit & 1]
    refused = {"action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM}
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        # What comes by another architecture's numbers, such as x32's, is killed.
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [
            {"names": names, **refused},
            {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS},
            *(
                {
                    "names": ["clone"],
                    **refused,
                    "args": [{"index": 0, "value": flag, "valueTwo": flag, "op": "SCMP_CMP_MASKED_EQ"}],
                }
                for flag in flags
            ),
        ],
    }


def _when(test: int, value: int, answer: int) -> list[bytes]:
    return [_instruction(test, value, 0, 1), _instruction(_RETURN, answer)]


def _unless(test: int, value: int, answer: int) -> list[bytes]:
    return [_instruction(test, value, 1, 0), _instruction(_RETURN, answer)]


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)
