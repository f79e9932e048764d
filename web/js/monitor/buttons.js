// What can be done with a run. Stopping at once loses what was not saved: it takes two clicks.
import { app } from "../../../../scripts/app.js";
import { fileURL } from "./run.js";
import { say } from "./texts.js";

const SECONDS_TO_CONFIRM = 4;

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
    made.textContent = say(text);
    made.title = say(title);
    made.addEventListener("click", () => Promise.resolve(click()).catch((error) => tell("error", String(error.message ?? error))));
    this.element.append(made);
    return made;
  }

  show(state) {
    for (const each of [this.after, this.now]) each.style.display = state.status === "running" ? "" : "none";
    this.after.disabled = state.stop_asked;
    this.after.textContent = say(state.stop_asked ? "Stops after save" : "Stop after save");
  }

  async stopAfter() {
    await this.run.stopAfterSave();
    this.after.disabled = true;
    this.after.textContent = say("Stops after save");
  }

  async stopNow() {
    const asked = this.asked && Date.now() - this.asked < SECONDS_TO_CONFIRM * 1000;
    this.asked = asked ? 0 : Date.now();
    this.now.classList.toggle("musubi-asked", !asked);
    this.now.textContent = say(asked ? "Stopping" : "Really stop?");
    if (asked) return this.run.stopNow();
    setTimeout(() => {
      if (!this.asked) return;
      this.now.classList.remove("musubi-asked");
      this.now.textContent = say("Stop now");
    }, SECONDS_TO_CONFIRM * 1000);
  }

  async copy() {
    const text = this.run.state?.command;
    if (!text) throw new Error(say("The command is not known yet."));
    await (navigator.clipboard?.writeText(text) ?? Promise.reject()).catch(() => copied(text));
    tell("success", say("The command is in the clipboard."));
  }

  open() {
    if (this.run.state) window.open(fileURL(this.run.state.log_file), "_blank", "noopener");
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
  if (!done) throw new Error(say("The browser does not allow copying."));
}

function tell(severity, detail) {
  app.extensionManager?.toast?.add({ severity, summary: "Musubi Nodes", detail, life: 5000 });
}
