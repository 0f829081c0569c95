# SPDX-License-Identifier: GPL-3.0-or-later
"""restic-manager, the command line, against a real controller and agent."""
import json
import os
import re
import signal
import stat
import subprocess

import pytest

import lab as lab_module
from cli import (BUSY, CANCELLED, CONFLICT, DETACHED, FAILED, INCOMPLETE,
                 NOT_FOUND, PROGRAM, REFUSED, UNREACHABLE, USAGE, Cli,
                 Terminal, pin_of)
from lab import (BIN, PASSWORD, ROOT, clean_env, free_port, wait_for)

FAKE = ROOT / "tests/fake/restic"


@pytest.fixture(scope="module")
def fleet():
    """One controller with one host, for all tests here; and its admin."""
    with lab_module.Lab() as bench:
        controller = bench.controller().start()
        controller.bootstrap()
        bench.fleet = controller
        bench.source = bench.sources("src")
        bench.agent = bench.host(controller, restic=FAKE,
                                 paths=[bench.source])
        bench.cli = Cli(bench)
        bench.cli.login(controller)
        yield bench


@pytest.fixture
def cli(fleet):
    return fleet.cli


def pretend(fleet, text):
    (fleet.source / ".pretend").write_text(text)


# ------------------------------------------------------------------ sign-in

def test_login_keeps_a_token_and_logout_revokes_it(fleet):
    person = Cli(fleet, "login")
    person.login(fleet.fleet)
    assert stat.S_IMODE(person.config.stat().st_mode) == 0o600
    text = person.config.read_text()
    assert PASSWORD not in text
    token = re.search(r'token: "?(rmt_[\w-]{43})', text).group(1)
    mine = fleet.fleet.client.ok("GET", "/api/tokens")["items"]
    assert [t for t in mine if t["name"].startswith("cli@")
            and t["id"] in text]
    assert person.json("hosts")["count"] == 1
    # A second sign-in leaves no token of the first behind.
    person.login(fleet.fleet)
    assert token not in person.config.read_text()
    old = Cli(fleet, "old", RM_SERVER=fleet.fleet.url, RM_API_TOKEN=token,
              RM_SERVER_CERT_PIN_SHA256=pin_of(fleet.fleet))
    assert old.run("hosts").code == REFUSED
    token = re.search(r'token: "?(rmt_[\w-]{43})',
                      person.config.read_text()).group(1)
    person.ok("logout")
    assert "rmt_" not in person.config.read_text()
    done = person.run("hosts")
    assert done.code == REFUSED and "login" in done.err
    old.env["RM_API_TOKEN"] = token
    done = old.run("hosts")
    assert done.code == REFUSED and token not in done.err


def test_an_unknown_key_is_shown_and_asked_about(fleet):
    """Never silently: yes keeps the pin, anything else and no terminal do
    not."""
    person = Cli(fleet, "asked")
    done = person.run("login", fleet.fleet.url, "--user", "admin",
                      "--password-stdin", stdin=PASSWORD + "\n")
    assert done.code == UNREACHABLE
    assert pin_of(fleet.fleet) in done.err
    no = Terminal(person, "login", fleet.fleet.url)
    no.until("(yes or no)").type("y\n")
    assert no.end() == UNREACHABLE
    assert not person.config.exists()
    yes = Terminal(person, "login", fleet.fleet.url.removeprefix("https://"))
    yes.until("(yes or no)")
    assert pin_of(fleet.fleet) in yes.text
    yes.type("yes\n")
    yes.until("User name: ").type("admin\n")
    yes.until("Password: ").type(PASSWORD + "\n")
    assert yes.end() == 0
    assert PASSWORD not in yes.text
    assert "signed in" in yes.text
    assert pin_of(fleet.fleet) in person.config.read_text()
    assert person.json("hosts")["count"] == 1


