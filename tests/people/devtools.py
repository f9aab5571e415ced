"""A browser for tests: headless Chromium, spoken to over its DevTools protocol."""

import asyncio
import base64
import json
import subprocess
import time
from pathlib import Path

from tests.viewers import CHROMIUM
from tornado.websocket import websocket_connect

CODES = {"Enter": 13, "Tab": 9, "Escape": 27}


class Browser:
    """One page of a headless Chromium that reaches no network and keeps its downloads in a folder."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 800):
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        profile = folder / "profile"
        command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
        command += [
            f"--user-data-dir={profile}",
            f"--window-size={width},{height}",
            "--host-resolver-rules=MAP * ~NOTFOUND",
        ]
        command += ["--remote-allow-origins=*", "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.loop = asyncio.new_event_loop()
        self.count = 0
        port = profile / "DevToolsActivePort"
        end = time.monotonic() + 60
        while not (port.exists() and len(lines := port.read_text().split()) == 2):
            assert time.monotonic() < end, "Chromium did not start"
            time.sleep(0.05)
        address = f"ws://127.0.0.1:{lines[0]}{lines[1]}"
        self.socket = self.loop.run_until_complete(self._connect(address))
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads), session="")
        self.resize(width, height)

    async def _connect(self, address: str):
        return await websocket_connect(address, max_message_size=1 << 28)

    def send(self, method: str, session: str | None = None, **parameters) -> dict:
        """Return the browser's answer to a command."""
        return self.loop.run_until_complete(self._send(method, session, parameters))

    async def _send(self, method: str, session: str | None, parameters: dict) -> dict:
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        if session is None and hasattr(self, "session"):
            message["sessionId"] = self.session
        await self.socket.write_message(json.dumps(message))
        while True:
            reply = await asyncio.wait_for(self.socket.read_message(), 120)
            assert reply is not None, "Chromium ended"
            answer = json.loads(reply)
            if answer.get("id") == message["id"]:
                assert "error" not in answer, answer
                return answer["result"]

    def resize(self, width: int, height: int) -> None:
        """Give the page another size in pixels."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)

    def run(self, script: str):
        """Return the value of a JavaScript expression in the page; a promise is waited for."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str, seconds: float = 60):
        """Wait until a JavaScript expression is true and return its value."""
        end = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)
        return value

    def open(self, path: Path) -> None:
        """Open a file as the page."""
        self.send("Page.navigate", url=path.resolve().as_uri())
        self.wait("document.readyState === 'complete' && location.protocol === 'file:'")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key, named as in KeyboardEvent.key, as a person would."""
        same = {"key": key, "modifiers": 8 if shift else 0}
        if len(key) == 1:
            same["text"] = key
        elif key == "Enter":
            same["text"] = "\r"
        code = CODES.get(key)
        if code:
            same["windowsVirtualKeyCode"] = code
        self.send("Input.dispatchKeyEvent", type="keyDown", **same)
        self.send("Input.dispatchKeyEvent", type="keyUp", **{k: v for k, v in same.items() if k != "text"})

    def click(self, selector: str) -> None:
        """Click by mouse on the middle of the first element that a CSS selector finds."""
        box = self.run(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])"
            f"(document.querySelector({selector!r}).getBoundingClientRect())"
        )
        same = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, **same)

    def downloaded(self, name: str, seconds: float = 30) -> Path:
        """Return a finished download."""
        end = time.monotonic() + seconds
        while not (self.downloads / name).exists():
            assert time.monotonic() < end, f"no {name}: {sorted(p.name for p in self.downloads.iterdir())}"
            time.sleep(0.05)
        return self.downloads / name

    def screenshot(self, path: Path) -> None:
        """Save what is seen as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def close(self) -> None:
        """End the browser."""
        try:
            self.send("Browser.close", session="")
            self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.socket.close()
            self.loop.run_until_complete(asyncio.sleep(0))
            self.loop.close()
