#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a program under the restrictions that a service unit names, without
systemd: confine.py UNIT PROGRAM [ARGUMENT...], as root, in a mount namespace
that is its own to change (tree.py makes one).

What a key does is done the way systemd.exec(5) says.  A key that is not
known here is an error, so that none is forgotten.  Left out: PrivateUsers,
and MemoryMax and the other keys of control groups, which need systemd.
"""
import ctypes
import errno
import grp
import os
import pwd
import resource
import socket
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NEWNS, NEWUTS, NEWNET = 0x20000, 0x4000000, 0x40000000
NAMESPACES = (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000,
              0x20000000, 0x40000000)
BIND, REC = 4096, 16384
MOUNT_SETATTR, RECURSIVE, RDONLY = 442, 0x8000, 1
CAPBSET_DROP, CAP_AMBIENT, NO_NEW_PRIVS, KEEPCAPS = 24, 47, 38, 8
CAPS = ("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID "
        "SETPCAP").split()

APART = """ExecStart ExecReload Type Restart RestartSec TimeoutStopSec KillMode
KillSignal Nice IOSchedulingClass IOSchedulingPriority OOMPolicy MemoryMax
RuntimeDirectoryPreserve RemoveIPC EnvironmentFile SystemCallErrorNumber
StateDirectoryMode RuntimeDirectoryMode""".lower().split()


def check(result, what):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


class Unit:
    """[Service] with keys that may stand several times."""

    def __init__(self, path):
        self.keys = {}
        self.used = set(APART)
        section = ""
        with open(path, encoding="utf-8") as file:
            for line in file:
                line = line.strip()
                if line.startswith("["):
                    section = line
                elif section == "[Service]" and "=" in line and line[0] != "#":
                    key, value = line.split("=", 1)
                    self.keys.setdefault(key.lower(), []).append(value)

    def all(self, key):
        self.used.add(key.lower())
        return self.keys.get(key.lower(), [])

    def get(self, key, default=""):
        values = self.all(key)
        return values[-1] if values else default

    def on(self, key):
        return self.get(key, "no") == "yes"

    def words(self, key):
        return [w for value in self.all(key) for w in value.split()]


# ------------------------------------------------------------------- files

def mount(source, target, kind="none", flags=0, options=""):
    check(LIBC.mount(source.encode(), target.encode(), kind.encode(),
                     ctypes.c_ulong(flags), options.encode()),
          f"mount {target}")


def read_only(path, on=True):
    attributes = (ctypes.c_uint64 * 4)(RDONLY if on else 0,
                                       0 if on else RDONLY, 0, 0)
    check(LIBC.syscall(MOUNT_SETATTR, -100, path.encode(), RECURSIVE,
                       ctypes.byref(attributes), 32), f"setattr {path}")


def as_mount(path):
    mount(path, path, flags=BIND | REC)


def own_folders(unit, user):
    """The service's folders, made as it will find them."""
    made = []
    for key, base in (("State", "/var/lib"), ("Runtime", "/run"),
                      ("Configuration", "/etc")):
        for name in unit.words(f"{key}Directory"):
            path = f"{base}/{name}"
            os.makedirs(path, exist_ok=True)
            if key != "Configuration":
                os.chown(path, user.pw_uid, user.pw_gid)
                os.chmod(path, int(unit.get(f"{key}DirectoryMode", "755"), 8))
                made.append(path)
    return made


def protect_files(unit, user):
    writable = own_folders(unit, user)
    for path in unit.words("ReadWritePaths"):
        if os.path.exists(path.lstrip("-")):
            writable.append(path.lstrip("-"))
    for path in writable:
        as_mount(path)
    how = unit.get("ProtectSystem", "no")
    if how == "strict":
        read_only("/")
        read_only("/proc", False)
    elif how == "full":
        for path in ("/usr", "/etc"):
            as_mount(path)
            read_only(path)
    for path in unit.words("ReadOnlyPaths"):
        if path not in writable and os.path.exists(path):
            as_mount(path)
            read_only(path)
    for path in writable:
        read_only(path, False)
    if unit.on("ProtectHome"):
        for path in ("/home", "/root"):
            if os.path.isdir(path):
                mount("none", path, "tmpfs", 1, "mode=0000")
    if unit.on("PrivateTmp"):
        mount("none", "/tmp", "tmpfs", 0, "mode=1777")


