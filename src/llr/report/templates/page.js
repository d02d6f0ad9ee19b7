"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const find = (id) => document.getElementById(id);

  // A server that watches a running sweep says so; a page opened from the disk never asks.
  if (data.watch) {
    setInterval(async () => {
      try {
        const version = await (await fetch("version", { cache: "no-store" })).text();
        if (version !== data.watch.version) location.reload();
      } catch { /* the server is gone: the page stays as it is */ }
    }, data.watch.seconds * 1000);
  }
  if (!data.rows) return;

  const { architectures, settings, sizes, rows, runs } = data;
  const WORDS = {
    mean: "mean test MSE, with one standard error",
    median: "median test MSE",
    geometric_mean: "geometric mean of the test MSE",
    share: "share of the runs that recovered, with Wilson's 95% interval",
  };
  const LIGHTER = {
    "#0072B2": "#5aaeea", "#D55E00": "#f58a50", "#009E73": "#35c49a", "#000000": "#ffffff",
  };
  const places = new Map(); // run -> its cell
  rows.forEach((row, i) => row.runs.forEach((members, j) => members.forEach((k) => places.set(k, [i, j]))));

  const asked = new URLSearchParams(location.hash.slice(1));
  const byId = runs.findIndex((run) => run.id === asked.get("run"));
  const state = {
    statistic: asked.get("statistic") in WORDS ? asked.get("statistic") : "mean",
    setting: Math.min(Math.max(Number(asked.get("setting")) | 0, 0), settings.length - 1),
    run: byId >= 0 ? byId : firstRecovered(),
  };

  /* The first run shown: where half the runs of the first row recover, or else any. */
  function firstRecovered() {
    const row = rows[0];
    const at = row.share.findIndex((share, j) => share >= 0.5 && row.runs[j].length);
    return at >= 0 ? row.runs[at][0] : 0;
  }

  // Plotly reads a little HTML in its texts; names must not be read so.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const short = (value) => {
    if (value === null) return "infinite"; // of a run that diverged
    if (value === 0) return "0";
    const exponent = Math.floor(Math.log10(Math.abs(value)));
    return exponent < -2 || exponent > 4 ? value.toExponential(1).replace("e+", "e") : String(Number(value.toPrecision(3)));
  };
  const nameOf = (row) => [architectures[row.architecture].name, settings[row.setting]].filter(Boolean).join(", ");
  const isShare = () => state.statistic === "share";

  const isPaper = () => "paper" in document.documentElement.dataset;

  /* Colours of the page as it looks now: light, dark, or on paper. */
  function theme() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    const dark = matchMedia("(prefers-color-scheme: dark)").matches && !isPaper();
    return {
      page: of("page"), ink: of("ink"), line: of("line"), mark: of("mark"), empty: of("empty"), card: of("card"),
      colour: (architecture) => {
        const { colour } = architectures[architecture];
        return dark ? LIGHTER[colour] ?? colour : colour;
      },
    };
  }

  function layout(chart, colours, more) {
    return {
      // On the screen charts follow the window; paper does not wait until they have.
      width: isPaper() ? chart.clientWidth : undefined,
      paper_bgcolor: colours.page, plot_bgcolor: colours.page, showlegend: false,
      font: { family: "system-ui, sans-serif", size: 12, color: colours.ink },
      margin: { l: 10, r: 10, t: 10, b: 10 },
      hoverlabel: { align: "left", bgcolor: colours.card, bordercolor: colours.line, font: { color: colours.ink } },
      dragmode: matchMedia("(pointer: fine)").matches ? "zoom" : false,
      ...more,
    };
  }

  function axis(colours, more) {
    return {
      automargin: true, gridcolor: colours.line, linecolor: colours.line, zeroline: false,
      ticks: "outside", ticklen: 3, tickcolor: colours.line, ...more, low: undefined, high: undefined,
      title: { text: more.title, standoff: 6 },
    };
  }

  const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false };
  const powers = (low, high, step = 1) => {
    const values = [];
    for (let p = Math.ceil(low); p <= high; p += step) values.push(p);
    return values;
  };
  const powerName = (p) => (p >= 0 && p < 4 ? String(10 ** p) : `1e${p}`);

  /* A logarithmic axis around positive values, ticks at powers of ten. */
  function logAxis(values) {
    const good = values.filter((value) => value > 0);
    const low = good.length ? Math.floor(Math.log10(Math.min(...good))) : -6;
    const high = Math.max(good.length ? Math.ceil(Math.log10(Math.max(...good))) : 0, low + 1);
    const ticks = powers(low, high, Math.ceil((high - low) / 9));
    return { low, high, type: "log", range: [low - 0.1, high + 0.1], tickvals: ticks.map((p) => 10 ** p), ticktext: ticks.map(powerName) };
  }

  /* The text shown on hovering over a cell: the cell, and the run that a click opens. */
  function cellText(row, j) {
    const lines = [
      `<b>${plain(nameOf(row))}, n = ${sizes[j]}</b>`,
      `mean ${short(row.mean[j])}, median ${short(row.median[j])}`,
      `${Math.round(row.share[j] * row.n_runs[j])} of ${row.n_runs[j]} recovered`
        + (row.n_diverged[j] ? `, ${row.n_diverged[j]} diverged` : ""),
    ];
    if (row.runs[j].length) lines.push(`run of median error: ${runText(row.runs[j][0])}`);
    return lines.join("<br>");
  }

  function runText(k) {
    const { details, test, train } = runs[k];
    const parts = ["seed", "status", "steps"].filter((name) => name in details).map((name) =>
      name === "status" ? details[name] : `${name} ${details[name]}`);
    return `${plain(parts.join(", "))}<br>test MSE ${short(test)}, train MSE ${short(train)}<br>${plain(runs[k].id)}`;
  }

  /* ---- heat maps: a chart an architecture, or one for all where there is one setting ---- */
  function drawHeat() {
    const groups = settings.length > 1
      ? architectures.map((a, i) => ({ title: a.name, rows: rows.filter((row) => row.architecture === i) }))
      : [{ title: "", rows }];
    drawScale();
    const host = find("heat");
    while (host.children.length > groups.length) host.lastChild.remove();
    while (host.children.length < groups.length) host.append(document.createElement("div"));
    groups.forEach((group, index) => drawHeatChart(host.children[index], group, index === groups.length - 1));
  }

  /* What the colours mean: exponents of ten of an error, or a share. */
  const colourRange = () => (isShare() ? [0, 1] : data.limits.map(Math.log10));

  function drawScale() {
    const [low, high] = colourRange();
    const labels = isShare() ? ["none", "all"] : powers(low, high).map(powerName);
    find("scale").style.setProperty("--colours", data.colours.join(", "));
    find("scale").replaceChildren(...labels.map((text) => {
      const label = document.createElement("span");
      label.textContent = text;
      return label;
    }));
  }

  function drawHeatChart(chart, group, isLast) {
    const colours = theme();
    const [low, high] = colourRange();
    const level = (row, j) => {
      if (!row.n_runs[j]) return null;
      const value = row[state.statistic][j];
      if (isShare()) return value;
      return value === null ? high : Math.min(Math.max(value > 0 ? Math.log10(value) : low, low), high);
    };
    const numbers = sizes.length <= 9;
    const gap = sizes.length <= 20 ? 1 : 0;
    const trace = {
      type: "heatmap", colorscale: data.colours.map((colour, i) => [i / (data.colours.length - 1), colour]), zmin: low, zmax: high, xgap: gap, ygap: gap,
      z: group.rows.map((row) => sizes.map((_, j) => level(row, j))),
      hovertext: group.rows.map((row) => sizes.map((_, j) => (row.n_runs[j] ? cellText(row, j) : ""))),
      hoverinfo: "text", hoverongaps: false, showscale: false,
    };
    if (numbers) {
      trace.text = group.rows.map((row) => sizes.map((_, j) => {
        const value = row[state.statistic][j];
        if (!row.n_runs[j] || value === null) return "";
        return isShare() ? value.toFixed(2) : value === 0 ? "0" : value >= 0.095 ? value.toFixed(1) : value.toExponential(0);
      }));
      trace.texttemplate = "%{text}";
      trace.textfont = { size: 10 };
    }
    const shapes = group.rows.flatMap((row, i) => {
      const at = row.optimistic === null ? -1 : sizes.findIndex((n) => n >= row.optimistic);
      if (at < 0) return [];
      const line = { type: "line", x0: at - 0.5, x1: at - 0.5, y0: i - 0.5, y1: i + 0.5 };
      return [
        { ...line, line: { color: "#ffffff", width: 3 } },
        { ...line, line: { color: "#d00000", width: 2, dash: "4px,3px" } },
      ];
    });
    const annotations = isShare() ? [] : group.rows.flatMap((row, i) => sizes.flatMap((_, j) => (
      row.n_runs[j] && row[state.statistic][j] === null
        ? [{ x: j, y: i, text: "\u00d7", showarrow: false, font: { color: "#000000" } }] : [])));
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((s) => sizes.length / s <= Math.max(chart.clientWidth / 45, 3));
    const shown = sizes.map((_, j) => j).filter((j) => (step > 1 && sizes[0] === 1 && sizes[sizes.length - 1] === sizes.length
      ? sizes[j] % step === 0 : j % step === 0));
    const head = group.title ? 24 : 6;
    Plotly.react(chart, [trace], layout(chart, colours, {
      height: head + (isLast ? 50 : 30) + group.rows.length * Math.min(34, Math.max(18, 600 / group.rows.length)),
      margin: { l: 10, r: 10, t: head, b: 10 }, plot_bgcolor: colours.empty, dragmode: false, shapes,
      annotations: [...annotations, ...(group.title ? [{
        text: `<b>${plain(group.title)}</b>`, xref: "paper", yref: "paper", x: 0, y: 1, xanchor: "left", yanchor: "bottom",
        yshift: 2, showarrow: false,
      }] : [])],
      xaxis: axis(colours, { tickvals: shown, ticktext: shown.map((j) => String(sizes[j])), showgrid: false, fixedrange: true, title: isLast ? "number of samples n" : "" }),
      yaxis: axis(colours, {
        tickvals: group.rows.map((_, i) => i), autorange: "reversed", showgrid: false, fixedrange: true, title: "",
        ticktext: group.rows.map((row) => plain(group.title ? settings[row.setting] : architectures[row.architecture].name)),
      }),
    }), CONFIG);
    listen(chart, ({ pointNumber: [i, j] }) => group.rows[i].runs[j][0]);
  }

  /* Open the run of a clicked point; charts are redrawn, so old listeners are removed. */
  function listen(chart, runAt) {
    chart.removeAllListeners("plotly_click");
    chart.on("plotly_click", ({ points }) => {
      const run = runAt(points[0]);
      if (run !== undefined) open(run, true);
    });
  }

  /* ---- curves of one setting ---- */
  function drawCurves() {
    const colours = theme();
    const chart = find("curves");
    const mine = rows.filter((row) => row.setting === state.setting);
    const values = mine.flatMap((row) => [
      ...row[state.statistic], ...row.runs.flat().map((k) => runs[k].test),
    ]);
    const { low, high, ...errorAxis } = logAxis(values);
    // Zeros and numbers that are not finite are drawn at the edges, as hollow triangles.
    const place = (value) => (value === null ? 10 ** high : value > 0 ? value : 10 ** low);
    const symbol = (value, usual) => (value === null ? "triangle-up-open" : value > 0 ? usual : "triangle-down-open");
    const traces = mine.flatMap((row) => {
      const color = colours.colour(row.architecture);
      const name = plain(architectures[row.architecture].name);
      const cells = sizes.map((_, j) => j).filter((j) => row.n_runs[j]);
      const line = cells.map((j) => row[state.statistic][j]);
      const members = isShare() ? [] : row.runs.flat();
      return [
        {
          type: "scatter", mode: "markers", showlegend: false, x: members.map((k) => runs[k].n), y: members.map((k) => place(runs[k].test)),
          marker: { color, size: 6, opacity: 0.35, symbol: members.map((k) => symbol(runs[k].test, "circle")) },
          customdata: members, hovertext: members.map((k) => `<b>${name}, n = ${runs[k].n}</b><br>${runText(k)}`), hoverinfo: "text",
        },
        {
          type: "scatter", mode: "lines+markers", name, x: cells.map((j) => sizes[j]), y: isShare() ? line : line.map(place),
          line: { color, width: 2 }, marker: { color, size: sizes.length <= 20 ? 7 : 5, symbol: isShare() ? "circle" : line.map((v) => symbol(v, "circle")) },
          error_y: bars(row, cells, 10 ** low), customdata: cells.map((j) => row.runs[j][0]),
          hovertext: cells.map((j) => cellText(row, j)), hoverinfo: "text", showlegend: true,
        },
      ];
    });
    const gaps = sizes.slice(1).map((n, j) => n - sizes[j]);
    const uneven = Math.max(...gaps) > 3 * Math.min(...gaps);
    Plotly.react(chart, traces, layout(chart, colours, {
      height: 400, showlegend: true, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
      hovermode: "closest", margin: { l: 10, r: 10, t: 30, b: 10 },
      shapes: mine.filter((row) => row.optimistic !== null).map((row) => ({
        type: "line", yref: "paper", x0: row.optimistic, x1: row.optimistic, y0: 0, y1: 1,
        line: { color: colours.colour(row.architecture), width: 1.5, dash: "dash" },
      })),
      xaxis: axis(colours, { title: "number of samples n", showgrid: false, ...(uneven ? { type: "log", tickvals: sizes } : {}) }),
      yaxis: axis(colours, isShare()
        ? { title: "share recovered", range: [-0.03, 1.03] }
        : { title: "test MSE", ...errorAxis }),
    }), CONFIG);
    listen(chart, (point) => point.customdata);
    find("statistic-words").textContent = WORDS[state.statistic];
  }

  /* One standard error of a mean, the interval of a share. */
  function bars(row, cells, floor) {
    const bar = { type: "data", symmetric: false, thickness: 1, width: 3 };
    if (isShare()) {
      return { ...bar, array: cells.map((j) => row.high[j] - row.share[j]), arrayminus: cells.map((j) => row.share[j] - row.low[j]) };
    }
    if (state.statistic !== "mean") return { visible: false };
    const spread = cells.map((j) => row.standard_error[j] ?? 0);
    return { ...bar, array: spread, arrayminus: cells.map((j, i) => Math.max(Math.min(spread[i], row.mean[j] - floor), 0)) };
  }

  /* ---- one run ---- */
  function drawRun() {
    const colours = theme();
    const run = runs[state.run];
    const [i, j] = places.get(state.run);
    find("run-title").textContent = `${nameOf(rows[i])}, n = ${sizes[j]}: run ${run.id}, `
      + `test MSE ${short(run.test)}, train MSE ${short(run.train)}`;
    fill("siblings", rows[i].runs[j].map((k) => [`seed ${runs[k].details.seed}`, k === state.run, () => open(k)]));
    find("loss").hidden = !run.history;
    find("no-loss").hidden = Boolean(run.history);
    if (run.history) {
      const { at, train_mse: train, test_mse: test } = run.history;
      const color = colours.colour(rows[i].architecture);
      const [time, error] = [logAxis(at), logAxis([...train, ...test])];
      const curve = (y, name, dash) => ({
        type: "scatter", mode: "lines", x: at, y: y.map((v) => (v > 0 ? v : null)), name, line: { color, width: 2, dash },
        hovertemplate: `${plain(data.time_label)} %{x:.4g}<br>${name} MSE %{y:.3g}<extra></extra>`,
      });
      Plotly.react(find("loss"), [curve(test, "test", "solid"), curve(train, "train", "dot")], layout(find("loss"), colours, {
        height: 320, showlegend: true, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
        margin: { l: 10, r: 10, t: 30, b: 10 },
        xaxis: axis(colours, { ...time, range: undefined, autorange: true, title: data.time_label, showgrid: false }),
        yaxis: axis(colours, { ...error, title: "MSE" }),
      }), CONFIG);
    }
    find("details").replaceChildren(...Object.entries(run.details).map(([name, value]) => {
      const line = document.createElement("tr");
      const head = line.appendChild(document.createElement("th"));
      head.scope = "row";
      head.textContent = name.replaceAll("_", " ");
      line.appendChild(document.createElement("td")).textContent = value;
      return line;
    }));
    find("parameters").replaceChildren(...Object.entries(run.parameters ?? {}).map(([name, values]) => {
      const part = document.createElement("details");
      part.open = values.length <= 24;
      part.appendChild(document.createElement("summary")).textContent = name;
      part.appendChild(document.createElement("pre")).textContent = values.map((v) => (v === null ? "nan" : String(v))).join("  ");
      return part;
    }));
  }

  function fill(id, buttons) {
    find(id).replaceChildren(...(buttons.length > 1 ? buttons : []).map(([text, pressed, act]) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = text;
      button.setAttribute("aria-pressed", pressed);
      button.addEventListener("click", act);
      return button;
    }));
  }

  function open(run, scroll = false) {
    state.run = run;
    remember();
    drawRun();
    if (scroll) find("run").scrollIntoView({ behavior: "smooth", block: "nearest" });
  }

  /* Kept in the address, so that a reload or a bookmark shows the same. */
  function remember() {
    const { statistic, setting, run } = state;
    history.replaceState(null, "", `#${new URLSearchParams({ statistic, setting, run: runs[run].id })}`);
  }

  function draw() {
    for (const button of document.querySelectorAll("[data-statistic]")) {
      button.setAttribute("aria-pressed", button.dataset.statistic === state.statistic);
    }
    fill("settings", settings.map((name, i) => [name, i === state.setting, () => {
      state.setting = i;
      remember();
      draw();
    }]));
    drawHeat();
    drawCurves();
    drawRun();
  }

  for (const button of document.querySelectorAll("[data-statistic]")) {
    button.addEventListener("click", () => {
      state.statistic = button.dataset.statistic;
      remember();
      draw();
    });
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  // On paper: light, and as wide as the sheet.
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.paper = "";
    document.body.style.width = "175mm";
    draw();
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.paper;
    document.body.style.width = "";
    draw();
    document.querySelectorAll(".js-plotly-plot").forEach((chart) => Plotly.Plots.resize(chart));
  });
  draw();
})();