def test_a_wrong_password_or_pin_signs_nobody_in(fleet):
    person = Cli(fleet, "wrong")
    done = person.run("login", fleet.fleet.url, "--pin", pin_of(fleet.fleet),
                      "--user", "admin", "--password-stdin",
                      stdin="not the password\n")
    assert done.code == REFUSED and "wrong" in done.err
    done = person.run("login", fleet.fleet.url, "--pin", "ab" * 32,
                      "--user", "admin", "--password-stdin",
                      stdin=PASSWORD + "\n")
    assert done.code == UNREACHABLE and "not the pinned one" in done.err
    assert not person.config.exists()


def test_a_token_never_goes_to_another_server(fleet, cli):
    """--server names another one: the file's token stays at home."""
    done = cli.run("hosts", "--server", f"https://127.0.0.1:{free_port()}")
    assert done.code == REFUSED and "not signed in" in done.err


def test_secrets_are_in_no_argument(fleet):
    """Not while it waits for the answer, either."""
    person = Cli(fleet, "args")
    argv = [PROGRAM, "login", fleet.fleet.url, "--pin", pin_of(fleet.fleet),
            "--user", "admin", "--password-stdin"]
    with subprocess.Popen([str(a) for a in argv], env=person.env, text=True,
                          stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as running:
        running.stdin.write(PASSWORD)
        running.stdin.flush()
        with open(f"/proc/{running.pid}/cmdline", "rb") as f:
            assert PASSWORD.encode() not in f.read()
        running.communicate("\n", timeout=30)
        assert running.returncode == 0


# -------------------------------------------------------------------- reads

def test_lists_are_columns_or_one_document(fleet, cli):
    text = cli.ok("hosts").out
    assert re.search(r"^NAME +STATE +STATUS +LAST BACKUP", text)
    assert re.search(r"^web-1 +\w+ +online", text, re.M)
    assert "\x1b" not in text
    listed = cli.json("hosts")
    host = listed["items"][0]
    assert listed["count"] == 1 and host["id"] == fleet.agent.host_id
    assert cli.json("hosts", "show", "WEB-1")["id"] == host["id"]
    assert cli.json("hosts", "show", host["id"])["name"] == "web-1"
    shown = cli.ok("hosts", "show", "web-1").out
    assert re.search(r"^Status +online$", shown, re.M)
    done = cli.run("hosts", "show", "nobody")
    assert done.code == NOT_FOUND and "no host 'nobody'" in done.err
    done = cli.run("jobs", "show", "01JD0000000000000000000000", "-o", "json")
    assert done.code == NOT_FOUND
    assert done.json()["error"]["code"] == "not_found"
    assert cli.run("jobs", "show", "../hosts").code == USAGE


def test_search_finds_by_a_few_letters(fleet, cli):
    found = cli.ok("search", "web").out
    assert re.search(r"^web-1 ", found, re.M)
    job = cli.json("jobs", "web-1", "-n", "1")["items"][0]["id"]
    assert job in cli.ok("search", job[:12]).out
    assert cli.json("search", job)["jobs"]["items"][0]["id"] == job
    assert cli.ok("search", "no such thing & more").out == (
        "nothing was found\n")


def test_two_hosts_of_one_name_need_the_id(fleet, cli):
    for _ in range(2):
        fleet.fleet.client.ok("POST", "/api/agents/enroll", {
            "token": fleet.fleet.mint("twin", str(fleet.path / "r"),
                                      allow_duplicate=True),
            "hostname": "twin", "os": "linux", "arch": "amd64"})
    done = cli.run("hosts", "show", "twin")
    assert done.code == CONFLICT
    ids = re.findall(r"[0-9A-HJKMNP-TV-Z]{26}", done.err)
    assert len(ids) == 2
    assert cli.json("hosts", "show", ids[0])["name"] == "twin"


# --------------------------------------------------------------------- runs

def test_a_followed_run_prints_its_log_and_tells_the_outcome(fleet, cli):
    pretend(fleet, "lines=20")
    done = cli.ok("run", "web-1", "--follow")
    assert re.findall(r"OUT +pretend line (\d+)\n", done.out) == [
        str(n) for n in range(1, 21)]
    assert re.search(r"^job \w{26} succeeded$", done.out, re.M)
    job = re.search(r"^job (\w{26})", done.out).group(1)
    assert job in cli.ok("jobs", "web-1").out
    assert re.search(r"^Status +succeeded$", cli.ok("jobs", "show", job).out,
                     re.M)
    logged = cli.ok("logs", job).out
    assert "pretend line 20\n" in logged
    again = cli.ok("logs", job, "--follow").out
    assert [line for line in again.splitlines() if "pretend line" in line] \
        == [line for line in logged.splitlines() if "pretend line" in line]
    live = cli.ok("logs", job, "--follow", "--ndjson").out
    assert live == cli.ok("logs", job, "--ndjson").out
    assert [json.loads(line)["seq"] for line in live.splitlines()] == list(
        range(1, len(live.splitlines()) + 1))
    assert cli.json("run", "web-1", "--follow")["status"] == "succeeded"
    listed = cli.json("jobs", "web-1", "--status", "succeeded", "-n", "1")
    assert listed["count"] == 1
    assert re.search(r"^\w{26} +web-1 +backup +succeeded", cli.ok("jobs").out,
                     re.M)
    snapshots = cli.json("snapshots", "web-1", "--limit", "1")
    assert snapshots["count"] == 1


@pytest.mark.parametrize("pretence,code,word", [
    ("exit=1 lines=2", FAILED, "failed"),
    ("exit=3 lines=2", INCOMPLETE, "incomplete")])
def test_the_exit_code_tells_what_became_of_a_run(fleet, cli, pretence, code,
                                                  word):
    pretend(fleet, pretence)
    done = cli.run("run", "web-1", "--follow")
    assert done.code == code, (done.out, done.err)
    assert re.search(rf"^job \w{{26}} {word}", done.out, re.M)
    listed = cli.ok("jobs", "web-1", "-n", "1").out
    assert re.search(rf"^\w{{26}} +web-1 +backup +{word} ", listed, re.M)


def test_an_interrupted_follow_leaves_the_job_running(fleet, cli):
    """Ctrl-C detaches; cancel is a verb of its own and has its own code."""
    pretend(fleet, "lines=3 hang=60")
    running = cli.start("run", "web-1", "--follow")
    for line in running.stdout:
        if "pretend line 3" in line:
            break
    job = cli.json("jobs", "web-1", "-n", "1")["items"][0]["id"]
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=20)
    assert running.returncode == DETACHED
    assert f"jobs cancel {job}" in err
    assert fleet.fleet.job(job)["status"] == "running"
    watcher = cli.start("logs", job, "--follow")
    wait_for("a line", lambda: "pretend" in watcher.stdout.readline())
    cli.ok("jobs", "cancel", job)
    watcher.communicate(timeout=60)
    assert watcher.returncode == CANCELLED
    assert cli.run("jobs", "cancel", job).code == CONFLICT


