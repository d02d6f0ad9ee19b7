"""The page in a real browser: what it shows, what a click does, how it looks on paper."""

import json
import math
import shutil
from contextlib import contextmanager

import pytest
from tests.reference.runs import synthetic_runs
from tests.report.test_watch import served

from llr.analysis import summary_table
from llr.report import write_report
from llr.sweep import open_sweep

pytestmark = pytest.mark.browser

OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESK = {"viewport": {"width": 1000, "height": 900}}
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
HOSTILE = "<script>document.title='hacked'</script><img src=x onerror=\"document.title='hacked'\">"


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install playwright"
    )
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
    if program is None:
        pytest.skip("No Chromium is found: install it (Debian: apt-get install chromium).")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def report(finished_sweep, tmp_path_factory):
    """The page of a finished sweep."""
    return write_report(finished_sweep, output=tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def shared_page(browser, report):
    """The page, opened once for the tests that leave it as it is."""
    with opened(browser, report.as_uri(), offline=True) as page:
        yield page


@pytest.fixture
def page(shared_page):
    """The page as it looks when it is opened."""
    shared_page.locator("[data-statistic=mean]").click()
    shared_page.get_by_role("button", name="1x", exact=True).click()
    return shared_page


@contextmanager
def opened(browser, address, *, silent=True, **options):
    """A page that has drawn its charts, without a complaint and without the network."""
    context = browser.new_context(**(DESK | options))
    page = context.new_page()
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    try:
        page.goto(address)
        page.locator("#run-title:not(:empty)").wait_for()
        yield page
        if silent:
            assert complaints == []
        if address.startswith("file:"):
            assert [r for r in requests if not r.startswith(("file:", "data:", "blob:"))] == []
    finally:
        context.close()


def until(page, expression):
    """Wait until an expression is true; Playwright's own wait needs eval: forbidden here."""
    for _ in range(300):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    pytest.fail(f"never true: {expression}")


def chart(page, selector, expression):
    """Something of a Plotly chart."""
    return page.evaluate(f"(() => {{ const chart = document.querySelector({selector!r}); "
                         f"return {expression}; }})()")  # fmt: skip


def middle_of_cell(page, selector, row, column):
    """Where a cell of a heat map is on the screen."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(f"{selector} .nsewdrag").first.bounding_box()
    rows, columns = chart(page, selector, "[chart.data[0].z.length, chart.data[0].z[0].length]")
    return (
        box["x"] + box["width"] * (column + 0.5) / columns,
        box["y"] + box["height"] * (row + 0.5) / rows,
    )


def test_the_page_opens_from_the_disk_without_a_complaint_or_a_request(page):
    assert page.title() == "small - llr"
    assert page.locator("h1").inner_text() == "small"
    assert page.locator("#transitions tbody tr").count() == 4


def test_the_heat_map_has_a_cell_for_every_setting_and_sample_size(page, finished_sweep):
    summary = summary_table(open_sweep(finished_sweep).runs)
    for position, model in enumerate(["mlp", "cnn_shared"], start=1):
        selector = f"#heat > div:nth-child({position})"
        cells = chart(page, selector, "chart.data[0].z")
        for scale, line in zip((1, 3), cells, strict=True):
            means = summary[(summary.model == model) & (summary.scale == scale)]["mean"]
            expected = [min(max(math.log10(mean), -6), 0) for mean in means]
            assert line == pytest.approx(expected, abs=1e-3)
        assert page.locator(f"{selector} .hm image").count() == 1
    dashed = chart(page, "#heat > div:nth-child(2)", "chart.layout.shapes.map((s) => s.x0)")
    assert dashed == [0.5] * 4  # 7 samples: before the column of 10; a white line under each


def test_pointing_at_a_cell_shows_the_cell_and_its_run(page):
    page.mouse.move(*middle_of_cell(page, "#heat > div:nth-child(2)", 1, 2))
    page.wait_for_selector("#heat .hovertext")
    text = page.locator("#heat .hovertext").first.text_content()
    assert "Shared CNN, 3x, n = 20" in text
    run = chart(page, "#data", "JSON.parse(chart.textContent)")
    row = next(r for r in run["rows"] if (r["architecture"], r["setting"]) == (1, 1))
    assert run["runs"][row["runs"][2][0]]["id"] in text


def test_a_click_on_a_cell_shows_the_loss_curve_and_parameters_of_its_run(page):
    page.mouse.click(*middle_of_cell(page, "#heat > div:nth-child(2)", 1, 0))
    until(
        page,
        "document.getElementById('run-title').textContent.startsWith('Shared CNN, 3x, n = 5:')",
    )
    data = json.loads(page.locator("#data").text_content())
    row = next(r for r in data["rows"] if (r["architecture"], r["setting"]) == (1, 1))
    run = data["runs"][row["runs"][0][0]]
    assert run["id"] in page.locator("#run-title").inner_text()
    assert chart(page, "#loss", "chart.data[0].y") == run["history"]["test_mse"]
    assert chart(page, "#loss", "chart.data[1].y") == run["history"]["train_mse"]
    assert page.locator("#loss .scatterlayer .trace").count() == 2
    details = page.locator("#details").inner_text()
    assert f"seed\t{run['details']['seed']}" in details
    assert "scale\t3" in details
    assert page.locator("#parameters details").count() == 3
    assert "hidden.weight (3 x 1 x 3)" in page.locator("#parameters").inner_text()


def test_a_click_on_a_dot_shows_that_run_and_its_siblings_are_a_click_away(page):
    page.locator("#curves").scroll_into_view_if_needed()
    where = page.evaluate(
        """() => {
          const chart = document.getElementById("curves");
          const { xaxis, yaxis } = chart._fullLayout;
          const box = chart.getBoundingClientRect();
          const dots = chart.data[0];
          return [
            box.x + xaxis._offset + xaxis.d2p(dots.x[0]),
            box.y + yaxis._offset + yaxis.d2p(dots.y[0]),
            dots.customdata[0],
          ];
        }"""
    )
    page.mouse.click(*where[:2])
    data = json.loads(page.locator("#data").text_content())
    wanted = data["runs"][where[2]]["id"]
    until(page, f"document.getElementById('run-title').textContent.includes('run {wanted}')")
    other = page.locator("#siblings button[aria-pressed=false]")
    assert other.count() == 1
    other.click()
    title = page.locator("#run-title").inner_text()
    assert wanted not in title
    assert data["runs"][where[2]]["details"]["seed"] in (0, 1)


def test_the_statistic_and_the_setting_can_be_chosen_and_are_remembered(page):
    page.locator("[data-statistic=share]").click()
    page.get_by_role("button", name="3x", exact=True).click()
    shares = chart(page, "#heat > div:nth-child(1)", "chart.data[0].z")
    assert all(0 <= share <= 1 for line in shares for share in line)
    line = chart(page, "#curves", "chart.data.find((t) => t.name === 'Shared CNN').y")
    page.reload()
    page.locator("#run-title:not(:empty)").wait_for()
    pressed = page.locator("button[aria-pressed=true]").all_inner_texts()
    assert pressed[:2] == ["share recovered", "3x"]
    assert chart(page, "#curves", "chart.data.find((t) => t.name === 'Shared CNN').y") == line


def test_hostile_text_is_shown_as_text(browser, finished_sweep, tmp_path):
    folder = shutil.copytree(finished_sweep, tmp_path / "copy")
    results = json.loads((folder / "results.json").read_text())
    results["environment"][HOSTILE] = HOSTILE
    for run in results["runs"]:
        run["message"] = HOSTILE
    (folder / "results.json").write_text(json.dumps(results))
    with opened(browser, write_report(folder).as_uri()) as page:
        page.mouse.click(*middle_of_cell(page, "#heat > div:first-child", 0, 0))
        assert HOSTILE in page.locator("#details").inner_text()
        assert page.title() != "hacked"
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 3


def test_an_injected_script_would_not_run(browser, report, tmp_path):
    tampered = tmp_path / "tampered.html"
    tampered.write_text(
        report.read_text().replace("</h1>", "</h1><script>document.title='hacked'</script>")
    )
    with opened(browser, tampered.as_uri(), silent=False) as page:
        assert page.title() == "small - llr"


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_page_and_charts_follow_the_colour_scheme(browser, report, scheme, dark):
    brightness = """(colour) => {
      const [r, g, b] = colour.match(/[0-9.]+/g).map(Number);
      return (r + g + b) / 3;
    }"""
    svg = "document.querySelector('#curves .main-svg')"
    with opened(browser, report.as_uri(), color_scheme=scheme) as page:
        for part in ("document.body", svg):
            colour = page.evaluate(f"getComputedStyle({part}).backgroundColor")
            assert (page.evaluate(brightness, colour) < 60) is dark
        page.emulate_media(color_scheme="light" if dark else "dark")
        until(
            page,
            f"({brightness})(getComputedStyle({svg}).backgroundColor) {'>' if dark else '<'} 60",
        )


def test_the_page_fits_a_phone(browser, report):
    with opened(browser, report.as_uri(), **PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        for selector in ("#heat > div", "#curves", "#loss"):
            assert chart(page, selector, "chart.getBoundingClientRect().right") <= 360
        smallest = page.evaluate(
            """() => Math.min(...[...document.querySelectorAll("svg text")]
              .filter((text) => text.textContent.trim())
              .map((text) => parseFloat(getComputedStyle(text).fontSize)))"""
        )
        assert smallest >= 9


def test_on_paper_the_charts_are_light_and_as_wide_as_the_sheet(browser, report):
    with opened(browser, report.as_uri(), color_scheme="dark") as page:
        page.evaluate(
            """() => addEventListener("beforeprint", () => {
              window.onPaper = [...document.querySelectorAll(".main-svg")].map((svg) => [
                svg.getBoundingClientRect().width, svg.style.background,
              ]);
            })"""
        )
        before = chart(page, "#curves", "chart.getBoundingClientRect().width")
        assert page.pdf(format="A4").startswith(b"%PDF")
        drawn = page.evaluate("window.onPaper")
        sheet = (210 - 2 * 15) / 25.4 * 96
        assert drawn
        assert all(0 < width <= sheet for width, _ in drawn)
        assert "rgb(255, 255, 255)" in {background for _, background in drawn}
        svg = "document.querySelector('#curves .main-svg')"
        until(page, f"{svg}.getBoundingClientRect().width >= {before - 1}")


def test_a_sweep_without_a_finished_run_opens_too(browser, finished_sweep, tmp_path):
    folder = shutil.copytree(finished_sweep, tmp_path / "begun")
    (folder / "results.json").unlink()
    for shard in (folder / "runs").iterdir():
        shard.unlink()
    page = browser.new_page()
    errors = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(write_report(folder).as_uri())
    assert "0 of 24 runs are finished" in page.locator("header").inner_text()
    assert errors == []
    page.close()


def test_the_watched_page_loads_anew_when_the_sweep_has_grown(browser, finished_sweep, tmp_path):
    folder = shutil.copytree(finished_sweep, tmp_path / "growing")
    (folder / "results.json").unlink()
    (shard,) = (folder / "runs").iterdir()
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(lines[:10]))
    with (
        served(folder, seconds=0.2) as port,
        opened(browser, f"http://127.0.0.1:{port}/") as page,
    ):
        assert "10 of 24 runs are finished" in page.locator("header").inner_text()
        with shard.open("ab") as file:
            file.write(b"".join(lines[10:]))
        page.get_by_text("All 24 runs are finished").wait_for()
        page.locator("#run-title:not(:empty)").wait_for()


@pytest.mark.slow
def test_a_hundred_thousand_runs_open(browser, finished_sweep, tmp_path):
    runs = synthetic_runs(
        models={"mlp": 21, "cnn_noshare": 15, "cnn_shared": 7},
        scales=(1, 3, 10, 34, 100),
        sample_sizes=range(1, 64),
        seeds=106,
    )
    results = json.loads((finished_sweep / "results.json").read_text())
    results |= {"n_runs": len(runs), "n_finished": len(runs), "summary": []}
    results["runs"] = runs.assign(message="It has converged.").to_dict("records")
    (tmp_path / "results.json").write_text(json.dumps(results))
    file = write_report(tmp_path)
    assert len(runs) > 100_000
    assert file.stat().st_size < 8e6
    with opened(browser, file.as_uri()) as page:
        assert "100,170 runs" in page.locator("#asked").inner_text()
        assert chart(page, "#heat > div:nth-child(3)", "chart.data[0].z[4].length") == 63
