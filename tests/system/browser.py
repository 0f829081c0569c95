# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Chromium, driven by selenium."""
import tempfile

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync",
         "--ignore-certificate-errors", "--hide-scrollbars")


class Browser:
    def __init__(self, url, scripts=True, width=1440, height=1000, dark=False):
        self.url = url
        self.width = width
        self.profile = tempfile.TemporaryDirectory(prefix="rm-chromium-")
        options = webdriver.ChromeOptions()
        for flag in FLAGS:
            options.add_argument(flag)
        options.add_argument(f"--window-size={width},{height}")
        options.add_argument(f"--user-data-dir={self.profile.name}")
        if dark:
            options.add_argument("--force-dark-mode")
        if not scripts:
            options.add_experimental_option(
                "prefs",
                {"profile.managed_default_content_settings.javascript": 2})
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(
            service=Service("/usr/bin/chromedriver"), options=options)
        self.driver.set_page_load_timeout(30)
        # A window has a least width; a page has not.
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": False})

    def close(self):
        self.driver.quit()
        self.profile.cleanup()

    def open(self, path):
        self.driver.get(self.url + path)

    def path(self):
        return self.driver.current_url[len(self.url):]

    def find(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def text(self, css="main"):
        return self.find(css).text

    def texts(self, css):
        """Of every element, also of those that are scrolled away."""
        return self.driver.execute_script(
            "return Array.from(document.querySelectorAll(arguments[0]),"
            " e => e.textContent)", css)

    def fill(self, css, value):
        element = self.find(css)
        element.clear()
        element.send_keys(value)

    def click(self, css):
        self.find(css).click()

    def wait(self, what, condition, seconds=30):
        """condition() until it is true; elements may go stale meanwhile."""
        def look(_):
            try:
                return condition()
            except Exception:  # pylint: disable=broad-except
                return False
        return WebDriverWait(self.driver, seconds, 0.1).until(look, what)

    def errors(self):
        """What the page complained of: scripts, policy, missing files."""
        return [entry["message"] for entry in self.driver.get_log("browser")
                if entry["level"] in ("SEVERE", "WARNING")]

    def sideways(self):
        """Pixels by which the page can be scrolled sideways."""
        return self.driver.execute_script(
            "return document.documentElement.scrollWidth"
            " - document.documentElement.clientWidth")
