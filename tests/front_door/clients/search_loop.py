#!/usr/bin/python3
"""A client that knows one URL: searches on one connection, over and over, until the file STOP exists.

search_loop.py ldap|ldap3 URI STOP, with the password of cn=admin in DIRECTORY_PASSWORD. Prints a line a search: "ok", or what
it was told; then "end".
"""
import os
import sys

BASE = "dc=example,dc=com"
NAME = "cn=admin," + BASE
PASSWORD = os.environ["DIRECTORY_PASSWORD"]


class WithLdap:
    def __init__(self, uri):
        import ldap

        self.module = ldap
        self.uri = uri
        self.connection = None

    def search(self, uid):
        try:
            if self.connection is None:
                self.connection = self.module.initialize(self.uri)
                self.connection.simple_bind_s(NAME, PASSWORD)
            found = self.connection.search_s(BASE, self.module.SCOPE_SUBTREE, "(uid=%s)" % uid, ["uid"])
        except self.module.LDAPError as error:
            self.connection = None
            return repr(error)
        return "ok" if [entry for entry in found if entry[0]] else "found nothing"


class WithLdap3:
    def __init__(self, uri):
        import ldap3

        self.module = ldap3
        self.server = ldap3.Server(uri, get_info=ldap3.NONE)
        self.connection = None

    def search(self, uid):
        try:
            if self.connection is None:
                self.connection = self.module.Connection(self.server, NAME, PASSWORD, auto_bind=True)
            self.connection.search(BASE, "(uid=%s)" % uid, attributes=["uid"])
        except self.module.core.exceptions.LDAPException as error:
            self.connection = None
            return repr(error)
        result = self.connection.result
        if result["result"] != 0:
            return repr(result)
        return "ok" if self.connection.entries else "found nothing"


def main():
    kind, uri, stop = sys.argv[1:]
    client = WithLdap(uri) if kind == "ldap" else WithLdap3(uri)
    turn = 0
    while not os.path.exists(stop):
        print(client.search("user%d" % (turn % 10)), flush=True)
        turn += 1
    print("end", flush=True)


main()