def test_a_cut_connection_costs_no_line_and_doubles_none(fleet):
    proxy = fleet.proxy(fleet.fleet.port)
    person = Cli(fleet, "cut")
    pretend(fleet, "lines=60 delay_ms=300")
    person.ok("login", f"https://127.0.0.1:{proxy.port}", "--pin",
              pin_of(fleet.fleet), "--user", "admin", "--password-stdin",
              stdin=PASSWORD + "\n")
    running = person.start("run", "web-1", "--follow")
    lines = []
    for line in running.stdout:
        lines += re.findall(r"pretend line (\d+)$", line)
        if lines and lines[-1] in ("10", "30") and "pretend" in line:
            proxy.cut()
    assert running.wait(30) == 0, running.stderr.read()
    running.stderr.close()
    assert lines == [str(n) for n in range(1, 61)]


def test_a_job_for_a_host_that_is_away_waits(fleet, cli):
    """contract.md, Jobs: visibly, and only once."""
    ids = [h["id"] for h in cli.json("hosts")["items"]
           if h["status"] == "offline"]
    if not ids:
        fleet.fleet.client.ok("POST", "/api/agents/enroll", {
            "token": fleet.fleet.mint("away", str(fleet.path / "r")),
            "hostname": "away", "os": "linux", "arch": "amd64"})
        ids = ["away"]
    waits = cli.json("run", ids[0])
    assert cli.json("run", ids[0])["job_id"] == waits["job_id"]
    fleet.fleet.client.ok("POST", f"/api/jobs/{waits['job_id']}/cancel")


