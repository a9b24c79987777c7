#!/usr/bin/python3
"""python-ldap (libldap) against the directory at a URI: python_ldap.py URI."""
import os
import sys

import ldap
import ldap.modlist
from ldap.controls import SimplePagedResultsControl

BASE = "dc=example,dc=com"
ADMIN = "cn=admin," + BASE
PEOPLE = "ou=people," + BASE
NEW = "uid=added," + PEOPLE


def step(name, action):
    try:
        said = action()
    except ldap.LDAPError as error:
        said = type(error).__name__
    print("%s: %r" % (name, said), flush=True)


def connect(name=None, password=None):
    connection = ldap.initialize(sys.argv[1])
    connection.protocol_version = ldap.VERSION3
    connection.set_option(ldap.OPT_REFERRALS, 0)
    if name is not None:
        connection.simple_bind_s(name, password)
    return connection


def found(connection, *how):
    return sorted((dn, sorted(values.items())) for dn, values in connection.search_s(*how))


def pages(connection, size):
    control = SimplePagedResultsControl(True, size=size, cookie="")
    sizes = []
    while True:
        message = connection.search_ext(BASE, ldap.SCOPE_SUBTREE, "(uid=user*)", ["uid"], serverctrls=[control])
        _, entries, _, controls = connection.result3(message)
        sizes.append(len(entries))
        control.cookie = next(c.cookie for c in controls if c.controlType == SimplePagedResultsControl.controlType)
        if not control.cookie:
            return sizes


def at_once(connection):
    asked = [
        connection.search(BASE, ldap.SCOPE_SUBTREE, "(uid=user%d)" % number, ["uid"]) for number in range(10)
    ]
    return [connection.result(message)[1][0][0] for message in reversed(asked)]


def abandoned(connection):
    message = connection.search(BASE, ldap.SCOPE_SUBTREE, "(objectClass=*)")
    connection.abandon(message)
    return connection.whoami_s()


def main():
    password = os.environ["DIRECTORY_PASSWORD"]
    step("dse", lambda: connect().search_s("", ldap.SCOPE_BASE, "(objectClass=*)", ["namingContexts"]))
    step("refused", lambda: connect(ADMIN, "wrong").whoami_s())
    step("refused user", lambda: connect("uid=user1," + PEOPLE, "wrong").whoami_s())
    step("no password", lambda: connect(ADMIN, "").whoami_s())
    admin = connect(ADMIN, password)
    step("whoami", admin.whoami_s)
    step("search", lambda: found(admin, BASE, ldap.SCOPE_SUBTREE, "(|(uid=user2)(uid=user3))", ["uid", "cn", "mail"]))
    step("one level", lambda: found(admin, BASE, ldap.SCOPE_ONELEVEL, "(objectClass=*)", ["ou"]))
    step("missing", lambda: found(admin, "ou=missing," + BASE, ldap.SCOPE_SUBTREE, "(uid=x)"))
    step("limited", lambda: admin.search_ext_s(BASE, ldap.SCOPE_SUBTREE, "(uid=user*)", ["uid"], sizelimit=4))
    step("pages", lambda: pages(admin, 3))
    step("at once", lambda: at_once(admin))
    step("abandoned", lambda: abandoned(admin))
    entry = {"objectClass": [b"inetOrgPerson"], "uid": [b"added"], "cn": ["Jürgen".encode()], "sn": [bytes([65, 66])]}
    step("add", lambda: admin.add_s(NEW, ldap.modlist.addModlist(entry))[0])
    step("add again", lambda: admin.add_s(NEW, ldap.modlist.addModlist(entry))[0])
    step("modify", lambda: admin.modify_s(NEW, [(ldap.MOD_REPLACE, "cn", [b"Changed"]), (ldap.MOD_ADD, "mail", [b"a@b"])])[0])
    step("modified", lambda: found(admin, NEW, ldap.SCOPE_BASE))
    step("true", lambda: admin.compare_s(NEW, "cn", b"Changed"))
    step("false", lambda: admin.compare_s(NEW, "cn", b"Other"))
    step("rename", lambda: admin.rename_s(NEW, "uid=renamed", delold=1)[0])
    step("password", lambda: admin.passwd_s("uid=user5," + PEOPLE, None, "changed")[0])
    step("new password", lambda: connect("uid=user5," + PEOPLE, "changed").whoami_s())
    user = connect("uid=user1," + PEOPLE, "password1")
    step("user", user.whoami_s)
    step("user's pages", lambda: pages(user, 4))
    step("user's search", lambda: found(user, BASE, ldap.SCOPE_SUBTREE, "(uid=user4)", ["mail"]))
    step("user's write", lambda: user.modify_s("uid=renamed," + PEOPLE, [(ldap.MOD_REPLACE, "cn", [b"x"])])[0])
    user.simple_bind_s("uid=user2," + PEOPLE, "password2")
    step("another user", user.whoami_s)
    user.simple_bind_s(ADMIN, password)
    step("the service again", user.whoami_s)
    step("delete", lambda: admin.delete_s("uid=renamed," + PEOPLE)[0])
    step("delete again", lambda: admin.delete_s("uid=renamed," + PEOPLE)[0])
    admin.unbind_s()
    user.unbind_s()


main()
