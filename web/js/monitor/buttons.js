// What can be done with a run. Stopping at once loses what was not saved: it takes two clicks.
import { translate } from "./texts.js";
import { toast } from "./toast.js";

const SECONDS_TO_CONFIRM = 4;
const SECONDS_TO_STOP = 30; // then it can be asked again

export class Buttons {
  constructor(run) {
    this.run = run;
    this.element = document.createElement("div");
    this.element.className = "musubi-buttons";
    this.after = this.button("Stop after save", "End the training once the next checkpoint is saved", () => this.stopAfter());
    this.now = this.button("Stop now", "End the training at once: what is not saved is lost", () => this.stopNow());
    this.button("Copy command", "The command of this run, to run it in a terminal", () => this.copy());
    this.button("Open log", "Everything that the run printed", () => this.open());
  }

  button(text, title, click) {
    const made = document.createElement("button");
    made.textContent = translate(text);
    made.title = translate(title);
    made.addEventListener("click", () => Promise.resolve(click()).catch((error) => toast("error", String(error.message ?? error))));
    this.element.append(made);
    return made;
  }

  show(state) {
    this.after.style.display = this.run.running ? "" : "none";
    this.now.style.display = this.run.canStopNow ? "" : "none";
    this.after.disabled = state.stop_asked;
    this.after.textContent = translate(state.stop_asked ? "Stops after save" : "Stop after save");
  }

  async stopAfter() {
    await this.run.stopAfterSave();
    this.after.disabled = true;
    this.after.textContent = translate("Stops after save");
  }

  async stopNow() {
    if (!this.asked) return this.name("Really stop?", true, SECONDS_TO_CONFIRM);
    this.name("Stopping", false, SECONDS_TO_STOP);
    await this.run.stopNow().catch((error) => {
      this.name("Stop now");
      throw error;
    });
  }

  /** What "Stop now" is called for some seconds. */
  name(text, asked = false, seconds = 0) {
    clearTimeout(this.named);
    this.asked = asked;
    this.now.classList.toggle("musubi-asked", asked);
    this.now.textContent = translate(text);
    if (seconds) this.named = setTimeout(() => this.name("Stop now"), seconds * 1000);
  }

  async copy() {
    const text = this.run.state?.command;
    if (!text) throw new Error(translate("The command is not known yet."));
    await (navigator.clipboard?.writeText(text) ?? Promise.reject()).catch(() => copied(text));
    toast("success", translate("The command is in the clipboard."));
  }

  open() {
    window.open(this.run.logURL, "_blank", "noopener");
  }
}

/** Without https, and not on this machine, browsers have no clipboard. */
function copied(text) {
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error(translate("The browser does not allow copying."));
}
