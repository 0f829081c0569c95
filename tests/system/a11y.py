# SPDX-License-Identifier: GPL-3.0-or-later
"""Accessibility of a page as Chromium has it: the rules of a11y.js, the names
in its accessibility tree, and the way the focus takes."""
import pathlib

SCRIPT = (pathlib.Path(__file__).parent / "a11y.js").read_text()

# Roles that somebody operates, and pictures: a name is all they are to a
# reader who does not see them.
NAMED = {"button", "checkbox", "combobox", "DisclosureTriangle", "image", "img",
         "link", "listbox", "menuitem", "meter", "option", "progressbar",
         "radio", "searchbox", "slider", "spinbutton", "switch", "tab",
         "textbox", "dialog", "table", "region", "form"}
MAY_BE_NAMELESS = {"table", "form"}
STATES_ON_ROLES = {
    "aria-checked": {"checkbox", "radio", "switch", "option", "menuitemradio"},
    "aria-selected": {"option", "tab", "row", "gridcell", "columnheader"},
}

TAB = """
const e = document.activeElement;
if (!e || e === document.body) return null;
const s = getComputedStyle(e);
const row = e.closest('tr, li');
const ring = [s, getComputedStyle(e, '::after'), row && getComputedStyle(row)]
  .some(x => x && x.outlineStyle !== 'none' && parseFloat(x.outlineWidth) >= 2);
const all = Array.from(document.querySelectorAll('*'));
const b = e.getBoundingClientRect();
return {at: all.indexOf(e), ring: ring,
        seen: b.bottom > 0 && b.top < innerHeight,
        what: `${e.localName}#${e.id}.${e.className} "${
          (e.textContent || e.value || '').trim().slice(0, 30)}"`};"""


def names(browser):
    """Operable things and pictures that have no name."""
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
    bad = []
    for node in tree["nodes"]:
        if node.get("ignored"):
            continue
        role = node.get("role", {}).get("value", "")
        name = str(node.get("name", {}).get("value", "")).strip()
        if role in NAMED - MAY_BE_NAMELESS and not name:
            html = outer(browser, node.get("backendDOMNodeId"))
            bad.append(f"{role} has no name: {html}")
    return bad


def outer(browser, backend):
    try:
        return browser.driver.execute_cdp_cmd(
            "DOM.getOuterHTML", {"backendNodeId": backend})["outerHTML"][:160]
    except Exception:  # pylint: disable=broad-except
        return "(gone)"


def violations(browser):
    """Sentences; none when the page is well."""
    return browser.driver.execute_script(SCRIPT) + names(browser)


def tab_round(browser, most=400):
    """Goes through the page by Tab: what is wrong with the way, and the
    elements on it."""
    from selenium.webdriver.common.keys import Keys
    bad, way = [], []
    body = browser.find("body")
    browser.driver.execute_script(
        "document.activeElement?.blur(); window.scrollTo(0, 0);")
    for _ in range(most):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        at = browser.driver.execute_script(TAB)
        if at is None or any(at["at"] == old["at"] for old in way):
            break
        if way and at["at"] < way[-1]["at"]:
            bad.append(f"focus goes back to {at['what']}")
        if not at["ring"]:
            bad.append(f"focus cannot be seen on {at['what']}")
        if not at["seen"]:
            bad.append(f"focus is outside the window on {at['what']}")
        way.append(at)
    assert body is not None
    return bad, way
