"""The status page as a person sees and uses it, in a real browser in front of real instances."""

import json
from pathlib import Path

import pytest

from tests.browser.devtools import Browser
from tests.browser.stage import LONG, STREAM, TOKEN, Stage

CARD = f"document.querySelector('[data-stream={json.dumps(STREAM)}]')"
SHOWN = f"!!{CARD} && document.querySelector('#pulse').classList.contains('live')"
WHO = f"{CARD}.querySelector('.who').lastChild.textContent"
LAG = f"{CARD}.querySelector('.lag').lastChild.textContent"

# Every visible text against what is painted behind it: WCAG's contrast, of the worst text.
CONTRAST = """
(() => {
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return [...n.slice(0, 3), n[3] ?? 1]; };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const light = (rgb) => rgb.map((c) => c / 255).map((c) => (c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  let worst = { ratio: 99 };
  for (const element of document.querySelectorAll('body *')) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join('');
    if (!text || !element.checkVisibility() || element.closest('noscript, .skip')) continue;
    const found = ratio(over(parse(getComputedStyle(element).color), behind(element)), behind(element));
    if (found < worst.ratio) worst = { ratio: found, text, class: element.className };
  }
  return worst;
})()
"""


def test_page_shows_who_leads_and_how_far_behind(stage: Stage, browser: Browser) -> None:
    """Leader, lag and position of each stream, and both instances, are there and live."""
    browser.look(stage.url(stage.a))
    browser.until(SHOWN)
    assert browser.run(WHO) == stage.stream()["leader"]["member"]
    assert browser.until(f"/^[0-9.]+ s$/.test({LAG}) && {LAG}")
    assert "mysql-bin." in browser.run(f"{CARD}.textContent")
    assert browser.run("document.querySelectorAll('[data-key^=\"i:\"]').length") == 2
    assert "serves this page" in browser.run("document.querySelector('[data-key=\"i:a\"]').textContent")
    assert browser.run("document.title") == "hasync: 2 running"


def test_switchover_by_its_button_is_seen_live(stage: Stage, browser: Browser) -> None:
    """Token, confirmation, outcome; the leader changes on the page that stays the same page."""
    browser.look(stage.url(stage.a))
    browser.until(SHOWN)
    before = browser.run(WHO)
    after = "b" if before == "a" else "a"
    browser.run("window.samePage = true")
    browser.click(f"[data-act=switchover][data-on={json.dumps(STREAM)}]")
    browser.until("document.querySelector('#ask').open")
    browser.run("document.querySelector('#ask [name=token]').focus()")
    browser.type(TOKEN)
    browser.click("#ask-do")
    browser.until(f"{WHO} === {json.dumps(after)}")
    browser.until("document.querySelector('#toasts').textContent.includes('leads, epoch')")
    assert browser.run("window.samePage && !document.querySelector('#ask').open")
    assert stage.stream()["takeovers"][0]["member"] == after
    assert browser.until(f"{CARD}.querySelector('.takeover .bar i') && true")


def test_token_is_asked_for_once_a_tab(stage: Stage, browser: Browser) -> None:
    """A wrong one is told and asked for again; the right one is kept for the next action."""
    browser.look(stage.url(stage.a))
    browser.until(SHOWN)
    browser.click(f"[data-act=pause][data-on={json.dumps(LONG)}]")
    browser.run("document.querySelector('#ask [name=token]').focus()")
    browser.type("not-the-token-at-all")
    browser.press("Enter")
    browser.until("document.querySelector('#ask-fault')?.textContent === 'this is not the token'")
    assert browser.run("document.activeElement.name") == "token"
    browser.type(TOKEN)
    browser.press("Enter")
    browser.until(f"document.querySelector('[data-stream={json.dumps(LONG)}] .pill.paused') && true")
    browser.click(f"[data-act=resume][data-on={json.dumps(LONG)}]")
    browser.until("document.querySelector('#ask').open")
    assert browser.run("document.querySelector('#ask [name=token]')") is None
    browser.click("#ask-do")
    browser.until(f"document.querySelector('[data-stream={json.dumps(LONG)}] .pill.running') && true")
    # The browser itself reports the answer 401; it is the one that was asked for.
    browser.said[:] = [line for line in browser.said if "401" not in line]


