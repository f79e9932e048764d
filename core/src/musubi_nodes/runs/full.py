"""How programs report full memory, shared memory, disks and files.

Patterns match only the start of a line or of an exception's message, where no text
of a workflow appears.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple


class Word(NamedTuple):
    """A pattern, and the project, file or API that it comes from."""

    pattern: str
    source: str


EXCEPTION = r"(?:[A-Za-z_][\w.]*(?:Error|Exception|Failed): +)"
RUST = r"(?:[\w.]+\.)?(?:OSError|SafetensorError): "
WORKER = r"DataLoader worker \(pid\(?s?\)? [\d, ]+\)"

GPU: tuple[Word, ...] = (
    Word(r"(?:[\w.]+\.)?OutOfMemoryError\b", "PyTorch torch.OutOfMemoryError, before 2.5 torch.cuda"),
    Word(r"(?:CUDA|HIP|XPU) out of memory\b", "PyTorch c10/cuda/CUDACachingAllocator.cpp, c10/xpu"),
    Word(r"Allocation on device .{1,20} would exceed allowed memory", "PyTorch CUDAMallocAsyncAllocator.cpp"),
    Word(r"MPS backend out of memory\b", "PyTorch aten/src/ATen/mps/MPSAllocator.mm"),
    Word(r"(?:CUDA|HIP) (?:driver )?error: out of memory", "PyTorch C10_CUDA_CHECK, C10_CUDA_DRIVER_CHECK"),
    Word(r"cuda runtime error \(2\) : out of memory", "PyTorch before 1.5"),
    Word(r"(?:CUDA|HIP) error: (?:CU|HIP)(?:BLAS|SOLVER|SPARSE)_STATUS_ALLOC_FAILED", "PyTorch CUDABlas.cpp, and HIP"),
    Word(r"(?:cu\w+ error: )?CU(?:BLAS|SOLVER|SPARSE)_STATUS_ALLOC_FAILED", "cuBLAS, cuSOLVER, cuSPARSE"),
    Word(r"(?:cuFFT error: )?CUFFT_ALLOC_FAILED", "PyTorch aten/src/ATen/cuda/CUFFTUtils.h"),
    Word(r"(?:cuDNN error: )?CUDNN_STATUS_ALLOC_FAILED", "cuDNN cudnn.h"),
    Word(r"(?:cuDNN error: )?CUDNN_STATUS_INTERNAL_ERROR_\w+_ALLOCATION_FAILED", "cuDNN 9 cudnn_graph.h"),
    Word(r"Unable to find a valid cuDNN algorithm to run convolution", "PyTorch ATen/native/cudnn: no room to work"),
    Word(r"(?:miopen error: )?miopenStatusAllocFailed", "MIOpen miopen.h"),
    Word(r"CUDA_ERROR_OUT_OF_MEMORY\b", "CUDA driver API cuda.h"),
    Word(r"hipErrorOutOfMemory\b", "HIP runtime API hip_runtime_api.h"),
    Word(r"Triton Error \[CUDA\]: out of memory", "Triton third_party/nvidia/backend/driver.c"),
    Word(r"Triton Error \[HIP\]: +Code: 2, Mess+age: out of memory", "Triton third_party/amd/backend/driver.c"),
    Word(r"Error out of memory at line \d+ in file ", "bitsandbytes csrc, CUDA_CHECK_RETURN"),
    Word(r"CUDA error \(.{1,200}:\d+\): out of memory", "flash-attention csrc, CHECK_CUDA"),
    Word(r"Cuda failure (?:\d+ )?'out of memory'", "NCCL src/include/checks.h"),
)
"""Also pinned main memory, for which CUDA uses the same words."""

RAM: tuple[Word, ...] = (
    Word(
        r"(?:\[enforce fail at [\w.\\/]*alloc_cpu\.cpp:\d+\] .{0,80})?"
        r"DefaultCPUAllocator: (?:can't allocate|not enough) memory",
        "PyTorch c10/core/impl/alloc_cpu.cpp; 'not enough' on Windows",
    ),
    Word(r"(?:[\w.]+\.)?_?(?:Array)?MemoryError(?::|$)", "CPython; NumPy numpy/_core/_exceptions.py"),
    Word(r"\[Errno 12\] |Cannot allocate memory", "CPython OSError and libc, ENOMEM"),
    Word(r"\[WinError (?:8|14|1450|1453|1455)\] ", "Windows winerror.h: memory, resources, quota, paging file"),
    Word(rf"{RUST}.{{0,400}}\(os error (?:12|1450|1453|1455)\)$", "Rust std::io::Error, as safetensors shows it"),
    Word(rf"{RUST}.{{0,80}}\bOs {{ code: (?:12|1450|1453|1455),", "the same, as safetensors before 0.5 does"),
    Word(r"(?:DLL load failed while importing \w+: )?The paging file is too small", "Windows ERROR_COMMITMENT_LIMIT"),
    Word(r"Couldn't (?:open|map) .{0,20}shared file.{0,200}error code: <?1455>?", "PyTorch aten MapAllocator.cpp"),
    Word(r"unable to mmap \d+ bytes from file .{0,400}Cannot allocate memory", "PyTorch aten MapAllocator.cpp"),
    Word(r"std::bad_alloc|bad allocation", "C++ std::bad_alloc, and as Visual C++ says it"),
    Word(r"memory allocation of \d+ bytes failed", "Rust alloc::handle_alloc_error"),
    Word(rf"{WORKER} is killed by signal: Killed", "PyTorch torch/csrc/DataLoader.cpp: the system killed it"),
)
"""RAM, and the paging file of Windows."""

SHARED: tuple[Word, ...] = (
    Word(
        r"unable to (?:write to|resize|open shared memory object|allocate shared memory\(shm\) for) .{0,20}</torch_",
        "PyTorch aten MapAllocator.cpp",
    ),
    Word(rf"{WORKER} is killed by signal: Bus error", "PyTorch torch/csrc/DataLoader.cpp"),
    Word(r"ERROR: Unexpected bus error encountered in worker", "PyTorch torch/csrc/DataLoader.cpp"),
)

DISK: tuple[Word, ...] = (
    Word(r"\[Errno (?:28|69|122)\] ", "CPython OSError: ENOSPC, EDQUOT on macOS and on Linux"),
    Word(r"\[WinError (?:39|112|1295|1816)\] ", "Windows winerror.h: disk full, quota"),
    Word(rf"{RUST}.{{0,400}}\(os error (?:28|112|122)\)$", "Rust std::io::Error, as safetensors shows it"),
    Word(rf"{RUST}.{{0,80}}\bOs {{ code: (?:28|112|122),", "the same, as safetensors before 0.5 does"),
    Word(
        r"(?:Error while serializing: (?:IoError|I/O error): )?(?:No space left on device|Dis[kc] quota exceeded)",
        "libc strerror, ENOSPC and EDQUOT",
    ),
    Word(r"There is not enough space on the disk", "Windows ERROR_DISK_FULL"),
    Word(r"\[enforce fail at [\w.\\/]*inline_container\.cc:\d+\] \.", "PyTorch inline_container.cc: torch.save"),
    Word(r"PytorchStreamWriter failed writing|unexpected pos \d+ vs \d+", "PyTorch inline_container.cc: torch.save"),
    Word(r"\d+ requested and \d+ written$", "NumPy multiarray/convert.c, ndarray.tofile: a text encoder's cache"),
    Word(r"basic_ios::clear|std::__?ios_failure", "libstdc++ through torch.save"),
    Word(r"write\(\): fd \d+ failed with (?:No space|Disk quota)", "PyTorch torch/csrc/serialization.cpp"),
)

FILE: tuple[Word, ...] = (
    Word(r"\[Errno 27\] ", "CPython OSError: EFBIG"),
    Word(r"\[WinError 223\] ", "Windows winerror.h: ERROR_FILE_TOO_LARGE"),
    Word(rf"{RUST}.{{0,400}}\(os error (?:27|223)\)$", "Rust std::io::Error, as safetensors shows it"),
    Word(rf"{RUST}.{{0,80}}\bOs {{ code: (?:27|223),", "the same, as safetensors before 0.5 does"),
    Word(r"(?:write\(\): fd \d+ failed with )?File too large", "libc strerror, EFBIG; PyTorch serialization.cpp"),
)


def is_full(words: tuple[Word, ...], line: str) -> bool:
    return bool(_pattern(words).match(line))


@cache
def _pattern(words: tuple[Word, ...]) -> re.Pattern[str]:
    said = "|".join(word.pattern for word in words)
    return re.compile(rf"(?:  what\(\): +)?{EXCEPTION}*(?:{said})")
