"""The guard on Windows; arguments, record and stdin as ``guard.py``.

Its job makes Windows end the whole tree with it. Tried with CPython under Wine.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import threading
import time
from typing import Any

JOB_OBJECT_EXTENDED_LIMIT_INFORMATION = 9
JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE = 0x2000
NO_WINDOW: int = getattr(subprocess, "CREATE_NO_WINDOW", 0)
PART = ".part"
SECONDS = 2.0  # seconds that another program may hold the record

sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(os.path.abspath(__file__))]


class BasicLimits(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = [
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", ctypes.c_uint32),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", ctypes.c_uint32),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", ctypes.c_uint32),
        ("SchedulingClass", ctypes.c_uint32),
    ]


class ExtendedLimits(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = [
        ("BasicLimitInformation", BasicLimits),
        ("IoInfo", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    ]


def enter_job() -> Any:
    """Join a new job; ``None`` if Windows refuses."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.CreateJobObjectW.restype = ctypes.c_void_p
    kernel.CreateJobObjectW.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p]
    kernel.SetInformationJobObject.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32]
    kernel.AssignProcessToJobObject.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    job, limits = kernel.CreateJobObjectW(None, None), ExtendedLimits()
    limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
    kind, size = JOB_OBJECT_EXTENDED_LIMIT_INFORMATION, ctypes.sizeof(limits)
    if not job or not kernel.SetInformationJobObject(job, kind, ctypes.byref(limits), size):
        return None
    return job if kernel.AssignProcessToJobObject(job, kernel.GetCurrentProcess()) else None


def end_tree(root: subprocess.Popen[bytes]) -> None:
    """End descendants that psutil finds; the job ends the rest."""
    with contextlib.suppress(Exception):  # psutil may be missing: -E leaves PYTHONPATH out
        import psutil

        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()
    with contextlib.suppress(OSError):
        root.kill()


def stop_when_asked(root: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        os.read(0, 1)
    end_tree(root)


def record(path: str, **values: Any) -> None:
    """Replace the record, or leave the new one beside a held one."""
    try:
        with open(path + PART, "w", encoding="utf-8") as file:
            json.dump(values, file)
        replace(path + PART, path)
    except PermissionError:
        pass
    except OSError:
        with contextlib.suppress(OSError):
            os.remove(path + PART)  # noqa: PTH107


def replace(source: str, target: str) -> None:
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(PermissionError):
            os.replace(source, target)
            return
        time.sleep(0.01)
    os.replace(source, target)


def main() -> int:
    target, *command = sys.argv[1:]
    job = None
    with contextlib.suppress(Exception):
        job = enter_job()
    try:
        root = subprocess.Popen(command, stdin=subprocess.DEVNULL, creationflags=NO_WINDOW)
    except (OSError, ValueError) as error:
        print(f"cannot start {command[0]}: {error}", file=sys.stderr, flush=True)
        record(target, returncode=127)
        return 127
    about = {"pid": root.pid, "guard": os.getpid(), "started": time.time(), "job": job is not None}
    record(target, **about)
    threading.Thread(target=stop_when_asked, args=(root,), daemon=True).start()
    code = root.wait()
    end_tree(root)
    record(target, **about, returncode=code)
    return code


if __name__ == "__main__":
    os._exit(ctypes.c_int(main()).value)  # the waiting thread is blocked on stdin; 0xC0000005 is too large as it is