# ------------------------------------------------------------------- tokens

def test_a_host_is_set_and_its_repository_looked_after(fleet, cli):
    """M-198, M-216, M-325: limits, presence, and the jobs of maintenance."""
    host = fleet.agent.host_id
    pretend(fleet, "")
    assert "saved" in cli.ok("hosts", "limit", host, "--up", "900").out
    assert cli.json("hosts", "limit", host, "--down", "800") == {
        "bandwidth_up_kbps": 900, "bandwidth_down_kbps": 800}
    assert cli.json("hosts", "mode", host, "comes-and-goes",
                    "--allowed-age", "48") == {
        "always_on": False, "allowed_age_s": 48 * 3600}
    assert cli.run("hosts", "mode", host, "never").code == USAGE
    assert cli.run("hosts", "limit", host, "--up", "x").code == USAGE
    assert not fleet.fleet.host(host)["always_on"]
    refused = cli.run("repo", "prune", host, "-o", "json")
    assert refused.code == CONFLICT
    assert refused.json()["error"]["code"] == "admin_creds_required"
    job = cli.json("repo", "unlock", host)["job_id"]
    assert fleet.fleet.wait_job(job)["kind"] == "unlock"
    job = cli.json("repo", "check", host, "100")["job_id"]
    end = fleet.fleet.wait_job(job)
    assert (end["kind"], end["check_part"], end["check_of"]) == ("check", 1, 1)
    cli.ok("hosts", "mode", host, "always-on", "--allowed-age", "0")
    cli.ok("hosts", "limit", host, "--up", "0", "--down", "0")


def test_a_token_made_here_enrols_a_host(fleet, cli):
    made = cli.json("tokens", "create", "db-1", "--repo-url",
                    fleet.path / "repo-db", "--path", fleet.source, "--tag",
                    "db")
    agent = fleet.agent.__class__(fleet, fleet.fleet, "db-1", restic=FAKE)
    agent.enrol(made["token"])
    shown = cli.json("hosts", "show", "db-1")
    assert shown["id"] == agent.host_id and shown["tags"] == ["db"]
    assert f"{fleet.fleet.url}/install/install.sh | RM_SERVER=" in made[
        "install_command"]
    text = cli.ok("tokens", "create", "db-2", "--repo-url",
                  fleet.path / "r2").out
    command = re.search(r"^  (curl .* bash)$", text, re.M).group(1)
    # The script comes over the pinned connection, as the command says.
    done = subprocess.run(["bash", "-c", command.split("|")[0]],
                          capture_output=True, text=True, timeout=30,
                          check=False, env=clean_env())
    assert done.returncode == 0 and done.stdout.startswith("#!"), done.stderr
    assert cli.run("tokens", "create", "db-3").code == USAGE


def test_tokens_are_listed_made_anew_and_revoked(fleet, cli):
    first = cli.json("tokens", "create", "mail-1", "--repo-url", "/r",
                     "--repo-user", "m", "--password-stdin",
                     stdin="the repository's secret\n")
    assert "the repository's secret" not in first["install_command"]
    assert re.search(r"^mail-1 +awaiting", cli.ok("tokens").out, re.M)
    second = cli.json("tokens", "regenerate", "mail-1")
    assert second["token"] != first["token"]
    agent = fleet.agent.__class__(fleet, fleet.fleet, "mail-1", restic=FAKE)
    with pytest.raises(AssertionError):
        agent.enrol(first["token"])
    cli.ok("tokens", "revoke", second["id"])
    with pytest.raises(AssertionError):
        agent.enrol(second["token"])
    assert cli.run("tokens", "revoke", "nobody").code == NOT_FOUND
    # One that was used does not stand in the way of its successor's name.
    assert cli.run("tokens", "regenerate", "web-1").code == NOT_FOUND
    cli.ok("tokens", "create", "web-1", "--repo-url", "/r",
           "--allow-duplicate")
    cli.ok("tokens", "revoke", "web-1")


