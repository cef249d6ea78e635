"""Words that mean something to the readers under test, and whole inputs to begin with."""

from __future__ import annotations

from tests.support.ugly import LETTERS

NUMBERS = (
    b"0",
    b"1",
    b"4294967295",
    b"4294967296",
    b"9223372036854775807",
    b"18446744073709551616",
    b"-1",
    b"00",
)
"""Numbers at the edges of 32 and 64 bits."""

FRAMING = (
    b"\r\n", b"\r\n", b"\r", b"\n", b"\0", b"{3}", b"{3+}", b"{0+}", b"~{3+}", b"{-1}", b"{99999999999+}", b"{70000+}",
    b"}", b"{", b"+", b"abc\r\n", b"x NOOP\r\n", b"x LOGOUT\r\n", b"DONE\r\n", b"*\r\n", b"AHgAeQ==\r\n",
)  # fmt: skip
"""Line ends, literals and continuations."""

COMMANDS = (
    b"CAPABILITY", b"NOOP", b"LOGOUT", b"ID NIL", b"STARTTLS", b"AUTHENTICATE PLAIN", b"LOGIN", b"ENABLE", b"IDLE",
    b"UNAUTHENTICATE", b"SELECT", b"EXAMINE", b"CREATE", b"DELETE", b"RENAME", b"SUBSCRIBE", b"LIST", b"LSUB",
    b"NAMESPACE", b"STATUS", b"GETACL", b"SETACL", b"LISTRIGHTS", b"MYRIGHTS", b"GETMETADATA", b"SETMETADATA",
    b"GETQUOTAROOT", b"COMPRESS DEFLATE", b"CLOSE", b"UNSELECT", b"EXPUNGE", b"SEARCH", b"ESEARCH", b"CANCELUPDATE",
    b"SORT", b"THREAD", b"FETCH", b"STORE", b"COPY", b"MOVE", b"APPEND", b"REPLACE", b"CATENATE", b"UID", b"NOTIFY",
    b"COMPARATOR",
)  # fmt: skip
"""Verbs."""

ARGUMENTS = (
    b" ", b"(", b")", b"((((((((", b"))))))))", b'"', b"\\", b'"INBOX"', b"inbox", b"&AOk-", b"&", b"%", b"*", b"1:*",
    b"$", b"*:4294967295", b"1,3:5", b"RETURN (", b"PARTIAL -1:-100", b"SAVE", b"COUNT", b"STATUS (MESSAGES SIZE)",
    b"BODY[", b"]", b"BODY.PEEK[HEADER.FIELDS (", b"BINARY[1.2]<0.5>", b"<1.99>", b"ENVELOPE", b"MODSEQ",
    b"(CHANGEDSINCE 5 VANISHED)", b"(UNCHANGEDSINCE 5)", b"+FLAGS.SILENT", b"\\Seen", b"\\*", b"NIL",
    b"(QRESYNC (1 2 1:9", b"UTF8 (", b"URL", b'"01-Jan-2026 00:00:00 +0000"', b"(USE (\\Sent))", b"DEPTH infinity",
    b"/shared/comment", b"lrswipkxtea", b"REFERENCES", b"ORDEREDSUBJECT", b"(REVERSE DATE)",
    b"\xc3\xa9", b"\xff", b"\x7f",
)  # fmt: skip
"""Pieces of arguments."""

SEARCH = (
    b"ALL", b"NOT ", b"OR ", b"(", b")", b"ANSWERED", b"UNSEEN", b"NEW", b"KEYWORD $MDNSent", b"BEFORE 1-Jan-2026",
    b"SENTSINCE 31-Dec-1999", b"ON 32-Feb-0000", b'SUBJECT "e"', b"FROM a", b'HEADER X-Y ""', b"BODY ", b"TEXT b",
    b"LARGER 5", b"SMALLER 0", b"UID 1:*", b"UIDAFTER 3", b"1:3,*", b"$", b"MODSEQ 1", b"YOUNGER 5",
    b'MODSEQ "/flags/\\\\Seen" all 7', b"OLDER 4294967295", b"SAVEDON 1-Jan-2026", b"EMAILID M1", b"THREADID T1",
    b"FUZZY ", b"CHARSET UTF-8 ", b"CHARSET X ", b'"\xc3\xa9"', b" ", b"  ",
    b"\xcc\x81", b"\xe2\x80\x8d", b"\xef\xac\x81",
)  # fmt: skip
"""Search keys."""

