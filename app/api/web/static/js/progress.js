// How far a job is, in words and as a share.
import { number, say, sayCount } from "./dom.js";

/** The share of a job's present stage (0..1), or null where nothing is known. */
export function share(job) {
  const [done, total] = counts(job);
  return total ? Math.min(1, done / total) : null;
}

function counts(job) {
  if (job.kind === "rebuild") return [job.documents_done, job.documents_total];
  if (job.stage === "parsing" || job.stage === "recognising") return [job.pages_done, job.pages_total];
  if (job.stage === "embedding") return [job.chunks_done, job.chunks_total];
  return [0, null];
}

/** One line: the stage, its counts, the time left. */
export function line(job) {
  if (job.error) return job.error.message;
  const stage = say(`stage.${job.stage}`);
  const [done, total] = counts(job);
  const text = total ? say("stage.counted", { stage, done: number(done), total: number(total) }) : stage;
  return job.seconds_left ? say("stage.left", { text, left: span(job.seconds_left) }) : text;
}

/** A span of time for people. */
export function span(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 90 ? sayCount("seconds", whole) : sayCount("minutes", Math.round(whole / 60));
}

/** Shows a share on a <progress>; one without a share moves. */
export function show(bar, part) {
  if (part === null) bar.removeAttribute("value");
  else bar.value = part;
}