def announce(fleet, name):
    """An agent that waits for approval, and the fingerprint it prints."""
    agent = fleet.agent.__class__(fleet, fleet.fleet, name, restic=FAKE)
    agent.program = fleet.start(
        [BIN / "restic-manager-agent", "-enroll-server", agent.server,
         "-cert-pin", pin_of(fleet.fleet)], clean_env(**agent.env), agent.log)
    found = wait_for("the fingerprint", lambda: re.search(
        r"Fingerprint:\n(SHA256: .*)\n", agent.log.read_text()))
    return agent, found.group(1)


def test_a_host_that_announces_itself_is_let_in_or_turned_away(fleet, cli):
    """Only after its fingerprint was compared (M-083)."""
    agent, fingerprint = announce(fleet, "new-1")
    row = wait_for("it", lambda: cli.json("pending")["items"])[0]
    accept = ["pending", "accept", row["id"], "--repo-url",
              fleet.path / "repo-new", "--password-stdin"]
    done = cli.run(*accept, stdin="secret\n")
    assert done.code == USAGE and row["fingerprint"] in done.err
    done = cli.run(*accept, "--fingerprint", "00" * 32, stdin="secret\n")
    assert done.code == CONFLICT
    cli.ok(*accept, "--fingerprint", fingerprint, "--allow-duplicate",
           stdin="secret\n")
    wait_for("its end of waiting", lambda: not cli.json("pending")["items"])
    agent.program.stop()
    agent, _ = announce(fleet, "new-2")
    row = wait_for("it", lambda: cli.json("pending")["items"])[0]
    cli.ok("pending", "reject", row["id"])
    assert "nobody waits" in cli.ok("pending").out
    agent.program.stop()


def test_api_tokens_are_made_and_revoked(fleet, cli):
    token = cli.ok("api-tokens", "create", "nightly", "--days",
                   "1").out.strip()
    assert re.fullmatch(r"rmt_[\w-]{43}", token)
    other = Cli(fleet, "nightly", RM_SERVER=fleet.fleet.url,
                RM_API_TOKEN=token,
                RM_SERVER_CERT_PIN_SHA256=pin_of(fleet.fleet))
    who = other.json("whoami")
    assert who["role"] == "viewer" and who["token"] is None
    assert other.run("run", "web-1").code == REFUSED
    assert other.run("logout").code == USAGE
    assert re.search(r"^nightly +admin +viewer", cli.ok("api-tokens").out,
                     re.M)
    cli.ok("api-tokens", "revoke", "nightly")
    assert other.run("whoami").code == REFUSED
    assert cli.json("whoami")["token"]["name"].startswith("cli@")


def test_users_are_invited_disabled_and_enabled(fleet, cli):
    link = cli.ok("users", "invite", "otto", "--role", "operator").out
    assert link.startswith(fleet.fleet.url + "/setup")
    assert re.search(r"^otto +operator", cli.ok("users").out, re.M)
    assert cli.ok("users", "link", "OTTO").out != link
    cli.ok("users", "disable", "otto")
    cli.ok("users", "sign-out", "otto")
    assert re.search(r"^otto +operator +disabled", cli.ok("users").out, re.M)
    cli.ok("users", "enable", "otto")
    assert cli.run("users", "disable", "admin").code == CONFLICT
    assert cli.run("users", "disable", "nobody").code == NOT_FOUND


# ----------------------------------------------------------------- offline

