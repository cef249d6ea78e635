"""Thunderbird on a screen that nobody sees: a fresh profile, its own home, remote-controlled, loopback only."""

from __future__ import annotations

import re
import ssl
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

from mss_gateway.dev.handout import Account, Handout

from .foreign import Daemon, ForeignFailure, require_program
from .marionette import Marionette

START_SECONDS = 90.0
"""How long a slow machine may take to start it."""
SCREEN = (1280, 900)
"""Width and height of the screen and of the window, in pixels."""
PREFERENCES: dict[str, bool | int | str] = {
    "marionette.port": 0,  # it chooses a free one and writes it into the profile
    # Whatever name it asks for is this machine: nothing can leave.
    "network.dns.forceResolve": "127.0.0.1",
    "network.dns.disableIPv6": True,
    "network.proxy.type": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "security.OCSP.enabled": 0,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "app.update.enabled": False,
    "app.update.disabledForTesting": True,
    "extensions.update.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "datareporting.policy.dataSubmissionPolicyBypassNotification": True,
    "toolkit.telemetry.enabled": False,
    "toolkit.telemetry.server": "",
    "mail.inappnotifications.enabled": False,
    "mailnews.start_page.enabled": False,
    "mailnews.start_page_override.mstone": "ignore",
    "mail.provider.suppress_dialog_on_startup": True,
    "mail.spotlight.firstRunDone": True,
    "mail.shell.checkDefaultClient": False,
    "mail.rights.version": 1,
    "mail.chat.enabled": False,
    "calendar.timezone.local": "Europe/Paris",
}
"""No first-run pages, no updates, no telemetry, no traffic but to this machine."""

_PRELUDE = """
const [given] = arguments;
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const until = async (what, test) => {
  const limit = Date.now() + 45000;
  for (let fault = ""; ; ) {
    try {
      const found = await test();
      if (found) return found;
    } catch (error) {
      fault = error;  // parts of windows and folders are not there at first
    }
    await new Promise(done => setTimeout(done, 20));
    if (Date.now() > limit) throw new Error("did not come: " + what + " " + fault);
  }
};
const account = () => MailServices.accounts.defaultAccount;
const root = () => account().incomingServer.rootFolder;
const folder = name => until("folder " + name, () => name in Ci.nsMsgFolderFlags
  ? root().getFolderWithFlags(Ci.nsMsgFolderFlags[name])
  : root().descendants.find(one => one.localizedName == name || one.URI.endsWith("/" + name)));
const pane = () => document.getElementById("tabmail")?.currentAbout3Pane;
const subjects = (box, subject) => [...box.messages].filter(one => one.mime2DecodedSubject == subject);
"""

_ACCOUNT = """
const { AccountConfig } = ChromeUtils.importESModule(
  "resource:///modules/accountcreation/AccountConfig.sys.mjs");
const { CreateInBackend } = ChromeUtils.importESModule(
  "resource:///modules/accountcreation/CreateInBackend.sys.mjs");
window.moveTo(0, 0);
window.resizeTo(...given.screen);
Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(given.ca, "C,,");
const config = new AccountConfig();
config.identity = { realname: "Médecin Exemple", emailAddress: given.address };
config.rememberPassword = true;
const both = { hostname: "localhost", username: given.login, password: given.password,
  auth: Ci.nsMsgAuthMethod.passwordCleartext };
Object.assign(config.incoming, both,
  { type: "imap", port: given.imaps, socketType: Ci.nsMsgSocketType.SSL });
Object.assign(config.outgoing, both,
  { type: "smtp", port: given.submission, socketType: Ci.nsMsgSocketType.alwaysSTARTTLS });
await CreateInBackend.createAccountInBackend(config);
"""

