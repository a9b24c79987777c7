#!/usr/bin/python3
"""ldap3 (its own LDAP in Python) against the directory at a URI: python_ldap3.py URI."""
import os
import sys

import ldap3
from ldap3.core.exceptions import LDAPException

BASE = "dc=example,dc=com"
ADMIN = "cn=admin," + BASE
PEOPLE = "ou=people," + BASE
NEW = "uid=added," + PEOPLE


def step(name, action):
    try:
        said = action()
    except LDAPException as error:
        said = type(error).__name__
    print("%s: %r" % (name, said), flush=True)


def connect(name=None, password=None, info=ldap3.NONE, **more):
    server = ldap3.Server(sys.argv[1], get_info=info)
    return ldap3.Connection(server, name, password, auto_bind=True, **more)


def code(connection):
    return connection.result["result"]


def found(connection, *how, **more):
    connection.search(*how, **more)
    entries = [e for e in connection.response or [] if e["type"] == "searchResEntry"]
    return code(connection), sorted((e["dn"], sorted(e["attributes"].items())) for e in entries)


def told(connection, _):
    return code(connection)


def pages(connection, size):
    entries = connection.extend.standard.paged_search(
        BASE, "(uid=user*)", ldap3.SUBTREE, attributes=["uid"], paged_size=size, generator=True
    )
    return len(list(entries))


def dse():
    server = ldap3.Server(sys.argv[1], get_info=ldap3.DSA)
    connection = ldap3.Connection(server, auto_bind=True)
    return server.info.naming_contexts, connection.closed


def threads(password):
    connection = connect(ADMIN, password, client_strategy=ldap3.SAFE_SYNC)
    answers = [connection.search(BASE, "(uid=user%d)" % n, attributes=["uid"]) for n in range(10)]
    connection.unbind()
    return [(status, entries[0]["dn"]) for status, _, entries, _ in answers]


def main():
    password = os.environ["DIRECTORY_PASSWORD"]
    step("dse", dse)
    step("refused", lambda: connect(ADMIN, "wrong"))
    step("refused user", lambda: connect("uid=user1," + PEOPLE, "wrong"))
    admin = connect(ADMIN, password)
    whoami = admin.extend.standard.who_am_i
    step("whoami", whoami)
    step("search", lambda: found(admin, BASE, "(|(uid=user2)(uid=user3))", attributes=["uid", "cn", "mail"]))
    step("one level", lambda: found(admin, BASE, "(objectClass=*)", ldap3.LEVEL, attributes=["ou"]))
    step("missing", lambda: found(admin, "ou=missing," + BASE, "(uid=x)"))
    step("limited", lambda: found(admin, BASE, "(uid=user*)", attributes=["uid"], size_limit=4))
    step("pages", lambda: pages(admin, 3))
    step("one after the other", lambda: threads(password))
    attributes = {"uid": "added", "cn": "Jürgen", "sn": b"AB"}
    step("add", lambda: told(admin, admin.add(NEW, "inetOrgPerson", attributes)))
    step("add again", lambda: told(admin, admin.add(NEW, "inetOrgPerson", attributes)))
    changes = {"cn": [(ldap3.MODIFY_REPLACE, ["Changed"])], "mail": [(ldap3.MODIFY_ADD, ["a@b"])]}
    step("modify", lambda: told(admin, admin.modify(NEW, changes)))
    step("modified", lambda: found(admin, NEW, "(objectClass=*)", ldap3.BASE, attributes=["*"]))
    step("true", lambda: told(admin, admin.compare(NEW, "cn", "Changed")))
    step("false", lambda: told(admin, admin.compare(NEW, "cn", "Other")))
    step("rename", lambda: told(admin, admin.modify_dn(NEW, "uid=renamed")))
    step("password", lambda: admin.extend.standard.modify_password("uid=user5," + PEOPLE, new_password="changed"))
    step("new password", lambda: connect("uid=user5," + PEOPLE, "changed").extend.standard.who_am_i())
    user = connect("uid=user1," + PEOPLE, "password1")
    step("user", user.extend.standard.who_am_i)
    step("user's pages", lambda: pages(user, 4))
    step("user's write", lambda: told(user, user.modify("uid=renamed," + PEOPLE, {"cn": [(ldap3.MODIFY_REPLACE, ["x"])]})))
    step("rebind", lambda: told(user, user.rebind("uid=user2," + PEOPLE, "password2")))
    step("another user", user.extend.standard.who_am_i)
    step("delete", lambda: told(admin, admin.delete("uid=renamed," + PEOPLE)))
    step("delete again", lambda: told(admin, admin.delete("uid=renamed," + PEOPLE)))
    admin.unbind()
    user.unbind()


main()
