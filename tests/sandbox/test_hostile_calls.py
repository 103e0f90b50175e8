#!/usr/bin/env python3
"""Every system call, made by a worker that is confined as all are and has left Lua: those that are not on the list end it, each by number, through each of the
processor's doors; those on the list do no harm whatever they are given.

build: release
limit: 240"""
import os, platform, sys, tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import forkd

ALLOWED = {"read": 0, "write": 1, "mmap": 9, "mprotect": 10, "munmap": 11, "brk": 12, "rt_sigreturn": 15, "mremap": 25, "madvise": 28, "setitimer": 38, "exit": 60,
           "gettimeofday": 96, "sysinfo": 99, "futex": 202, "restart_syscall": 219, "clock_gettime": 228, "exit_group": 231, "getrandom": 318}
# uretprobe and uprobe: newer kernels let these two past every filter, since only the code that they put into a process themselves can use them: from anywhere
# else they are refused.
PAST_FILTERS = (335, 336)
NUMBERS = 601
X32 = 0x40000000
EBADF, EFAULT, ENODEV = -9, -14, -19
READ, WRITE, EXEC = 1, 2, 4
PRIVATE, FIXED, ANONYMOUS = 2, 0x10, 0x20

folder = tempfile.mkdtemp(prefix="rung-calls-")
mark = os.path.join(folder, "mark")


def after(server, source):
    """What a fresh worker says behind that piece of Lua: the log texts, and whether it came to its end; None where it ended without a word."""
    w = server.worker()
    said = []
    try:
        w.send(*forkd.attempt(source))
        while True:
            got = w.frame(20)
            if got is None:
                raise AssertionError("it hangs in: " + source)
            if got[0]["t"] == "log":
                said.append(got[0]["text"])
            elif got[0]["t"] == "end":
                return said
    except EOFError:
        if not w.ended(20):
            raise AssertionError("it closed its socket and lives on: " + source)
        return said or None
    finally:
        w.close()


def call(number, *arguments, door="system_call"):
    return "log.info(tostring(hostile.%s(%s)))" % (door, ", ".join(str(a) for a in (number,) + arguments))


def must_end_or_be_refused(server, number, *arguments):
    said = after(server, call(number, *arguments))
    assert said is None or int(said[0]) < 0, "%d%r gave %s" % (number, arguments, said)


def must_end(server, number, *arguments, door="system_call"):
    said = after(server, call(number, *arguments, door=door))
    assert said is None, "%s %s%r gave %s, and the worker went on" % (door, number, arguments, said)


NOTHING = (0, 0, 0, 0, 0, 0)
# As open, openat, mkdir, unlink, link, execve, creat, mknod, ... would take them: a file that must not come to be.
PATH_FIRST = ('"%s"' % mark, 0o101, 0o644, 0, 0, 0)
PATH_SECOND = (-100, '"%s"' % mark, 0o101, 0o644, 0, 0)


def every_number_that_is_not_on_the_list_ends_it(server):
    for number in range(NUMBERS):
        if number not in ALLOWED.values():
            for arguments in (NOTHING, PATH_FIRST, PATH_SECOND):
                (must_end_or_be_refused if number in PAST_FILTERS else must_end)(server, number, *arguments)


def every_number_of_the_x32_range_ends_it(server):
    for number in range(NUMBERS):
        must_end(server, X32 + number, *NOTHING)


def every_number_through_the_door_of_32_bits_ends_it(server):
    for number in range(NUMBERS):
        must_end(server, number, *NOTHING, door="system_call_32")


def numbers_that_do_not_exist_end_it(server):
    for number in (601, 1000, 4095, 65535, 0x3fffffff, 0x7fffffff, 0x80000000, 0xffffffff, -1, 1 << 32, (1 << 32) + 2, 1 << 40):
        if number & 0xffffffff not in ALLOWED.values():
            must_end(server, number, *NOTHING)


