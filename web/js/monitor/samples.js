// The samples that a training made on the way, oldest first; a click shows one large, Escape closes it.
import { keepWheel } from "./canvas.js";
import { followEnd } from "./follow.js";
import { fileURL } from "./run.js";
import { say } from "./texts.js";

export class Samples {
  constructor() {
    this.shown = new Map();
    this.element = document.createElement("div");
    this.element.className = "musubi-samples";
    keepWheel(this.element);
  }

  show(state) {
    const wanted = new Map(state.samples.map((sample) => [fileURL(sample), sample]));
    for (const [url, card] of this.shown) {
      if (wanted.has(url)) continue;
      card.remove();
      this.shown.delete(url);
    }
    const added = [...wanted].filter(([url]) => !this.shown.has(url));
    for (const [url, sample] of added) this.shown.set(url, this.card(url, sample));
    const append = () => this.element.append(...added.map(([url]) => this.shown.get(url)));
    if (added.length) followEnd(this.element, "scrollLeft", "clientWidth", "scrollWidth", append);
    this.element.dataset.empty = wanted.size
      ? ""
      : say(state.status === "running" ? "Samples will be here." : "No samples were made.");
  }

  card(url, sample) {
    const card = document.createElement("button");
    const [kind, number] = sample.label.split(" ");
    const text = say(kind === "epoch" ? "epoch {}" : "step {}", number);
    card.title = say("{}, prompt {}", text, sample.prompt + 1);
    const label = document.createElement("span");
    label.textContent = text;
    card.append(picture(url, sample, false), label);
    card.addEventListener("click", () => this.large(url));
    return card;
  }

  large(url) {
    const urls = [...this.shown.keys()];
    const dialog = document.createElement("dialog");
    dialog.className = "musubi-large";
    const turn = (to) => {
      const card = this.shown.get(to);
      if (!card) return;
      url = to;
      const title = document.createElement("p");
      title.textContent = say("{} ({} of {}; arrow keys, Escape closes)", card.title, urls.indexOf(to) + 1, urls.length);
      dialog.replaceChildren(picture(to, { video: card.querySelector("video") !== null }, true), title);
    };
    dialog.addEventListener("keydown", (event) => {
      event.stopPropagation();
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) turn(urls[urls.indexOf(url) + by]);
    });
    dialog.addEventListener("click", () => dialog.close());
    dialog.addEventListener("close", () => dialog.remove());
    turn(url);
    document.body.append(dialog);
    dialog.showModal();
  }
}

function picture(url, sample, large) {
  const element = document.createElement(sample.video ? "video" : "img");
  element.src = url;
  if (sample.video) Object.assign(element, { muted: true, loop: true, autoplay: large, controls: large, preload: "auto" });
  else Object.assign(element, { loading: "lazy", alt: "" });
  if (large) element.addEventListener("click", (event) => sample.video && event.stopPropagation());
  else if (sample.video) {
    element.addEventListener("pointerenter", () => element.play().catch(() => {}));
    element.addEventListener("pointerleave", () => element.pause());
  }
  return element;
}