def protect_kernel(unit):
    if unit.on("PrivateDevices"):
        keep = [f"/dev/{n}" for n in ("null", "zero", "full", "random",
                                      "urandom")]
        fds = [os.open(p, os.O_PATH) for p in keep]
        mount("none", "/dev", "tmpfs", 0, "mode=0755")
        for path, fd in zip(keep, fds):
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            mount(f"/proc/self/fd/{fd}", path, flags=BIND)
            os.close(fd)
    options = []
    if unit.get("ProtectProc") == "invisible":
        options.append("hidepid=invisible")
    if unit.get("ProcSubset") == "pid":
        options.append("subset=pid")
    if options:
        mount("proc", "/proc", "proc", 0, ",".join(options))
    tunables = unit.on("ProtectKernelTunables")
    if tunables and os.path.isdir("/proc/sys"):
        as_mount("/proc/sys")
        read_only("/proc/sys")
    unit.on("ProtectControlGroups")  # there is no /sys in the tree


# ------------------------------------------------------------------ rights

def limits(unit):
    for key, which in (("LimitNOFILE", resource.RLIMIT_NOFILE),
                       ("LimitCORE", resource.RLIMIT_CORE)):
        if unit.get(key):
            value = min(int(unit.get(key)), resource.getrlimit(which)[1]) \
                if which != resource.RLIMIT_CORE else int(unit.get(key))
            resource.setrlimit(which, (value, value))
    os.umask(int(unit.get("UMask", "0022"), 8))


def numbers(words):
    return {CAPS.index(w.removeprefix("CAP_")) for w in words}


def drop_bounding(unit):
    keep = numbers(unit.words("CapabilityBoundingSet"))
    last = int(open("/proc/sys/kernel/cap_last_cap").read()) \
        if os.path.exists("/proc/sys/kernel/cap_last_cap") else 40
    for cap in range(last + 1):
        if cap not in keep:
            check(LIBC.prctl(CAPBSET_DROP, cap, 0, 0, 0), "bounding set")
    return keep


def set_caps(caps, ambient):
    mask = sum(1 << c for c in caps)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)(mask, mask, mask, 0, 0, 0)
    check(LIBC.capset(ctypes.byref(header), ctypes.byref(data)), "capset")
    for cap in ambient:
        check(LIBC.prctl(CAP_AMBIENT, 2, cap, 0, 0), "ambient set")