def those_on_the_list_that_end_it_given_the_wrong_thing(server):
    a = ALLOWED
    for number, arguments in ((a["mmap"], (0, 4096, READ | EXEC, PRIVATE | ANONYMOUS, -1, 0)), (a["mmap"], (0, 4096, EXEC, PRIVATE, 3, 0)),
                              (a["mmap"], (0, 4096, READ | WRITE | EXEC | 1 << 40, PRIVATE | ANONYMOUS, -1, 0)),
                              (a["mprotect"], (0, 4096, EXEC)), (a["mprotect"], (0, 1 << 46, READ | WRITE | EXEC)), (a["mprotect"], (0, 4096, EXEC | 1 << 24)),
                              (a["mremap"], (0, 4096, 4096, 3, 0)), (a["mremap"], (0, 4096, 4096, 2, 0)),
                              (a["munmap"], (0, (1 << 47) - 4096)), (a["rt_sigreturn"], ()), (a["exit"], (0,)), (a["exit_group"], (7,))):
        must_end(server, number, *arguments)
    # Every advice but to give memory back: pages of files, and for one who may, of the machine itself.
    for advice in [n for n in range(32) if n not in (4, 8)] + [100, 101, -1]:
        must_end(server, a["madvise"], 0, 4096, advice)


def those_on_the_list_do_no_harm(server):
    a = ALLOWED
    for fd in [n for n in range(64) if n != 3] + [250, 255, 1 << 20, -1, -100]:
        for name in ("read", "write"):
            said = after(server, call(a[name], fd, '"%s"' % ("x" * 64), 64))
            assert said == [str(EBADF)], "%s of descriptor %d gave %s" % (name, fd, said)
    for what, number, arguments, wanted in (
            ("write from nowhere", a["write"], (3, 8, 64), EFAULT), ("the socket as memory", a["mmap"], (0, 4096, READ | WRITE, PRIVATE, 3, 0), ENODEV),
            ("random bytes to nowhere", a["getrandom"], (8, 1 << 20, 0), EFAULT), ("the time to nowhere", a["clock_gettime"], (0, 8), EFAULT),
            ("waiting on nowhere", a["futex"], (8, 0, 0, 0, 0, 0), EFAULT), ("memory's size to nowhere", a["sysinfo"], (8,), EFAULT)):
        said = after(server, call(number, *arguments))
        assert said == [str(wanted)], "%s gave %s" % (what, said)
    # Page 0 is not given to a program: a fault of the kernel's own would run there.
    (said,) = after(server, call(a["mmap"], 0, 4096, READ | WRITE, PRIVATE | ANONYMOUS | FIXED, -1, 0))
    assert int(said) < 0, said
    # More than the address space has room for.
    (said,) = after(server, call(a["mmap"], 0, 700 << 20, READ | WRITE, PRIVATE | ANONYMOUS, -1, 0))
    assert int(said) == -12, said
    before, grown = (int(n) for n in after(server, call(a["brk"], 0) + call(a["brk"], (1 << 46))))
    assert before == grown, "the heap grew to %x" % grown


def a_timer_ends_nothing_but_the_worker(server):
    # 1 ms of wall clock: SIGALRM, which nobody handles.
    time_value = '"\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\xe8\\x03\\0\\0\\0\\0\\0\\0"'
    said = after(server, "hostile.system_call(%d, 0, %s, 0) hostile.sleep()" % (ALLOWED["setitimer"], time_value))
    assert said is None, said


tests = [every_number_that_is_not_on_the_list_ends_it, every_number_of_the_x32_range_ends_it, every_number_through_the_door_of_32_bits_ends_it,
         numbers_that_do_not_exist_end_it, those_on_the_list_that_end_it_given_the_wrong_thing, those_on_the_list_do_no_harm, a_timer_ends_nothing_but_the_worker]


def main():
    failed = 0
    program = forkd.variant("hostile")
    if platform.machine() != "x86_64" or not os.path.exists(program):
        print("ok - the worker's system calls # skip: made for x86_64, with a release build of the fork server")
        return 0
    server = forkd.Forkd(program)
    if not server.worker().ready["confined"]["seccomp"]:
        print("ok - the worker's system calls # skip: this kernel has no system-call filter")
        return 0
    for t in tests:
        try:
            t(server)
            assert not os.path.exists(mark), "a worker made a file"
            assert server.process.poll() is None, "the fork server has ended"
            print("ok - %s" % t.__name__, flush=True)
        except AssertionError as e:
            failed += 1
            print("not ok - %s: %s" % (t.__name__, e), flush=True)
    server.stop()
    os.rmdir(folder)
    return 1 if failed else 0


sys.exit(main())
