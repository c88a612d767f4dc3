"""What a child gives up before it meets a file that somebody sent."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import landlock

import mediafleet_core
import mediafleet_workers
from mediafleet_workers.sandbox import linux
from mediafleet_workers.sandbox.messages import Limits

_NO_SECCOMP = ""
try:
    import pyseccomp
except RuntimeError as error:  # the system has no libseccomp.so.2
    _NO_SECCOMP = str(error)

_CLONE_THREAD = 0x00010000

# Everything that reaches beyond the process: network, other programs and processes, kernel surfaces no decoder needs.
_DENIED_CALLS = """
    accept accept4 add_key bind bpf connect execve execveat fanotify_init fork io_uring_setup keyctl listen mount
    move_mount name_to_handle_at open_by_handle_at open_tree perf_event_open personality pidfd_getfd
    pidfd_send_signal pivot_root process_vm_readv process_vm_writev ptrace request_key rt_sigqueueinfo
    rt_tgsigqueueinfo sendmsg sendto setns setpgid setrlimit setsid socket socketpair tkill umount2 unshare
    userfaultfd vfork
""".split()  # noqa: SIM905 - forty names read better so

_SYSTEM_FILES = (
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/lib",
    "/usr/share/zoneinfo",
    "/dev/urandom",
)


def confine(folder: Path, limits: Limits) -> list[str]:
    """Lock this process into `folder` and `limits`, for good; returns what this system could not do, in words."""
    _take_limits(limits)
    Path("/proc/self/oom_score_adj").write_text("1000")  # if memory runs out, the kernel takes this process first
    lacking = list(_attempt("Landlock", lambda: _restrict_files(folder)))
    lacking += _attempt("dropping capabilities", linux.drop_capabilities)
    lacking += _attempt("seccomp", _restrict_calls)
    return lacking


def _attempt(name: str, lock: Callable[[], None]) -> Iterator[str]:
    try:
        lock()
    except (OSError, landlock.LandlockError, RuntimeError) as error:
        yield f"{name} ({error})"


def _take_limits(limits: Limits) -> None:
    mapped_now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    for which, most, grace in (
        (resource.RLIMIT_AS, mapped_now + limits.memory, 0),
        (resource.RLIMIT_CPU, limits.cpu, 1),  # SIGXCPU first, which says why; SIGKILL a second later
        (resource.RLIMIT_FSIZE, limits.file_size, 0),
        (resource.RLIMIT_NOFILE, limits.open_files, 0),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        ceiling = resource.getrlimit(which)[1]
        soft, hard = (
            value if ceiling == resource.RLIM_INFINITY else min(value, ceiling) for value in (most, most + grace)
        )
        resource.setrlimit(which, (soft, hard))


def _restrict_files(folder: Path) -> None:
    # No right to make links: what the child leaves behind are files of its own.
    write = (
        landlock.FSAccess.READ_FILE
        | landlock.FSAccess.WRITE_FILE
        | landlock.FSAccess.READ_DIR
        | landlock.FSAccess.MAKE_REG
        | landlock.FSAccess.MAKE_DIR
        | landlock.FSAccess.REMOVE_FILE
        | landlock.FSAccess.REMOVE_DIR
        | (landlock.FSAccess.all() & landlock.FSAccess.TRUNCATE)  # type: ignore[no-untyped-call]
    )
    ctypes.set_errno(0)  # landlock takes a stale error number for its own
    rules = landlock.Ruleset()
    rules.allow(folder, rules=write)
    for path in _readable():
        read = landlock.FSAccess.READ_FILE
        rules.allow(path, rules=read | landlock.FSAccess.READ_DIR if path.is_dir() else read)
    rules.apply()  # type: ignore[no-untyped-call]


def _readable() -> set[Path]:
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    own = [*mediafleet_core.__path__, *mediafleet_workers.__path__]
    return {path for path in map(Path, [*installed, *own, *_SYSTEM_FILES]) if path.exists()}


def _restrict_calls() -> None:
    if _NO_SECCOMP:
        raise RuntimeError(_NO_SECCOMP)
    rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    refuse = pyseccomp.ERRNO(errno.EPERM)
    for call in _DENIED_CALLS:
        rules.add_rule(refuse, call)
    # Threads yes, processes no. clone3 hides its flags from a filter; without it the C library falls back to clone.
    rules.add_rule(refuse, "clone", pyseccomp.Arg(0, pyseccomp.MASKED_EQ, _CLONE_THREAD, 0))
    rules.add_rule(pyseccomp.ERRNO(errno.ENOSYS), "clone3")
    for call in ("kill", "tgkill"):  # abort() signals its own process
        rules.add_rule(refuse, call, pyseccomp.Arg(0, pyseccomp.NE, os.getpid()))
    rules.add_rule(refuse, "prlimit64", pyseccomp.Arg(2, pyseccomp.NE, 0))
    rules.load()
