// Lets the wheel and the middle button over an element zoom and move the canvas, as over the page's own texts. What
// scrolls keeps the wheel. Vue nodes do the same by themselves, before an event comes here (frontend 1.58.1).
import { app } from "../../../../scripts/app.js";

const MIDDLE = 1;
const MIDDLE_HELD = 4;

export function forwardToCanvas(element) {
  element.addEventListener("wheel", (event) => {
    event.stopPropagation();
    if (!event.ctrlKey && scrolls(event)) return;
    event.preventDefault();
    app.canvas.processMouseWheel(event);
  });
  element.addEventListener("pointerdown", (event) => event.button === MIDDLE && app.canvas.processMouseDown(event));
  element.addEventListener("pointermove", (event) => event.buttons & MIDDLE_HELD && app.canvas.processMouseMove(event));
  element.addEventListener("pointerup", (event) => event.button === MIDDLE && app.canvas.processMouseUp(event));
}

/** Makes a part scroll by the wheel; in Vue nodes once it was clicked, as their own texts. */
export function keepWheel(element) {
  element.dataset.captureWheel = "true";
  element.tabIndex = 0;
}

const DELETING = ["Delete", "Backspace"];

/** Keeps keys that delete the selected nodes from the page. */
export function keepKeys(element) {
  element.addEventListener("keydown", (event) => DELETING.includes(event.key) && event.stopPropagation());
}

function scrolls({ target, deltaX, deltaY }) {
  const part = target.closest("[data-capture-wheel]");
  if (!part) return false;
  const sideways = Math.abs(deltaX) > Math.abs(deltaY);
  return sideways ? part.scrollWidth > part.clientWidth : part.scrollHeight > part.clientHeight;
}
