// Draws the Overview's charts from the data its page carries, in the theme's colours.
"use strict";

// As the page's other amounts: two decimals, and below 1 four digits.
const amounts = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const HOUR = 3600;
const DAY = 24 * HOUR;

// By the distance of ticks: how they are written, with what, where the year, the day changes.
const ticks = [
  [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
];

function colours(element) {
  const style = getComputedStyle(element);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    text: of("--faint"),
    grid: of("--line"),
    accent: of("--accent"),
    gain: of("--gain"),
    loss: of("--loss"),
  };
}

// A colour of the theme, but paler; by the canvas, which knows every way to write a colour.
function paler(colour, alpha) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}

function shown(value) {
  // Without the sign that zero has in a column of falls.
  const format = value && Math.abs(value) < 1 ? small : amounts;
  return value == null ? "–" : format.format(value || 0).replace("-", "−");
}

function counted(value) {
  return value == null ? "–" : value.toLocaleString("en");
}

function base(element, height, colour) {
  const zone = element.dataset.zone;
  const font = `11px ${getComputedStyle(element).fontFamily}`;
  const axis = { stroke: colour.text, font, grid: { stroke: colour.grid, width: 1 }, ticks: { show: false } };
  // What the legend tells while nothing is pointed at: the latest.
  const latest = (plot) => plot.legend.idx == null && plot.setLegend({ idx: plot.data[0].length - 1 });
  return {
    width: element.clientWidth,
    height,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
    axes: [
      { ...axis, grid: { show: false }, values: ticks, space: 46 },
      { ...axis, size: 58, values: (_, splits) => splits.map((tick) => short.format(tick).replace("-", "−")) },
    ],
    legend: { markers: { width: 0 } },
    hooks: { setLegend: [latest], ready: [latest] },
  };
}

function timeShown(format) {
  const writes = uPlot.fmtDate(format);
  return (plot, seconds) => (seconds == null ? "–" : writes(plot.opts_tzDate(seconds)));
}

function equity(element, data) {
  const colour = colours(element);
  const isNarrow = element.clientWidth < 560;
  const span = data.times.length ? data.times.at(-1) - data.times[0] : 0;
  const when = timeShown(span > 8 * DAY ? "{YYYY}-{MM}-{DD}" : "{YYYY}-{MM}-{DD} {HH}:{mm}");
  const sync = { key: "equity" };
  const stepped = uPlot.paths.stepped({ align: 1 });
  const points = { show: data.times.length < 40, size: 5 };
  const make = (height, series, values, wholeScale) => {
    const options = base(element, height, colour);
    options.cursor = { sync, y: false };
    options.axes[1].space = height < 150 ? 20 : 34;
    options.scales = { x: { time: true }, y: { range: wholeScale } };
    options.series = [{ label: "Time", value: when }, { value: (_, value) => shown(value), paths: stepped, width: 1.5, points, ...series }];
    const plot = new uPlot(options, [data.times, values]);
    plot.opts_tzDate = options.tzDate;
    element.append(plot.root);
    return plot;
  };
  const around = (_, low, high) => uPlot.rangeNum(Math.min(low ?? 0, 0), Math.max(high ?? 0, 0), 0.08, true);
  const below = (_, low) => [low ? low * 1.12 : -1, 0];
  return [
    make(isNarrow ? 200 : 250, { label: "Equity", stroke: colour.accent, fill: paler(colour.accent, 0.1) }, data.equity, around),
    make(isNarrow ? 110 : 120, { label: "Drawdown", stroke: colour.loss, fill: paler(colour.loss, 0.14) }, data.drawdown, below),
  ];
}

function alerts(element, data) {
  const colour = colours(element);
  const options = base(element, 170, colour);
  const bars = uPlot.paths.bars({ size: [0.8, 24], align: 1 });
  options.cursor = { y: false, points: { show: false } };
  options.scales = { x: { time: true, range: () => [data.times[0], data.times.at(-1) + HOUR] }, y: { range: (_, low, high) => [0, Math.max(high, 3) * 1.1] } };
  options.axes[1].incrs = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
  options.series = [
    { label: "Hour from", value: timeShown("{YYYY}-{MM}-{DD} {HH}:{mm}") },
    { label: "Alerts", paths: bars, fill: paler(colour.accent, 0.75), stroke: paler(colour.accent, 0), width: 0, points: { show: false }, value: (_, value) => counted(value) },
    { label: "Failed or rejected", paths: bars, fill: colour.loss, stroke: paler(colour.loss, 0), width: 0, points: { show: false }, value: (_, value) => counted(value) },
  ];
  const plot = new uPlot(options, [data.times, data.alerts, data.refused]);
  plot.opts_tzDate = options.tzDate;
  element.append(plot.root);
  return [plot];
}

const kinds = { equity, alerts };
const drawn = new Map();

function draw(element) {
  for (const plot of drawn.get(element) ?? []) {
    plot.destroy();
  }
  element.replaceChildren();
  const data = JSON.parse(document.getElementById(element.dataset.source).textContent);
  drawn.set(element, kinds[element.dataset.chart](element, data));
  element.dataset.drawnAt = element.clientWidth;
}

function drawAll() {
  document.querySelectorAll("[data-chart]").forEach(draw);
}

// The theme's class may come after this script, and change whenever somebody switches it.
new MutationObserver(drawAll).observe(document.documentElement, { attributeFilter: ["class"] });
const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    if (target.clientWidth && String(target.clientWidth) !== target.dataset.drawnAt) {
      draw(target);
    }
  }
});
document.querySelectorAll("[data-chart]").forEach((element) => resized.observe(element));
// The latest days are what one looks for first.
document.querySelectorAll(".to-the-end").forEach((element) => (element.scrollLeft = element.scrollWidth));
