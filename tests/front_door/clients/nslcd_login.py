"""Asks a running nslcd, as its NSS and PAM modules do (nslcd.h, protocol 2): who is that user, and may he log in?

usage: nslcd_login.py SOCKET USER   (the password in PASSWORD)
Prints the user's number and home, and "accepted" or "refused".
"""
import os
import socket
import struct
import sys

PASSWD_BYNAME, PAM_AUTHC = 0x00080001, 0x000D0001
BEGIN, END = 1, 2
SUCCESS, AUTH_ERR = 0, 7


class Question:
    def __init__(self, path, action, *texts):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(path)
        request = struct.pack(">ii", 2, action)
        for text in texts:
            raw = text.encode()
            request += struct.pack(">i", len(raw)) + raw
        self.socket.sendall(request)
        version, answered = self.number(), self.number()
        if (version, answered) != (2, action):
            sys.exit(f"not an answer: version {version}, action {answered:#x}")

    def number(self):
        return struct.unpack(">i", self.bytes(4))[0]

    def text(self):
        return self.bytes(self.number()).decode()

    def bytes(self, size):
        got = b""
        while len(got) < size:
            part = self.socket.recv(size - len(got))
            if not part:
                sys.exit("nslcd closed the connection")
            got += part
        return got


path, user = sys.argv[1:3]
entry = Question(path, PASSWD_BYNAME, user)
if entry.number() == END:
    print("unknown")
    sys.exit()
name, _, uid, gid = entry.text(), entry.text(), entry.number(), entry.number()
entry.text()
print(name, uid, gid, entry.text())
login = Question(path, PAM_AUTHC, user, "test", "", "", "", os.environ["PASSWORD"])
if login.number() != BEGIN:
    sys.exit("no word of the login")
verdict = login.number()
if verdict not in (SUCCESS, AUTH_ERR):
    sys.exit(f"neither accepted nor refused: {verdict}")
print("accepted" if verdict == SUCCESS else "refused")