def become(unit, user):
    group = unit.get("Group")
    gid = grp.getgrnam(group).gr_gid if group else user.pw_gid
    more = [grp.getgrnam(n).gr_gid for n in unit.words("SupplementaryGroups")]
    os.setgroups(more)
    os.setresgid(gid, gid, gid)
    bounding = drop_bounding(unit)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    unit.on("PrivateUsers")  # the kernel refuses it below a chroot
    set_caps(bounding, numbers(unit.words("AmbientCapabilities")))
    if unit.on("NoNewPrivileges"):
        check(LIBC.prctl(NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")


# ----------------------------------------------------------------- seccomp

ALLOW, KILL = 0x7fff0000, 0x80000000
NE, EQ, MASKED_EQ = 1, 4, 7


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    """One seccomp filter, by libseccomp."""

    def __init__(self, default):
        self.lib = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.lib.seccomp_init.restype = ctypes.c_void_p
        self.ctx = ctypes.c_void_p(self.lib.seccomp_init(
            ctypes.c_uint32(default)))

    def rule(self, action, name, *compares):
        number = self.lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # not of this machine
        array = (Compare * max(1, len(compares)))(
            *(Compare(*c) for c in compares))
        result = self.lib.seccomp_rule_add_array(
            self.ctx, ctypes.c_uint32(action), number, len(compares), array)
        assert result == 0, (name, result)

    def load(self):
        result = self.lib.seccomp_load(self.ctx)
        assert result == 0, f"seccomp: {result}"


def deny(code):
    return 0x00050000 | code


def expand(name):
    """A set of systemd's, such as @system-service."""
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(["systemd-analyze", "syscall-filter", name],
                          capture_output=True, text=True, check=True).stdout
    words = [line.split("#")[0].strip() for line in said.splitlines()[1:]]
    return set().union(*(expand(w) for w in words if w))


def allowed(unit):
    calls = None
    for value in unit.all("SystemCallFilter"):
        minus = value.startswith("~")
        names = set().union(*(expand(w) for w in value.lstrip("~").split()))
        if minus:
            calls = (calls or set()) - names
        elif calls is None:
            calls = names | expand("@default")
        else:
            calls |= names
    return calls


def filter_calls(unit, calls):
    if calls is None:
        return None
    f = Filter(deny(errno.EPERM))
    for name in calls:
        f.rule(ALLOW, name)
    return f


def filter_arguments(unit):
    f, eperm = Filter(ALLOW), deny(errno.EPERM)
    families = unit.words("RestrictAddressFamilies")
    if families:
        good = {int(getattr(socket, n)) for n in families}
        for family in set(range(46)) - good:
            f.rule(deny(errno.EAFNOSUPPORT), "socket", (0, EQ, family, 0))
    if unit.on("RestrictNamespaces"):
        f.rule(eperm, "unshare")
        f.rule(eperm, "setns")
        f.rule(deny(errno.ENOSYS), "clone3")
        for flag in NAMESPACES:
            f.rule(eperm, "clone", (0, MASKED_EQ, flag, flag))
    if unit.on("MemoryDenyWriteExecute"):
        f.rule(eperm, "mmap", (2, MASKED_EQ, 6, 6))
        f.rule(eperm, "mprotect", (2, MASKED_EQ, 4, 4))
        f.rule(eperm, "pkey_mprotect", (2, MASKED_EQ, 4, 4))
    if unit.on("RestrictRealtime"):
        for policy in (1, 2, 6):
            f.rule(eperm, "sched_setscheduler", (1, EQ, policy, 0))
    if unit.get("RestrictSUIDSGID") == "yes":
        for bit in (0o4000, 0o2000):
            for name, arg in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2),
                              ("mkdir", 1), ("mkdirat", 2), ("mknodat", 2)):
                f.rule(eperm, name, (arg, MASKED_EQ, bit, bit))
    if unit.on("LockPersonality"):
        f.rule(eperm, "personality", (0, NE, 0xffffffff, 0))
    for key, names in (
            ("ProtectClock", "clock_settime settimeofday clock_adjtime"),
            ("ProtectHostname", "sethostname setdomainname"),
            ("ProtectKernelModules", "init_module finit_module "
             "delete_module"),
            ("ProtectKernelLogs", "syslog")):
        for name in names.split() if unit.on(key) else ():
            f.rule(eperm, name)
    assert unit.get("SystemCallArchitectures", "native") == "native"
    return f


# -------------------------------------------------------------------- main

def main(path, argv):
    unit = Unit(path)
    user = pwd.getpwnam(unit.get("User", "root"))
    environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
                           "/usr/bin:/sbin:/bin", "HOME": user.pw_dir}
    for words in (unit.words("Environment"), os.environ.get(
            "CONFINE_ENV", "").split()):
        environment.update(w.split("=", 1) for w in words)
    calls = allowed(unit)
    flags = NEWNS | (NEWUTS if unit.on("ProtectHostname") else 0) | \
        (NEWNET if unit.on("PrivateNetwork") else 0)
    check(LIBC.unshare(flags), "unshare")
    protect_files(unit, user)
    protect_kernel(unit)
    limits(unit)
    filters = [filter_arguments(unit), filter_calls(unit, calls)]
    become(unit, user)
    left = set(unit.keys) - unit.used
    assert not left, f"keys that nobody applied: {sorted(left)}"
    for f in filters:
        if f is not None:
            f.load()
    os.execve(argv[0], argv, environment)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
