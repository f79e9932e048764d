// The samples that a training made on the way, oldest first; a click shows one large.
import { keepWheel } from "./canvas.js";
import { followEnd } from "./follow.js";
import { openGallery, still } from "./gallery.js";
import { fileURL } from "./run.js";
import { translate } from "./texts.js";

export class Samples {
  constructor() {
    this.shown = new Map(); // url -> its card
    this.samples = [];
    this.element = document.createElement("div");
    this.element.className = "musubi-samples";
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", translate("Samples"));
    this.older = document.createElement("p");
    this.element.append(this.older);
    keepWheel(this.element);
  }

  show(state) {
    this.samples = state.samples.map((sample) => ({ url: fileURL(sample), name: nameOf(sample), ...sample }));
    const wanted = new Set(this.samples.map(({ url }) => url));
    for (const [url, card] of this.shown) {
      if (wanted.has(url)) continue;
      card.remove();
      this.shown.delete(url);
    }
    const added = this.samples.filter(({ url }) => !this.shown.has(url));
    for (const sample of added) this.shown.set(sample.url, this.card(sample));
    const append = () => this.element.append(...added.map(({ url }) => this.shown.get(url)));
    if (added.length) followEnd(this.element, "scrollLeft", "clientWidth", "scrollWidth", append);
    const older = state.samples_made - wanted.size;
    this.older.textContent = older > 0 ? translate("{} older samples are in the run folder", older) : "";
    this.element.dataset.empty = wanted.size
      ? ""
      : translate(state.status === "running" ? "Samples will be here." : "No samples were made.");
  }

  card(sample) {
    const card = document.createElement("button");
    card.title = sample.name;
    const label = document.createElement("span");
    label.textContent = labelOf(sample);
    card.append(thumbnail(sample), label);
    const place = () => this.samples.findIndex(({ url }) => url === sample.url);
    card.addEventListener("click", () => openGallery(this.samples, place()));
    return card;
  }
}

function labelOf({ label }) {
  const [kind, number] = label.split(" ");
  return translate(kind === "epoch" ? "epoch {}" : "step {}", number);
}

const nameOf = (sample) => translate("{}, prompt {}", labelOf(sample), sample.prompt + 1);

function thumbnail({ url, video }) {
  if (!video) return Object.assign(document.createElement("img"), { src: url, loading: "lazy", alt: "" });
  const made = document.createElement("video");
  Object.assign(made, { src: url, muted: true, loop: true, preload: "metadata" });
  made.addEventListener("pointerenter", () => still() || made.play().catch(() => {}));
  made.addEventListener("pointerleave", () => made.pause());
  return made;
}
