// One sample large, over the page: arrow keys turn to the others, Escape or a click closes it.
import { translate } from "./texts.js";

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** `samples`: url, name and video (whether it moves) of each, in order; `at` is the first that is seen. */
export function openGallery(samples, at) {
  const dialog = document.createElement("dialog");
  dialog.className = "musubi-large";
  dialog.tabIndex = -1;
  const title = document.createElement("p");
  title.setAttribute("aria-live", "polite");
  const turn = (to) => {
    const sample = samples[to];
    if (!sample) return;
    at = to;
    title.textContent = translate("{} ({} of {}; arrow keys, Escape closes)", sample.name, to + 1, samples.length);
    dialog.setAttribute("aria-label", sample.name);
    dialog.replaceChildren(picture(sample), title);
    dialog.focus(); // what had it may be gone
  };
  // At the window and first: the page's own keys would delete the selected node behind.
  const pressed = (event) => {
    event.stopImmediatePropagation();
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by) event.preventDefault();
    if (by) turn(at + by);
    if (event.key === "Escape") dialog.close();
  };
  window.addEventListener("keydown", pressed, true);
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    window.removeEventListener("keydown", pressed, true);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  turn(at);
}

function picture({ url, name, video }) {
  if (!video) return Object.assign(document.createElement("img"), { src: url, alt: name });
  const moves = !still();
  const made = document.createElement("video");
  Object.assign(made, { src: url, muted: true, loop: moves, autoplay: moves, controls: true });
  made.setAttribute("aria-label", name);
  made.addEventListener("click", (event) => event.stopPropagation());
  return made;
}