MIME = (
    b"\r\n", b"\n", b"\r\n\r\n", b"--", b"--b", b"--b--", b"--b\r\n", b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n", b"Content-Type: text/html; charset=x\r\n",
    b"Content-Type: multipart/digest\r\n", b"Content-Transfer-Encoding: base64\r\n", b"Subject: ", b"From: ",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"To: ", b"Date: ", b"Message-ID: <", b"References: <a@b> ", b"=?utf-8?b?", b"=?x?q?", b"?=", b"=\r\n", b"=C3=A9",
    b"filename*0*=utf-8''a; filename*1=", b"; boundary=", b'"', b"\\", b"(", b")", b"<", b">", b"@", b",", b";", b":",
    b"Re: ", b"[x]", b"(fwd)", b"[fwd: ", b" \t", b"\0", b"\xff", b"\xc3\xa9", b"QUJD", b"<b>", b"&amp;", b"<style>",
)  # fmt: skip
"""Pieces of letters."""

STREAMS = (
    b"a NOOP\r\nb SELECT INBOX\r\nc FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (DATE)])\r\n",
    b"a LOGIN {1+}\r\nu {1+}\r\np\r\n",
    b"a AUTHENTICATE PLAIN\r\nAHgAeQ==\r\nb IDLE\r\nDONE\r\n",
    b'a APPEND INBOX (\\Seen) {3+}\r\nabc {2+}\r\nde\r\nb APPEND INBOX CATENATE (URL "/x" TEXT {1+}\r\nz)\r\n',
    b"a SEARCH TEXT {3+}\r\nabc\r\nb UID STORE 1 +FLAGS (\\Seen x)\r\nc LOGOUT\r\n",
)
"""Conversations."""

LINES = (
    b'a LIST (SUBSCRIBED) "" ("%" "*") RETURN (CHILDREN STATUS (MESSAGES UNSEEN))',
    b"a UID FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE BODY[1.2.HEADER]<0.10>) (CHANGEDSINCE 5 VANISHED)",
    b"a SELECT INBOX (QRESYNC (67890007 20050715194045000 41,43:211,214:541 (1,3 1,3)))",
    b"a SORT RETURN (PARTIAL 1:5 COUNT) (REVERSE DATE SUBJECT) UTF-8 OR SEEN (NOT FROM x)",
    b"a THREAD REFERENCES UTF-8 ALL",
    b"a STORE 1:3 (UNCHANGEDSINCE 12) -FLAGS.SILENT (\\Seen $Done)",
    b'a SETMETADATA INBOX (/private/comment "x" /shared/comment NIL)',
    b"a ESEARCH IN (mailboxes (a b) subtree-one c) RETURN (ALL) SUBJECT x",
    b"a STATUS {5}\nInbox\n (MESSAGES SIZE)",
    b'a GETMETADATA (DEPTH infinity MAXSIZE 10) "" (/shared/comment)',
    b"a SETACL INBOX bob +lrs",
    b"a NOTIFY SET STATUS (selected (MessageNew (UID BODY.PEEK[TEXT]) MessageExpunge)) (subtree (a b) NONE)",
    b"a SEARCH RETURN (UPDATE (UID FLAGS)) ALL",
    b'a RENAME a "b/c"',
)
"""Commands; a line feed stands before and after what is a literal."""

SEARCHES = (
    b"OR SUBJECT bilan (NOT FROM anne SENTSINCE 1-Jan-2026)\nFrom: anne@x\r\nSubject: Bilan\r\n\r\n",
    b'CHARSET UTF-8 SUBJECT "\xc3\xa9t\xc3\xa9"\nSubject: =?utf-8?q?=C3=89T=C3=89?=\r\n\r\n',
    b"UID 1:* NOT 2 UNSEEN LARGER 5 MODSEQ 3 YOUNGER 60\n\r\n",
)
"""Search programs, a line feed, and a header to hold them against."""

MAIL = tuple(LETTERS.values())
"""Ugly letters."""
