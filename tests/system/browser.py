# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Chromium, driven by selenium."""
import re
import subprocess
import tempfile
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common import utils
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--remote-debugging-address=127.0.0.1",
         "--ignore-certificate-errors", "--hide-scrollbars")


class Driver(Service):
    """chromedriver by its address: a bare chroot has no /etc/hosts, so that
    "localhost" may be unknown."""

    @property
    def service_url(self):
        return f"http://127.0.0.1:{self.port}"

    def is_connectable(self):
        return utils.is_connectable(self.port, "127.0.0.1")


def start_chromium(flags):
    """The process, and the address it listens at for chromedriver, which
    would call it by name."""
    process = subprocess.Popen(
        ["/usr/bin/chromium", *flags, "--remote-debugging-port=0",
         "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL)
    profile = next(f for f in flags if f.startswith("--user-data-dir="))
    path = profile.split("=", 1)[1] + "/DevToolsActivePort"
    end = time.monotonic() + 90
    while time.monotonic() < end and process.poll() is None:
        try:
            with open(path, encoding="ascii") as file:
                port = file.readline()
        except FileNotFoundError:
            port = ""
        if port.endswith("\n"):  # else it is being written
            return process, "127.0.0.1:" + port.strip()
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError("Chromium did not start")


class Browser:
    def __init__(self, url, scripts=True, width=1440, height=1000, dark=False):
        self.url = url
        self.width = width
        self.profile = tempfile.TemporaryDirectory(
            prefix="rm-chromium-", ignore_cleanup_errors=True)
        flags = list(FLAGS) + [f"--window-size={width},{height}",
                               f"--user-data-dir={self.profile.name}"]
        flags += ["--force-dark-mode"] if dark else []
        flags += [] if scripts else ["--blink-settings=scriptEnabled=false"]
        self.process, address = start_chromium(flags)
        options = webdriver.ChromeOptions()
        options.debugger_address = address
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(
            service=Driver("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(90)
        # A window has a least width; a page has not.
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": False})

    def close(self):
        self.driver.quit()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.profile.cleanup()

    def open(self, path):
        self.driver.get(self.url + path)

    def path(self):
        return self.driver.current_url[len(self.url):]

    def find(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def steady(self, css, act):
        """act(element); again where a live region was renewed meanwhile."""
        for _ in range(50):
            try:
                return act(self.find(css))
            except StaleElementReferenceException:
                time.sleep(0.02)
        return act(self.find(css))

    def text(self, css="main"):
        return self.steady(css, lambda element: element.text)

    def texts(self, css):
        """Of every element, also of those that are scrolled away."""
        return self.driver.execute_script(
            "return Array.from(document.querySelectorAll(arguments[0]),"
            " e => e.textContent)", css)

    def fill(self, css, value):
        def type_it(element):
            element.clear()
            element.send_keys(value)
        self.steady(css, type_it)

    def click(self, css):
        self.steady(css, lambda element: element.click())

    def go(self, css):
        """Clicks what leads to a page; back when that page is there, so
        that nothing is looked for in the page that goes."""
        old = self.find("html")
        self.click(css)
        self.wait("the next page", lambda: self.gone(old))
        self.wait("all of the page", lambda: self.driver.execute_script(
            "return document.readyState") == "complete")

    @staticmethod
    def gone(element):
        try:
            element.is_enabled()
            return False
        except StaleElementReferenceException:
            return True

    def wait(self, what, condition, seconds=60):
        """condition() until it is true; elements may go stale meanwhile."""
        def look(_):
            try:
                return condition()
            except Exception:  # pylint: disable=broad-except
                return False
        return WebDriverWait(self.driver, seconds, 0.1).until(look, what)

    def enrol_token(self):
        """The one in the install command that the page shows."""
        return re.search(r"[\w-]{43}\.[\w-]{43}", self.text()).group()

    def errors(self):
        """What the page complained of: scripts, policy, missing files."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def sideways(self):
        """Pixels by which the page can be scrolled sideways."""
        return self.driver.execute_script(
            "return document.documentElement.scrollWidth"
            " - document.documentElement.clientWidth")
