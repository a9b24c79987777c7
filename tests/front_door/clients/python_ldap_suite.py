"""Runs python-ldap's own tests against slapd and through a front door, and compares what comes of each case.

usage: python_ldap_suite.py UNDERSTUDY FOLDER   (the program; python-ldap's sources, of the installed version, with Tests/ in them)
Prints how many cases ended alike, and those that did not; fails when one of these is not listed below.
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

LDAP_V2 = "LDAPv2 is not spoken"
LOST = "a user whose connection the directory has closed is told so (52) before he is sent away"
# What a front door refuses, or answers in another way, on purpose (docs/front-door.md), by the case that asks for it.
OTHERWISE = {
    "t_cext.TestLdapCExtension.test_invalid_credentials": LDAP_V2,
    "t_cext.TestLdapCExtension.test_simple_anonymous_bind": LDAP_V2,
    "t_ldap_sasl.TestSasl.test_external_tlscert": "SASL EXTERNAL within TLS takes identity = \"proxy\"",
    "t_ldap_schema_subentry.TestSubschemaUrlfetchSlapd.test_urlfetch_ldap": "who has not bound reads the root DSE alone",
    "t_ldapobject.Test01_ReconnectLDAPObject.test102_reconnect_simple_bind": LOST,
    "t_ldapobject.Test01_ReconnectLDAPObject.test105_reconnect_restore": LOST,
}
OTHERWISE_MODULES = {
    "t_ldap_syncrepl": "content synchronization keeps state in a session",
}


class Door:
    """A front door before the directory at that port."""

    def __init__(self, understudy, server, port):
        self.folder = tempfile.TemporaryDirectory()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        file = os.path.join(self.folder.name, "serve.toml")
        with open(file, "w", encoding="utf-8") as out:
            out.write(
                f'[ldap]\nuri = "ldap://127.0.0.1:{port}"\nbind_dn = "{server.root_dn}"\npassword = "{server.root_pw}"\n'
                f'[log]\nlevel = "warning"\n[[front_door.listeners]]\naddress = "127.0.0.1:{self.port}"\n'
                f'cert_path = "{server.servercert}"\nkey_path = "{server.serverkey}"\n')
        os.chmod(file, 0o600)
        self.log = open(os.path.join(self.folder.name, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen([understudy, "serve", "-c", file], stderr=self.log)
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            self.log.seek(0)
            if "ready: " in self.log.read():
                return
            time.sleep(0.05)
        self.log.seek(0)
        sys.exit("no front door:\n" + self.log.read())

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.log.close()
        self.folder.cleanup()


def put_doors_before_slapds(understudy):
    """Each slapd that a test starts has one, and is known by the door's URL."""
    import slapdtest

    class BehindADoor(slapdtest.SlapdObject):
        door = None

        def _start_slapd(self):
            behind = f"ldap://{self.local_host}:{self.port}/"
            self.ldap_uri = behind
            super()._start_slapd()
            if self.door is None:
                self.door = Door(understudy, self, self.port)
            self.ldap_uri = f"ldap://127.0.0.1:{self.door.port}/"

        def stop(self):
            if self.door is not None:
                self.door.close()
                self.door = None
            super().stop()

    slapdtest.SlapdObject = BehindADoor
    slapdtest.SlapdTestCase.server_class = BehindADoor


def run_cases(understudy, folder):
    """One way, in a process of its own: "NAME: OUTCOME", a line each."""
    if understudy:
        put_doors_before_slapds(understudy)
    tests = os.path.join(folder, "Tests")
    outcomes = {}

    class Result(unittest.TestResult):
        def startTest(self, test):
            super().startTest(test)
            outcomes[test.id()] = "passed"

        def addSubTest(self, test, subtest, err):
            super().addSubTest(test, subtest, err)
            if err:
                outcomes[test.id()] = "failed: " + str(err[1])

        def addError(self, test, err):
            super().addError(test, err)
            outcomes[test.id()] = "failed: " + str(err[1])

        addFailure = addError

        def addSkip(self, test, reason):
            super().addSkip(test, reason)
            outcomes[test.id()] = "skipped"

    sys.path.insert(0, tests)
    os.chdir(folder)
    suite = unittest.defaultTestLoader.discover(tests, pattern="t_*.py", top_level_dir=tests)
    suite.run(Result())
    for name, outcome in sorted(outcomes.items()):
        print(name + ": " + " ".join(outcome.split()))


def outcomes_of(understudy, folder):
    done = subprocess.run([sys.executable, os.path.abspath(__file__), "--one-way", understudy, folder],
                          stdout=subprocess.PIPE, text=True, check=True, timeout=600,
                          env={**os.environ, "LDAPNOINIT": "1"})
    return dict(line.split(": ", 1) for line in done.stdout.splitlines() if ": " in line)


def main():
    understudy, folder = (os.path.abspath(each) for each in sys.argv[1:3])
    direct, through = outcomes_of("", folder), outcomes_of(understudy, folder)
    unexpected = alike = documented = 0
    for name in sorted(set(direct) | set(through)):
        was, now = direct.get(name, "missing"), through.get(name, "missing")
        if was == now:
            alike += 1
            continue
        why = OTHERWISE.get(name) or OTHERWISE_MODULES.get(name.split(".")[0])
        if why:
            documented += 1
        else:
            unexpected += 1
        print(f"{'as documented' if why else 'UNEXPECTED'}: {name}\n  directly: {was}\n  through the door: {now}"
              + (f"\n  {why}" if why else ""))
    passed = sum(outcome == "passed" for outcome in direct.values())
    print(f"{len(direct)} cases, {passed} of which pass directly: {alike} end alike, {documented} otherwise as documented, "
          f"{unexpected} differ")
    return 1 if unexpected or not passed else 0


if __name__ == "__main__":
    if sys.argv[1] == "--one-way":
        run_cases(sys.argv[2], sys.argv[3])
    else:
        sys.exit(main())
