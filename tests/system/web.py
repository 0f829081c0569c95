# SPDX-License-Identifier: GPL-3.0-or-later
"""A browser without scripts: cookies, forms, and how refusals are worded."""
import http.client
import re
import urllib.parse

from lab import PASSWORD, Client

FORM = "application/x-www-form-urlencoded"


def error(answer, status, code):
    """A refusal as the API words it."""
    assert answer.status == status, (answer.status, answer.body[:300])
    body = answer.json()
    assert set(body) - {"field"} == {"code", "message"}
    assert body["code"] == code and body["message"]
    return body["message"]


def form_token(answer):
    return re.search(r'name="csrf" value="([^"]+)"', answer.text).group(1)


class Browser(Client):
    """Keeps every cookie and sends forms."""

    def __init__(self, port):
        super().__init__(port)
        self.jar = {}

    def request(self, method, path, body=None, headers=None):
        headers = {"Accept": "text/html,*/*;q=0.8", **(headers or {})}
        if self.jar:
            headers["Cookie"] = "; ".join(
                f"{k}={v}" for k, v in self.jar.items())
        answer = super().request(method, path, body, headers)
        for value in answer.headers.get_all("Set-Cookie") or []:
            name, _, text = value.split(";")[0].partition("=")
            self.jar[name] = text
        return answer

    def send(self, page, path, **fields):
        """Loads the page, fills its form in and posts it."""
        fields.setdefault("csrf", form_token(self.get(page)))
        return self.request("POST", path, urllib.parse.urlencode(fields),
                            {"Content-Type": FORM, "Origin":
                             f"https://127.0.0.1:{self.port}"})

    def sign_in(self):
        answer = self.send("/login", "/login", username="admin",
                           password=PASSWORD)
        assert answer.status == 303, answer.status
        return self


def open_stream(console, path):
    conn = http.client.HTTPSConnection("127.0.0.1", console.port, timeout=10,
                                       context=console.client.tls)
    conn.request("GET", path, headers={"Cookie": console.client.cookie,
                                       "Accept": "text/event-stream"})
    return conn, conn.getresponse()
