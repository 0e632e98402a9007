"""Becomes a program that the kernel kills when the process that asked for it dies, even by SIGKILL.

Run as `python -I -S leash.py PARENT_PID PROGRAM [ARGUMENT...]`.  A `preexec_fn` would do the same, but running Python
between fork and exec is unsafe, and warned about, once the parent has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent, then turn into the program."""
    parent, program = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit("leash: prctl(PR_SET_PDEATHSIG) was refused")
    if os.getppid() != parent:  # it died before the line above took effect
        sys.exit("leash: the parent is gone")
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would pass that on
    os.execv(program[0], program)


if __name__ == "__main__":
    main()
