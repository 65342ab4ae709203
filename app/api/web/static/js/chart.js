// Losses over steps as a drawing; colours and lines are in the style sheet.
import { number, say } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 260;
const LEFT = 44;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 30;
const TICKS = 4;

/** A drawing that fills `place`, also when that changes its width. */
export class Chart {
  constructor(place) {
    this.place = place;
    this.told = null;
    new ResizeObserver(() => this.again()).observe(place);
  }

  /** Draws the points known so far; `last` is the step at which the training ends, null where nobody knows. */
  draw(curves, last) {
    this.told = [curves, last];
    this.again();
  }

  again() {
    const width = Math.floor(this.place.clientWidth);
    if (this.told && width > LEFT + RIGHT) this.place.replaceChildren(drawn(...this.told, width));
  }
}

function drawn({ steps, evaluations, alarms }, last, width) {
  const train = steps.filter((point) => point.loss !== null);
  const points = [...train, ...evaluations];
  const end = Math.max(last ?? 0, 1, ...points.map((point) => point.step));
  const ticks = ticksOf(points.map((point) => point.loss));
  const [low, high] = [ticks[0], ticks.at(-1)];
  const x = (step) => round(LEFT + ((width - LEFT - RIGHT) * step) / end);
  const y = (loss) => round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - (loss - low) / (high - low)));
  const svg = made("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, role: "img" });
  svg.setAttribute("aria-label", summary(train, evaluations));
  for (const tick of ticks) {
    svg.append(made("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }));
    svg.append(label(String(round(tick)), { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }));
  }
  svg.append(label("0", { x: LEFT, y: HEIGHT - 8, "text-anchor": "start" }));
  svg.append(label(say("tune.step", { step: number(end) }), { x: width - RIGHT, y: HEIGHT - 8, "text-anchor": "end" }));
  for (const { step } of alarms) svg.append(made("line", { class: "alarm", x1: x(step), x2: x(step), y1: TOP, y2: HEIGHT - BOTTOM }));
  for (const [name, line] of [["train", train], ["heldout", evaluations]]) {
    if (line.length) svg.append(made("polyline", { class: name, points: line.map((point) => `${x(point.step)},${y(point.loss)}`).join(" ") }));
  }
  for (const { step, loss } of evaluations) svg.append(made("circle", { class: "heldout", cx: x(step), cy: y(loss), r: 3.5 }));
  return svg;
}

/** Round numbers around the values, from 0 where that is near. */
function ticksOf(values) {
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (low < 0.5 * high) low = 0;
  const raw = (high - low || high || 1) / TICKS;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= raw);
  const first = Math.floor(low / step);
  const count = Math.max(1, Math.ceil(high / step) - first);
  return Array.from({ length: count + 1 }, (_, place) => (first + place) * step);
}

function summary(train, evaluations) {
  const said = (points) => (points.length ? points.at(-1).loss.toFixed(3) : "–");
  return say("tune.chart", { train: said(train), heldout: said(evaluations) });
}

function label(text, attributes) {
  const element = made("text", attributes);
  element.textContent = text;
  return element;
}

function made(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function round(value) {
  return Math.round(value * 1000) / 1000;
}