_DISCOVER = """
const { AccountConfig } = ChromeUtils.importESModule(
  "resource:///modules/accountcreation/AccountConfig.sys.mjs");
const { CreateInBackend } = ChromeUtils.importESModule(
  "resource:///modules/accountcreation/CreateInBackend.sys.mjs");
const { FetchConfig } = ChromeUtils.importESModule(
  "resource:///modules/accountcreation/FetchConfig.sys.mjs");
window.moveTo(0, 0);
window.resizeTo(...given.screen);
const database = Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB);
for (const ca of given.cas) database.addCertFromBase64(ca, "C,,");
Services.prefs.setStringPref("network.proxy.ssl", "127.0.0.1");
Services.prefs.setIntPref("network.proxy.ssl_port", given.proxy);
Services.prefs.setIntPref("network.proxy.type", 1);
const domain = given.address.split("@")[1];
const config = await FetchConfig.fromISP(domain, given.address, new AbortController().signal);
AccountConfig.replaceVariables(config, "Médecin Exemple", given.address, given.password);
config.rememberPassword = true;
for (const one of [config.incoming, config.outgoing]) one.password = given.password;
const told = one => [one.type, one.hostname, one.port, one.username,
  one.socketType == Ci.nsMsgSocketType.SSL, one.auth == Ci.nsMsgAuthMethod.passwordCleartext];
const found = [config.source, config.subSource, told(config.incoming), told(config.outgoing),
  config.incomingAlternatives.map(told), config.outgoingAlternatives.map(told)];
await CreateInBackend.createAccountInBackend(config);
return found;
"""

_OPEN = """
pane().displayFolder((await folder(given.folder)).URI);
"""

_CREATE = """
root().createSubfolder(given.name, null);
await folder(given.name);
"""

_READ = """
const box = await folder(given.folder);
pane().displayFolder(box.URI);
const [header] = await until("message", () => {
  const found = subjects(box, given.subject);
  return found.length && found;
});
pane().selectMessage(header);
return until("its text", () => {
  const page = pane().messageBrowser.contentWindow?.getMessagePaneBrowser?.()?.contentDocument;
  const text = page?.querySelector(".moz-text-plain, .moz-text-flowed")?.textContent;
  return text && page.documentURI.endsWith("%3E" + header.messageKey) ? text : null;
});
"""

_FLAG = """
pane().commandController.doCommand("cmd_markAsFlagged");
"""

_MOVE = """
const [from, to] = [await folder(given.from), await folder(given.to)];
pane().commandController.doCommand("cmd_moveMessage", to);
await until("the message gone", () => !subjects(from, given.subject).length);
"""

_SEND = """
const fields = Cc["@mozilla.org/messengercompose/composefields;1"].createInstance(Ci.nsIMsgCompFields);
Object.assign(fields, { to: given.to, subject: given.subject, body: given.text });
const letter = Cc["@mozilla.org/messengercompose/composeparams;1"].createInstance(Ci.nsIMsgComposeParams);
Object.assign(letter, { composeFields: fields, type: Ci.nsIMsgCompType.New,
  format: Ci.nsIMsgCompFormat.PlainText, identity: account().defaultIdentity });
MailServices.compose.OpenComposeWindowWithParams(null, letter);
const composer = await until("the composer", () => {
  const one = Services.wm.getMostRecentWindow("msgcompose");
  return one?.composeEditorReady ? one : null;
});
composer.goDoCommand("cmd_sendNow");
await until("the composer closed after sending", () => composer.closed);
"""