def test_a_locked_out_operator_gets_in_again(lab):
    """Only while the controller is stopped, and never unaudited."""
    controller = lab.controller(name="locked").start()
    controller.bootstrap()
    person = Cli(lab)
    reset = ["state", "reset-password", "admin", "--password-stdin",
             "--data-dir", controller.data]
    new = "another long pass phrase"
    done = person.run(*reset, stdin=new + "\n")
    assert done.code == BUSY and "stop it first" in done.err
    assert person.run("state", "info", "--data-dir",
                      controller.data).code == BUSY
    controller.stop()
    info = person.json("state", "info", "--data-dir", controller.data)
    assert (info["users"], info["hosts"], info["secret_key"]) == (1, 0, True)
    assert info["schema"] >= 2 and info["state_bytes"] > 0
    assert person.run(*reset, stdin="short\n").code == USAGE
    done = person.run("state", "reset-password", "nobody",
                      "--password-stdin", "--data-dir", controller.data,
                      stdin=new + "\n")
    assert done.code == NOT_FOUND
    key = (controller.data / "secret.key")
    key.rename(controller.data / "away")
    assert person.run(*reset, stdin=new + "\n").code == NOT_FOUND
    assert not key.exists()
    (controller.data / "away").rename(key)
    done = person.ok(*reset, stdin=new + "\n")
    assert new not in done.out + done.err
    assert person.ok("audit", "verify", "--data-dir", controller.data)
    controller.start()
    assert controller.client.get("/api/account").status == 401
    assert controller.client.post("/api/auth/login", {
        "username": "admin", "password": PASSWORD}).status == 401
    controller.login(password=new)
    rows = controller.client.ok("GET", "/api/audit?action=user")["items"]
    assert rows[0]["action"] == "user.password_reset"
    assert controller.client.ok("GET", "/api/audit/verify")["ok"]
    done = person.run("state", "info", "--data-dir", lab.path / "nothing")
    assert done.code == NOT_FOUND


def test_work_on_a_data_directory_leaves_no_file_of_root(lab):
    """Run by root it becomes the directory's owner first."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    controller = lab.controller(name="owned").start()
    controller.bootstrap()
    controller.stop()
    nobody = 65534
    for path in [controller.data, *controller.data.rglob("*")]:
        os.chown(path, nobody, nobody)
    lab.path.chmod(0o755)
    (controller.data / "db/state/owner.lock").unlink()
    person = Cli(lab)
    person.ok("state", "info", "--data-dir", controller.data)
    person.ok("state", "reset-password", "admin", "--password-stdin",
              "--data-dir", controller.data, stdin="a new pass phrase\n")
    assert [p for p in controller.data.rglob("*")
            if p.stat().st_uid != nobody] == []


# ------------------------------------------------------- usage, reachability

def test_mistakes_end_with_the_code_for_usage(cli):
    for argv in (["frob"], ["hosts", "show"], ["run"], [], ["hosts", "-f"],
                 ["hosts", "-o", "yaml"], ["hosts", "--nope"]):
        assert cli.run(*argv).code == USAGE, argv


def test_a_controller_that_is_not_there_is_unreachable(fleet):
    gone = Cli(fleet, "gone", RM_API_TOKEN="rmt_" + "x" * 43,
               RM_SERVER=f"https://127.0.0.1:{free_port()}")
    done = gone.run("hosts", "-o", "json")
    assert done.code == UNREACHABLE
    assert done.json()["error"]["code"] == "unreachable"
    gone.env["RM_SERVER"] = "https://no-such-host.invalid"
    assert gone.run("hosts").code == UNREACHABLE


def test_help_and_version_need_no_controller(fleet):
    nobody = Cli(fleet, "nobody")
    assert "jobs cancel JOB" in nobody.ok("--help").out
    assert nobody.ok("--version").out.startswith("restic-manager ")
    assert "--follow" in nobody.ok("run", "--help").out


COMPLETE = """
source <("$1" completion bash)
COMP_WORDS=(restic-manager "${@:2}")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_restic_manager
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize("words,want", [
    (["jo"], ["jobs"]),
    (["jobs", "s"], ["show"]),
    (["jobs", "--st"], ["--status"]),
    (["--output", ""], ["text", "json"]),
    (["-o", "json", "jobs", "c"], ["cancel"]),
    (["completion", ""], ["bash", "zsh", "fish"]),
    (["jobs", "show", ""], [""]),
    (["--server", ""], [""])])
def test_bash_completes_verbs_and_options(words, want):
    done = subprocess.run(
        ["bash", "-uc", COMPLETE, "bash", PROGRAM, *words],
        capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == want
