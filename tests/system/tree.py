# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine as a new user has it: a private mount and process namespace with
this system's /usr, and everything else fresh.  Root is needed, and there a
fake systemctl that does what systemd would do with the one unit."""
import pathlib
import shutil
import subprocess

from lab import wait_for

SETUP = r"""
set -e
t=$1
mount -t tmpfs -o mode=0755 none "$t"
cd "$t"
mkdir -p usr proc dev etc root srv tmp var/lib var/log run/systemd/system
chmod 1777 tmp; chmod 0700 root
mount --rbind /usr usr
mount -t tmpfs -o mode=0755 none usr/local
mkdir -p usr/local/bin usr/local/sbin
mount -t proc none proc
mount --rbind /dev dev
for link in /bin /sbin /lib /lib32 /lib64 /libx32; do
    [ ! -L "$link" ] || cp -a "$link" .
done
for file in passwd group nsswitch.conf ld.so.cache alternatives machine-id
do
    [ ! -e "/etc/$file" ] || cp -a "/etc/$file" etc
done
[ -s etc/machine-id ] || echo 0123456789abcdef0123456789abcdef >etc/machine-id
echo "127.0.0.1 localhost fresh" >etc/hosts
touch run/fresh
while :; do sleep 60 & wait $!; done # and reaps what others leave
"""

# Keeps what it is told to keep, as the real one does, and nothing else.
SUDO = """#!/bin/bash
keep=(PATH="$PATH")
if [[ $1 == --preserve-env=* ]]; then
    IFS=, read -ra names <<<"${1#*=}"
    for name in "${names[@]}"; do
        [ -z "${!name+x}" ] || keep+=("$name=${!name}")
    done
    shift
fi
exec env -i "${keep[@]}" "$@"
"""

SYSTEMCTL = r"""#!/bin/bash
echo "$*" >>/var/log/systemctl.calls
unit=/etc/systemd/system/restic-manager-agent.service
start()
{
    mapfile -t settings < <(cat "$unit" "$unit".d/*.conf 2>/dev/null |
        sed -n 's/^Environment=//p')
    # shellcheck disable=SC2046
    setsid env "${settings[@]}" $(sed -n 's/^ExecStart=//p' "$unit") \
        >>/var/log/agent.log 2>&1 </dev/null &
    echo $! >/run/agent.pid
}
stop()
{
    [ -e /run/agent.pid ] || return 0
    kill "$(cat /run/agent.pid)"
    while kill -0 "$(cat /run/agent.pid)" 2>/dev/null; do sleep 0.1; done
    rm /run/agent.pid
}
case $1 in
enable | start) start ;;
disable | stop) stop ;;
esac
"""


class Tree:
    """close() ends every process in it."""

    def __init__(self, folder):
        self.path = pathlib.Path(folder)
        self.path.mkdir()
        self.keeper = self.begin("--propagation", "private") or self.begin(
            "--propagation", "unchanged")
        assert self.keeper, "no private mount namespace"
        children = pathlib.Path(f"/proc/{self.keeper.pid}/task/"
                                f"{self.keeper.pid}/children")
        self.init = children.read_text().split()[0]
        self.put("usr/local/sbin/systemctl", SYSTEMCTL, 0o755)
        self.put("usr/local/bin/sudo", SUDO, 0o755)

    def begin(self, *how):
        """In a chroot the root is no mount, and cannot be made private."""
        keeper = subprocess.Popen(
            ["unshare", "--mount", *how, "--pid", "--fork", "--kill-child",
             "bash", "-c", SETUP, "-", str(self.path)],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        state = wait_for("the tree", lambda: (
            "ended" if keeper.poll() is not None else
            "up" if self.inside(keeper).exists() else None))
        return keeper if state == "up" else None

    def inside(self, keeper):
        children = pathlib.Path(
            f"/proc/{keeper.pid}/task/{keeper.pid}/children")
        pids = children.read_text().split() if children.exists() else []
        if not pids:
            return pathlib.Path("/nowhere")
        return pathlib.Path(f"/proc/{pids[0]}/root{self.path}/run/fresh")

    def argv(self, command, env, user):
        words = ["nsenter", "--target", self.init, "--root", "--mount",
                 "--pid", "chroot", str(self.path), "env", "-i", "HOME=/root",
                 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
                 "/sbin:/bin"]
        words += [f"{k}={v}" for k, v in env.items()]
        if user:
            words += ["setpriv", f"--reuid={user}", "--clear-groups"]
        return words + ["bash", "-c", command]

    def run(self, command, user=None, **env):
        return subprocess.run(
            self.argv(command, env, user), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=120, check=False)

    def start(self, command, **env):
        return subprocess.Popen(
            self.argv(command, env, None), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def file(self, path):
        """As seen from here."""
        return pathlib.Path(f"/proc/{self.init}/root{self.path}") / path

    def put(self, path, text, mode=0o644):
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def calls(self):
        log = self.file("var/log/systemctl.calls")
        return log.read_text().splitlines() if log.exists() else []

    def below(self, *folders):
        """Every regular file of these folders, with its content."""
        for folder in folders:
            for path in sorted(self.file(folder).rglob("*")):
                if path.is_file() and not path.is_symlink():
                    yield path, path.read_bytes()

    def close(self):
        self.keeper.kill()
        self.keeper.wait()
        shutil.rmtree(self.path, ignore_errors=True)