def test_cancelled_action_does_nothing(stage: Stage, browser: Browser) -> None:
    """Escape closes the question; nothing was asked for."""
    browser.look(stage.url(stage.a))
    browser.until(SHOWN)
    browser.click(f"[data-act=pause][data-on={json.dumps(STREAM)}]")
    browser.until("document.querySelector('#ask').open")
    browser.press("Escape")
    browser.until("!document.querySelector('#ask').open")
    assert stage.stream()["pause"] is None


def test_instance_without_a_token_shows_no_buttons(stage: Stage, browser: Browser) -> None:
    """Read-only is the default, and the page says so."""
    browser.look(stage.url(stage.b))
    browser.until(SHOWN)
    assert browser.run("document.querySelectorAll('[data-act]').length") == 0
    assert "read-only" in browser.run("document.querySelector('#served').textContent")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800, 390, 320])
def test_page_fits_and_is_legible(stage: Stage, browser: Browser, pictures: Path, width: int, dark: bool) -> None:
    """No sideways scrolling at any width, with all unfolded; every text has WCAG AA contrast, in both schemes."""
    browser.look(stage.url(stage.a), width=width, height=844, dark=dark)
    browser.until(SHOWN)
    browser.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    browser.picture(pictures / f"{width}.png")
    assert browser.run("document.documentElement.scrollWidth") <= width
    worst = browser.run(CONTRAST)
    assert worst["ratio"] >= 4.5, worst
    assert browser.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(13, 17, 22)" if dark else "rgb(245, 246, 248)"
    )


def test_keyboard_unfolds_and_the_page_keeps_the_focus(stage: Stage, browser: Browser) -> None:
    """Tab reaches a stream, Enter folds it, and a change of the cluster moves neither focus nor folding."""
    browser.look(stage.url(stage.a))
    browser.until(SHOWN)
    browser.run(f"{CARD}.querySelector('summary').focus()")
    opened = browser.run(f"{CARD}.open")
    browser.press("Enter")
    browser.until(f"{CARD}.open === {json.dumps(not opened)}")
    seen = browser.run("document.querySelector('#pulse').textContent")
    browser.until(f"document.querySelector('#pulse').textContent !== {json.dumps(seen)}")
    assert browser.run(f"document.activeElement === {CARD}.querySelector('summary')")
    assert browser.run(f"{CARD}.open") is not opened
    browser.press("Tab")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_browser_without_scripts_shows_the_table(stage: Stage, browser: Browser) -> None:
    """The server renders leader and lag for it."""
    browser.look(stage.url(stage.a), scripts=False)
    leader = stage.stream()["leader"]["member"]
    browser.until("document.querySelectorAll('noscript td').length > 7")
    cells = browser.run("[...document.querySelectorAll('noscript td')].map((cell) => cell.textContent)")
    at = cells.index(STREAM)
    assert cells[at + 1 : at + 3] == ["running", leader]


def test_zookeeper_away_is_shown_as_stale_and_heals(stage: Stage, browser: Browser) -> None:
    """Grey, with the reason and the age, the lag unknown, no buttons; live again when it is back."""
    zookeeper = stage.fleet.backends.zookeeper
    browser.look(stage.url(stage.a))
    browser.until(SHOWN)
    zookeeper.stop()
    try:
        browser.until("document.body.classList.contains('stale')")
        assert "ZooKeeper cannot be read" in browser.until("document.querySelector('#banner').textContent")
        assert browser.run(LAG) == "?"
        assert browser.run("document.querySelectorAll('[data-act]').length") == 0
        assert browser.run("document.title") == "hasync: not known now"
        assert browser.run(CONTRAST)["ratio"] >= 4.5
    finally:
        zookeeper.start()
    browser.until(f"{SHOWN} && document.querySelector('#banner').hidden", within_s=40)


def test_instance_that_is_gone_is_shown_as_no_contact(stage: Stage, browser: Browser) -> None:
    """A page whose server has stopped does not pretend; it follows again when there is one."""
    browser.look(stage.url(stage.b))
    browser.until(SHOWN)
    stage.b.freeze()
    try:
        assert "has not answered" in browser.until(
            "!document.querySelector('#banner').hidden && document.querySelector('#banner').textContent", within_s=30
        )
    finally:
        stage.b.thaw()
    browser.until(SHOWN, within_s=40)
    browser.said.clear()
