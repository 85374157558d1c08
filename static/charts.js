// Time series. The server writes a table and the axes; this draws the table's columns between them with uPlot.
// Colours are CSS: a probe element resolves them, so that light-dark() and color-mix() work on a canvas.
import { load } from "./swap.js";

const plots = new Map();
const sync = uPlot.sync("callgate");
const GAP = 0.22;

const probe = document.createElement("span");
function color(expression) {
  probe.style.color = expression;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function read(series) {
  const columns = [...series.querySelectorAll("thead th[data-draw]")].map((th) => ({
    label: th.textContent, draw: th.dataset.draw, panel: Number(th.dataset.panel), color: th.dataset.color, values: [], texts: [],
  }));
  const rows = [...series.querySelectorAll("tbody tr")];
  for (const row of rows)
    [...row.querySelectorAll("td")].forEach((cell, index) => {
      columns[index].values.push(cell.dataset.v === "" ? null : Number(cell.dataset.v));
      columns[index].texts.push(cell.textContent);
    });
  const width = Number(series.dataset.width);
  return {
    columns, width,
    starts: rows.map((row) => Number(row.dataset.at)),
    labels: rows.map((row) => row.querySelector("th").textContent),
    middles: rows.map((row) => Number(row.dataset.at) + width / 2),
    from: Number(series.dataset.from), to: Number(series.dataset.to),
    unfinished: series.hasAttribute("data-unfinished") ? rows.length - 1 : -1,
  };
}

function drawBars(u, table, bars) {
  const { ctx } = u;
  const zero = u.valToPos(0, "y", true);
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  const stacked = new Array(table.starts.length).fill(0);
  for (const bar of bars) {
    ctx.fillStyle = color(bar.color);
    bar.values.forEach((value, index) => {
      if (!value) return;
      const end = table.starts[index + 1] ?? table.to;
      const left = u.valToPos(table.starts[index], "x", true);
      const right = u.valToPos(end, "x", true);
      const inset = ((right - left) * GAP) / 2;
      const bottom = u.valToPos(stacked[index], "y", true);
      stacked[index] += value;
      const top = Math.min(u.valToPos(stacked[index], "y", true), bottom - (stacked[index] === value ? devicePixelRatio : 0));
      ctx.globalAlpha = index === table.unfinished ? 0.45 : 1;
      ctx.fillRect(left + inset, top, right - left - 2 * inset, Math.min(bottom, zero) - top);
    });
  }
  ctx.restore();
}

function drawBand(u, lower, upper) {
  const { ctx } = u;
  ctx.save();
  ctx.fillStyle = color("var(--series-1)");
  ctx.globalAlpha = 0.1;
  let run = [];
  const close = () => {
    if (run.length > 1) {
      ctx.beginPath();
      for (const i of run) ctx.lineTo(u.valToPos(u.data[0][i], "x", true), u.valToPos(upper[i], "y", true));
      for (const i of run.toReversed()) ctx.lineTo(u.valToPos(u.data[0][i], "x", true), u.valToPos(lower[i], "y", true));
      ctx.fill();
    }
    run = [];
  };
  upper.forEach((value, i) => (value === null || lower[i] === null ? close() : run.push(i)));
  close();
  ctx.restore();
}

const LINES = { line: { width: 2 }, thin: { width: 1.4 }, dash: { width: 1.25, dash: [3, 3] } };

function tip(u, series, table) {
  const element = document.createElement("div");
  element.className = "chart-tip";
  element.hidden = true;
  u.over.parentElement.append(element);
  return (index) => {
    element.hidden = index === null || !u.over.matches(":hover, :focus");
    if (element.hidden) return;
    const head = document.createElement("header");
    head.textContent = table.labels[index];
    const drawn = table.columns.filter((column) => column.draw !== "bar" || column.values[index] || column.panel === 0);
    const rows = drawn.map((column) => {
      const row = document.createElement("div");
      const swatch = document.createElement("i");
      swatch.className = "swatch";
      swatch.style.setProperty("--c", column.color);
      const value = document.createElement("b");
      value.textContent = column.texts[index];
      row.append(swatch, column.label, value);
      return row;
    });
    const stack = rows.slice(0, -1).toReversed();  // as it is drawn, top first; the total stays last
    element.replaceChildren(head, ...(table.columns.some((c) => c.draw === "bar" && c.panel === 0 && rows.length > 3) && table.columns.at(-1).label === "Total" ? [...stack, rows.at(-1)] : rows));
    const middle = u.valToPos(table.middles[index], "x");
    const isRight = middle > u.over.clientWidth / 2;
    const half = (u.over.clientWidth / table.starts.length) / 2 + 8;
    element.style.setProperty("--x", isRight ? `${middle - half - element.offsetWidth}px` : `${middle + half}px`);
  };
}

function showPeriod(from, to) {
  const url = new URL(location.href);
  for (const name of ["period", "cursor", "peek"]) url.searchParams.delete(name);
  const iso = (seconds) => new Date(Math.round(seconds) * 1000).toISOString().replace(".000", "");
  url.searchParams.set("from", iso(from));
  url.searchParams.set("to", iso(to));
  load(url);
}

function make(figure, series, table) {
  const panel = Number(figure.dataset.panel);
  const columns = table.columns.filter((column) => column.panel === panel);
  const bars = columns.filter((column) => column.draw === "bar");
  const lines = columns.filter((column) => column.draw in LINES);
  const box = figure.querySelector(".chart-canvas");
  const show = { set: () => {} };
  const size = () => ({ width: Math.max(40, box.clientWidth), height: Math.max(20, box.clientHeight) });
  let u;
  const options = {
    ...size(),
    padding: [0, 0, 0, 0],
    legend: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: {
      x: { time: false, range: [table.from, table.to] },
      y: { range: [0, Number(figure.dataset.top)] },
    },
    cursor: {
      y: false,
      points: { show: lines.length > 0, size: 7, width: 2, fill: (self, i) => self.series[i].stroke(self, i) },
      drag: { x: true, y: false, setScale: false, dist: 6 },
      sync: { key: sync.key, setSeries: false, scales: ["x", null] },
    },
    series: [
      {},
      ...lines.map((column) => ({ label: column.label, stroke: () => color(column.color), ...LINES[column.draw], points: { show: false }, spanGaps: false })),
      ...(lines.length ? [] : [{ paths: () => null, points: { show: false } }]),
    ],
    hooks: {
      drawClear: [(self) => {
        if (bars.length) drawBars(self, table, bars);
        if (lines[1]?.draw === "thin") drawBand(self, lines[0].values, lines[1].values);
      }],
      setCursor: [(self) => show.set(self.cursor.idx ?? null)],
      setSelect: [(self) => {
        if (self.select.width < 6) return;
        const from = self.posToVal(self.select.left, "x");
        const to = self.posToVal(self.select.left + self.select.width, "x");
        self.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
        showPeriod(from, to);
      }],
    },
  };
  const data = [table.middles, ...(lines.length ? lines.map((column) => column.values) : [table.middles.map(() => 0)])];
  u = new uPlot(options, data, box);
  show.set = tip(u, series, table);
  sync.sub(u);
  figure.tabIndex = 0;
  figure.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = Math.min(table.middles.length - 1, Math.max(0, (u.cursor.idx ?? -1) + step));
    u.over.tabIndex = -1;
    u.over.focus({ preventScroll: true });
    u.setCursor({ left: u.valToPos(table.middles[next], "x"), top: 0 });
  });
  u.over.addEventListener("dblclick", () => { if (new URL(location.href).searchParams.has("from")) history.back(); });
  const watcher = new ResizeObserver(() => { if (box.isConnected) u.setSize(size()); });
  watcher.observe(box);
  plots.set(figure, { u, stop: () => { watcher.disconnect(); sync.unsub(u); u.destroy(); } });
}

export function drawCharts(within) {
  for (const [figure, plot] of plots) if (!figure.isConnected) { plot.stop(); plots.delete(figure); }
  for (const series of within.querySelectorAll("[data-chart]")) {
    const table = read(series);
    for (const figure of series.querySelectorAll("figure[data-panel]")) if (!plots.has(figure)) make(figure, series, table);
  }
}

export function redrawCharts() {
  for (const { u } of plots.values()) u.redraw(false, true);
}
