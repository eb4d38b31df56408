"""The page in a real browser: no error, no request, no overflow, dark where it is asked for, printable."""

import re
import shutil
import subprocess

import pytest
from matplotlib.image import imread

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here")


@pytest.fixture
def browse(tmp_path):
    """Return a function that opens a page with some switches and gives what the browser printed; no name can be resolved."""

    def run(path, *switches):
        command = [
            CHROMIUM,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-background-networking",
            "--disable-component-update",
            "--no-first-run",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--enable-logging=stderr",
            f"--user-data-dir={tmp_path / 'profile'}",
        ]
        return subprocess.run([*command, *switches, path.as_uri()], capture_output=True, text=True, check=True, timeout=240)

    return run


def complaints(done):
    """What the console says: errors, and loads that were refused or failed."""
    return re.findall(r".*CONSOLE.*", done.stderr)


def test_the_page_renders_without_an_error_or_a_request(browse, page_path):
    done = browse(page_path, "--dump-dom")
    assert "How far to trust it" in done.stdout
    assert complaints(done) == []


def test_a_request_and_a_script_would_be_seen(browse, page, tmp_path):
    for number, planted in enumerate(('<img src="https://elsewhere.example/a.png">', "<script>document.title = 'x'</script>")):
        path = tmp_path / f"planted{number}.html"
        path.write_text(page.replace("</main>", f"{planted}</main>"), encoding="utf-8")
        assert complaints(browse(path, "--dump-dom"))


def scroll_width(browse, page, path, width):
    """How wide the page becomes in a window of a width; a copy without its policy may run the script that asks."""
    script = "<script>document.title = 'width ' + document.documentElement.scrollWidth</script>"
    path.write_text(re.sub(r"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", "", page).replace("</body>", f"{script}</body>"), "utf-8")
    done = browse(path, "--dump-dom", f"--window-size={width},1500")
    return int(re.search(r"<title>width (\d+)</title>", done.stdout)[1])


@pytest.mark.parametrize("width", [640, 1200])
def test_nothing_is_wider_than_the_window(browse, page, tmp_path, width):
    assert scroll_width(browse, page, tmp_path / "measured.html", width) <= width


def test_what_is_wider_than_the_window_would_be_seen(browse, page, tmp_path):
    wide = page.replace("</main>", '<div style="width: 2000px">wide</div></main>')
    assert scroll_width(browse, wide, tmp_path / "measured.html", 640) > 640


@pytest.mark.parametrize(("scheme", "is_dark"), [(0, True), (1, False)])
def test_the_page_follows_the_readers_colour_scheme(browse, page_path, tmp_path, scheme, is_dark):
    picture = tmp_path / "page.png"
    browse(page_path, f"--blink-settings=preferredColorScheme={scheme}", "--window-size=800,600", f"--screenshot={picture}")
    assert (imread(picture)[5, 5, :3].mean() < 0.5) == is_dark


def test_the_page_can_be_printed(browse, page_path, tmp_path):
    printed = tmp_path / "page.pdf"
    browse(page_path, "--no-pdf-header-footer", f"--print-to-pdf={printed}")
    assert printed.read_bytes().startswith(b"%PDF")