class Thunderbird:
    """A running Thunderbird below one scratch folder; `close` ends it and its screen."""

    def __init__(self, root: Path) -> None:
        screen = [require_program("Xvfb"), "-displayfd", "1", "-nolisten", "tcp"]
        screen += ["-screen", "0", "{}x{}x24".format(*SCREEN)]
        self._screen = Daemon("Xvfb", screen, root / "xvfb.log")
        self._profile = root / "profile"
        self._program = require_program("thunderbird")
        self._root = root
        self._mail: Daemon | None = None
        self._remote: Marionette | None = None

    def start(self) -> None:
        """Start screen and program; raises `ForeignFailure` when one does not come."""
        self._screen.start(lambda: bool(self._display()))
        (self._root / "home").mkdir()
        self._profile.mkdir()
        lines = (f"user_pref({_js(name)}, {_js(value)});\n" for name, value in PREFERENCES.items())
        (self._profile / "user.js").write_text("".join(lines), encoding="utf-8")
        environment = {
            "HOME": str(self._root / "home"),
            "XDG_RUNTIME_DIR": str(self._root / "home"),
            "TMPDIR": str(self._root / "home"),
            "DISPLAY": f":{self._display()}",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
            "NO_AT_BRIDGE": "1",
            "MOZ_CRASHREPORTER_DISABLE": "1",
            "MOZ_LOG": "sync,IMAP:4,SMTP:4",
            "MOZ_LOG_FILE": str(self._root / "dialogue"),
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "TZ": "Europe/Paris",
        }
        command = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), self._program]
        command += ["--profile", str(self._profile), "--no-remote"]
        command += ["--marionette", "--remote-allow-system-access"]
        self._mail = Daemon("thunderbird", command, self._root / "thunderbird.log")
        self._mail.start(lambda: True)
        self._remote = Marionette(self._port(), START_SECONDS)
        self._ask("""await until("its window", () => pane()?.commandController);""")

    def close(self) -> None:
        """End program and screen."""
        try:
            if self._remote is not None:
                self._remote.quit()
        finally:
            if self._mail is not None:
                self._mail.stop()
            self._screen.stop()

    def add_account(self, handout: Handout, account: Account) -> None:
        """What the account wizard does in the end; the sample authority becomes a trusted one before it."""
        pem = Path(handout.ca).read_text(encoding="ascii")
        first = pem[: pem.index("-----END") + len("-----END CERTIFICATE-----")]
        self._ask(
            _ACCOUNT,
            ca=b64encode(ssl.PEM_cert_to_DER_cert(first)).decode(),
            screen=SCREEN,
            address=account.address,
            login=account.login,
            password=account.password,
            imaps=handout.ports.imaps,
            submission=handout.ports.submission,
        )

    def discover_account(self, address: str, password: str, proxy: int, *cas: str) -> Any:
        """Find the settings as the account hub does, from the address alone, and make the account of them.

        `cas` are PEM texts; HTTPS goes to the proxy's port. What was found: source, incoming, outgoing, others.
        """
        der = [b64encode(ssl.PEM_cert_to_DER_cert(one)).decode() for one in cas]
        return self._ask(_DISCOVER, address=address, password=password, proxy=proxy, cas=der, screen=SCREEN)

    def open(self, folder: str) -> None:
        """Show a folder, by its use (Inbox, Archive, SentMail, Trash), its name, or its path."""
        self._ask(_OPEN, folder=folder)

    def create(self, name: str) -> None:
        """Make a folder and wait until the tree shows it."""
        self._ask(_CREATE, name=name)

    def read(self, folder: str, subject: str) -> str:
        """Select a message once it is in the folder; the text that the message pane shows."""
        return str(self._ask(_READ, folder=folder, subject=subject))

    def flag(self) -> None:
        """Put a star on the selected message."""
        self._ask(_FLAG)

    def move(self, source: str, target: str, subject: str) -> None:
        """Move the selected message."""
        self._ask(_MOVE, **{"from": source, "to": target, "subject": subject})

    def send(self, to: str, subject: str, text: str) -> None:
        """Write in a composer window, send, and wait until it has closed itself."""
        self._ask(_SEND, to=to, subject=subject, text=text)

    def refusals(self) -> list[str]:
        """What the gateway answered NO or BAD over IMAP."""
        said = re.compile(r"CreateNewLineFromSocket: (\S+ (?:NO|BAD) .*)")
        logs = self._root.glob("dialogue*.moz_log")
        return [line for log in logs for line in said.findall(log.read_text(errors="replace"))]

    def screenshot(self) -> bytes:
        """What the main window shows, as PNG."""
        assert self._remote is not None
        time.sleep(0.5)  # for the last paint: nothing tells of it
        return self._remote.screenshot()

    def _ask(self, script: str, **given: object) -> Any:
        assert self._remote is not None
        return self._remote.run(_PRELUDE + script, given)

    def _port(self) -> int:
        """Where it is remote-controlled; it takes its time on a slow machine."""
        assert self._mail is not None
        path = self._profile / "MarionetteActivePort"
        limit = time.monotonic() + START_SECONDS
        while not (text := path.read_text(encoding="ascii") if path.exists() else ""):
            if time.monotonic() > limit:
                raise ForeignFailure(f"thunderbird does not listen\n{self._mail.log_tail()}")
            assert self._mail.pid  # raises with its log when it has ended
            time.sleep(0.05)
        return int(text)

    def _display(self) -> str:
        log = self._root / "xvfb.log"
        return next((line for line in log.read_text(errors="replace").splitlines() if line.isdigit()), "")


def _js(value: bool | int | str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else '"' + value.replace('"', '\\"') + '"'
