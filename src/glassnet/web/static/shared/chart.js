// Line charts, drawn by plotly.js in the page's own colours. They follow the page's width and its light or dark ground.

import { notice } from "./notice.js";
import { colour, LINES } from "./palette.js";

const coarse = matchMedia("(pointer: coarse)");
const dark = matchMedia("(prefers-color-scheme: dark)");

// The library is a large file, which is fetched when there is a first chart to draw: the rest of the page is there by then.
let library = null;
function loaded() {
  library ??= new Promise((resolve) => {
    const script = Object.assign(document.createElement("script"), { src: "/charts.js" });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => notice("the charts could not be fetched; is the server still there? Reload the page");
    document.head.append(script);
  });
  return library;
}

function layout({ title, x, y, percent = false, log = false, logX = false, height = 260, zoomed }, legend, lines, range) {
  const empty = lines.every((line) => !line.x.length);
  const axis = { color: colour("soft"), gridcolor: colour("line"), zeroline: false, automargin: true, fixedrange: true };
  return {
    title: { text: title, font: { size: 15, color: colour("ink") }, x: 0, xref: "paper", xanchor: "left", y: 1, yref: "container", yanchor: "top", pad: { t: 8 } },
    xaxis: { ...axis, fixedrange: !zoomed, ...(range && { range: logX ? range.map(Math.log10) : range, autorange: false }), title: { text: x, font: { size: 13 } }, type: logX ? "log" : "linear", dtick: logX ? (range ? ticksOf(range[1] / range[0]) : 1) : null, showgrid: false },
    yaxis: { ...axis, ...(empty && { range: [0, percent ? 100 : 1] }), title: { text: y, font: { size: 13 }, standoff: 12 }, type: log ? "log" : "linear", dtick: log ? ticks(lines) : null, tickformat: log ? "~g" : "", ...(percent && { ticksuffix: " %", hoverformat: ".1f" }) },
    font: { family: "system-ui, sans-serif", size: 13, color: colour("ink") },
    margin: { l: 10, r: 10, t: legend ? 56 : 36, b: 10 },
    height,
    showlegend: legend,
    legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0, xanchor: "left" }, // below the title: side by side they would meet on a phone
    hovermode: "x unified",
    dragmode: coarse.matches ? false : "zoom", // a finger's drag scrolls the page
    hoverlabel: { bgcolor: colour("ground"), bordercolor: colour("line"), font: { color: colour("ink") } },
    paper_bgcolor: "transparent",
    plot_bgcolor: "transparent",
  };
}

// The ticks of a logarithmic axis: of some decades their beginnings, of fewer 1, 2 and 5. The library would choose every
// digit, and print one over the other. Within half a decade its own choice has space enough.
function ticks(lines) {
  const positive = lines.flatMap((line) => line.y.filter((value) => value > 0));
  return ticksOf(positive.reduce((a, b) => Math.max(a, b), 0) / positive.reduce((a, b) => Math.min(a, b), Infinity));
}

function ticksOf(times) {
  const decades = Math.log10(times);
  if (decades > 3) return 1;
  return decades > 0.5 ? "D2" : null;
}

const left = new WeakMap(); // by element: when the chart that was in it has gone, which is after its last drawing

// A chart in an element. options: as `layout` has them; zoomed(range): a drag has chosen a range of the horizontal axis, or a
// double click, with null, all of it. lines: [{ name, x: [], y: [], dash, colour }]; without a colour each gets the next of LINES.
export function chart(element, options) {
  let lines = [];
  let moment = null;
  let range = null;
  let gone = false;
  let isHeard = false;
  let drawing = Promise.resolve();
  const before = left.get(element);
  element.classList.add("chart");
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", options.title); // until there is something to say of its lines

  async function draw() {
    const Plotly = await loaded();
    await before;
    if (gone) return;
    element.setAttribute("aria-label", `${options.title}: ${spoken(lines)}`);
    const traces = lines.map(({ name, x, y, dash = "solid", colour: own }, i) => {
      const color = colour(own ?? LINES[i % LINES.length]);
      return { name, x, y: options.percent ? y.map((share) => share && 100 * share) : y, type: "scatter", mode: x.length < 2 ? "markers" : "lines", line: { width: 2, dash, color }, marker: { color } };
    });
    const legend = options.legend ?? lines.length > 1;
    await Plotly.react(element, traces, { ...layout(options, legend, lines, range), ...marked(moment, options.logX) }, { displayModeBar: false, responsive: true, doubleClick: false, showTips: false });
    if (!options.zoomed || isHeard) return;
    isHeard = true;
    element.on("plotly_relayout", (change) => {
      const ends = [change["xaxis.range[0]"], change["xaxis.range[1]"]];
      if (ends.every(Number.isFinite)) options.zoomed(options.logX ? ends.map((end) => 10 ** end) : ends);
    });
    element.on("plotly_doubleclick", () => options.zoomed(null));
  }

  const redraw = () => { drawing = draw(); return drawing; };
  dark.addEventListener("change", redraw);
  return {
    // A moment { x, words } is marked by an upright line; within: the range of the horizontal axis, or null for all of it.
    draw(next, at = null, within = null) {
      lines = next;
      moment = at;
      range = within;
      return redraw();
    },
    close() {
      gone = true;
      dark.removeEventListener("change", redraw);
      // In the middle of a drawing the library would trip over it.
      left.set(element, drawing.then(() => window.Plotly?.purge(element)));
    },
  };
}

// On a logarithmic axis the library wants the place of words as a logarithm, and that of a line as it is.
const marked = (moment, logX) => moment && {
  shapes: [{ type: "line", x0: moment.x, x1: moment.x, yref: "paper", y0: 0, y1: 1, line: { width: 1, dash: "dot", color: colour("soft") } }],
  annotations: [{ x: logX ? Math.log10(moment.x) : moment.x, yref: "paper", y: 1, xanchor: "left", yanchor: "top", showarrow: false, text: moment.words, font: { color: colour("soft") }, bgcolor: colour("card") }],
};

const spoken = (lines) =>
  lines.map(({ name, y }) => `${name} ${y.length ? Number(y.at(-1)).toPrecision(3) : "none yet"}`).join(", ");
