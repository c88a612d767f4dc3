"""A worker plugin that takes from the sandbox what old kernels lack: Landlock, and filters of system calls."""

from __future__ import annotations

import errno

import pyseccomp

_PR_SET_SECCOMP = 22

_rules = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
_unknown = pyseccomp.ERRNO(errno.ENOSYS)
for _call in ("landlock_create_ruleset", "seccomp"):
    _rules.add_rule(_unknown, _call)
_rules.add_rule(pyseccomp.ERRNO(errno.EINVAL), "prctl", pyseccomp.Arg(0, pyseccomp.EQ, _PR_SET_SECCOMP))
_rules.load()
