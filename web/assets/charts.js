// Draws curves with uPlot. A chart is {id, x_label, x, lines: [{label, y, colour, thin, points}], log}, as web/studio tells it; it
// is drawn into the element of that id.
/* global uPlot */

const drawn = new Map(); // by id: what was told last and what is drawn of it

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const short = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const figure = (v) => {
  if (v == null) return "–";
  if (v !== 0 && Math.abs(v) < 1e-3) return v.toExponential(Math.abs(v - Number(v.toExponential(0))) < 1e-3 * Math.abs(v) ? 0 : 1);
  return short.format(v);
};

const height = (box) => parseFloat(getComputedStyle(box).getPropertyValue("--height")) || 160;

/** draw shows new figures. The picture is made anew only where its shape changes. */
export function draw(chart) {
  const box = document.getElementById(chart.id);
  if (!box || typeof uPlot === "undefined") return;
  const data = [chart.x, ...chart.lines.map((s) => (chart.log ? s.y.map((v) => (v > 0 ? v : null)) : s.y))];
  const shape = JSON.stringify([chart.log, chart.x_label, chart.lines.map((s) => [s.label, s.colour, s.thin, s.points])]);
  let known = drawn.get(chart.id);
  if (known && (known.shape !== shape || known.box !== box || !known.plot.root.isConnected)) {
    known.plot.destroy();
    known = undefined;
  }
  if (known) {
    known.chart = chart;
    known.plot.setData(data);
    return;
  }
  box.replaceChildren();
  if (chart.x.length === 0) {
    drawn.delete(chart.id);
    return;
  }
  drawn.set(chart.id, { chart, shape, box, plot: new uPlot(options(chart, box), data, box) });
  sizes.observe(box);
}

function options(chart, box) {
  const axis = { stroke: css("--quiet"), font: `12px ${css("--sans")}`, grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
  const colours = [1, 2, 3, 4, 5, 6].map((i) => css(`--curve-${i}`));
  return {
    width: box.clientWidth, height: height(box),
    cursor: { y: false, points: { size: 7 } },
    legend: { markers: { width: 2 } },
    scales: { x: { time: false }, y: chart.log ? { distr: 3 } : { range: (_, low, high) => around(low, high) } },
    axes: [
      { ...axis, size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 1e5] },
      { ...axis, size: 58, values: (_, all) => all.map((v) => (v == null ? "" : figure(v))) },
    ],
    series: [
      { label: chart.x_label },
      ...chart.lines.map((s) => ({
        label: s.label, width: s.thin ? 1 : 2.25, alpha: s.thin ? 0.4 : 1, stroke: colours[(s.colour || 0) % colours.length], spanGaps: true,
        dash: s.points ? [6, 4] : undefined, points: { show: s.points || chart.x.length < 2, size: 6 }, value: (_, v) => figure(v),
      })),
    ],
  };
}

// From zero where that leaves the curve most of the room, otherwise around it.
function around(low, high) {
  if (low == null || high == null) return [0, 1];
  if (low >= 0 && low < 0.5 * high) return [0, high * 1.05 || 1];
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  return [low - room, high + room];
}

const sizes = new ResizeObserver((boxes) => {
  for (const { target } of boxes) {
    const known = drawn.get(target.id);
    if (known && target.clientWidth > 0 && known.plot.width !== target.clientWidth) {
      known.plot.setSize({ width: target.clientWidth, height: height(target) });
    }
  }
});

/** repaint draws all charts again: their colours are read when they are made. */
export function repaint() {
  for (const [id, { chart, plot }] of [...drawn]) {
    plot.destroy();
    drawn.delete(id);
    draw(chart);
  }
}
