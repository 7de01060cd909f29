"""Starts `pynats` processes for the tests: each is forked from this one, which has imported the modules that are named
on its command line, prepared as each run is. What follows is as after `python -m natscli`. tests/starting.py runs it.

This file imports nothing that Python does not have before it runs a module with `-m`: all else is imported by what
needs it.
"""

from __future__ import annotations

import _socket  # the module around it is for the program to import
import importlib
import marshal
import os
import runpy
import sys
import time


def main() -> None:
    """Serve requests on the socket whose number is the first argument; returns in each process that is forked."""
    control = _socket.socket(fileno=int(sys.argv[1]))
    importlib.import_module("natscli.__main__").prepare()
    del sys.modules["natscli.__main__"]  # it is run once more
    for name in sys.argv[2:]:
        importlib.import_module(name)
    while True:
        request, descriptors = receive(control)
        answer, told = os.pipe()
        between = os.fork()
        if not between:
            pid = os.fork()
            if not pid:
                for descriptor in (control.detach(), answer, told):
                    os.close(descriptor)
                become(request, descriptors)
                return
            os.write(told, b"%d" % pid)
            os._exit(0)
        os.waitpid(between, 0)  # from now on the tests are its parent: they are a subreaper, see prctl(2)
        control.sendall(os.read(answer, 20).ljust(20))
        for descriptor in (answer, told, *descriptors):
            os.close(descriptor)


def receive(control: _socket.socket) -> tuple[bytes, list[int]]:
    """A request, and the descriptors that are to be 0, 1 and 2. The end of requests ends this process."""
    size, messages, _, _ = control.recvmsg(8, _socket.CMSG_SPACE(3 * 4))
    if not size:
        sys.exit()
    wanted, request = int.from_bytes(size, "big"), b""
    while len(request) < wanted:
        request += control.recv(wanted - len(request))
    ((_, _, data),) = messages
    return request, [int.from_bytes(data[at : at + 4], sys.byteorder) for at in (0, 4, 8)]


def become(request: bytes, descriptors: list[int]) -> None:
    """Take over the arguments, the environment, the directory and the streams that were asked for."""
    arguments, environ, directory = marshal.loads(request)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(directory)
    os.environb.clear()
    os.environb.update(environ)
    time.tzset()
    sys.argv, sys.path[0] = ["-m", *map(os.fsdecode, arguments)], os.getcwd()
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        new = open(number, "w" if number else "r", encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
        new.reconfigure(line_buffering=new.line_buffering or number == 2)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


if __name__ == "__main__":
    main()
    runpy._run_module_as_main("natscli")  # type: ignore[attr-defined]
