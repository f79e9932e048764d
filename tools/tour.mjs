// The pictures of docs/watching.md: a training on the miniature, photographed in a running ComfyUI that has this pack in
// custom_nodes and whose surroundings say MUSUBI_NODES_INSTALL=miniature:
//
//     npm install playwright-core
//     node tools/tour.mjs http://127.0.0.1:8188 /usr/bin/chromium DATASET.toml [vue]
//
// DATASET.toml is one that `python start.py demo` made. It takes some minutes, because the training is seen running.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..");
const [url, browserPath, dataset, nodes = "classic"] = process.argv.slice(2);
const workflow = JSON.parse(readFileSync(join(ROOT, "example_workflows", "wan_training_watched.json"), "utf-8"));
const WIDGETS = {
  MusubiTuner_DatasetConfigLoader: { path: dataset },
  MusubiTuner_WanModels: {
    dit: "miniature/wan_t2v_14b.safetensors", vae: "miniature/wan_vae.safetensors", t5: "miniature/umt5_xxl.safetensors",
  },
  MusubiTuner_MemoryOptimizer: { blocks_to_swap: 0, fp8: "off" },
  MusubiTuner_TrainingConfig: {
    max_train_epochs: 2500, learning_rate: 0.005, save_every_n_epochs: 500, seed: Math.floor(Math.random() * 1e6),
  },
  MusubiTuner_SamplingConfig: {
    sample_prompts: "a red ball", sample_every_n_epochs: 100, sample_width: 192, sample_height: 128, sample_frames: 17, sample_steps: 4,
  },
};
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--disable-gpu"] });
const page = await browser.newPage({ viewport: { width: 1600, height: 900 } });
const wait = (seconds) => page.waitForTimeout(1000 * seconds);

async function open() {
  await page.goto(url);
  await page.waitForFunction(() => window.app?.graph && window.app?.canvas);
  await page.addStyleTag({ content: "[class*=minimap], [class*=toast] { display: none !important }" });
  await wait(4);
  await page.keyboard.press("Escape");
  await wait(1);
}

async function settings(values) {
  await page.evaluate(async (all) => {
    for (const [name, value] of Object.entries(all)) await window.app.extensionManager.setting.set(name, value);
  }, values);
  await open();
}

const load = () => page.evaluate(async ([graph, widgets]) => {
  await window.app.loadGraphData(graph, true, true);
  for (const node of window.app.graph.nodes)
    for (const widget of node.widgets ?? []) widget.value = widgets[node.type]?.[widget.name] ?? widget.value;
}, [workflow, WIDGETS]);

// Show the whole graph, or nodes of these types, as large as they fit or at a scale.
const look = (types, scale) => page.evaluate(([types, scale]) => {
  const { canvas, graph } = window.app;
  const boxes = types
    ? graph.nodes.filter((node) => types.includes(node.type)).map((node) => [...node.pos, ...node.size])
    : [...graph.nodes.map((node) => [...node.pos, ...node.size]), ...graph.groups.map((group) => [...group.pos, ...group.size])];
  const [left, top] = [0, 1].map((n) => Math.min(...boxes.map((box) => box[n])));
  const [right, bottom] = [0, 1].map((n) => Math.max(...boxes.map((box) => box[n] + box[n + 2])));
  const { width, height } = canvas.canvas.getBoundingClientRect();
  const chosen = scale ?? Math.min((width - 160) / (right - left), (height - 200) / (bottom - top));
  canvas.ds.scale = chosen;
  canvas.ds.offset[0] = width / chosen / 2 - (left + right) / 2;
  canvas.ds.offset[1] = height / chosen / 2 - (top + bottom) / 2;
  canvas.min_font_size_for_lod = 0; // text is drawn at any zoom
  canvas.deselectAll();
  canvas.setDirty(true, true);
}, [types, scale]);

async function picture(name) {
  await wait(1.5);
  await page.screenshot({ path: join(ROOT, "docs", "pictures", `${name}.jpg`), type: "jpeg", quality: 80 });
  console.log(name);
}

async function ended() {
  for (;;) {
    const { queue_running, queue_pending } = await (await fetch(`${url}/queue`)).json();
    if (!queue_running.length && !queue_pending.length) return;
    await wait(2);
  }
}

const TRAINER = ["MusubiTuner_WanLoRATrainer"], CURVE = [...TRAINER, "MusubiTuner_TrainingMonitor"];
await open();
await settings({
  "Comfy.Locale": "en", "Comfy.VueNodes.Enabled": nodes === "vue", "Comfy.Workflow.ShowMissingModelsWarning": false,
});
await load();
await look();
await picture("before");
await page.evaluate(() => window.app.queuePrompt(0));
await page.locator(".musubi-samples video").nth(3).waitFor({ state: "attached", timeout: 180_000 });
await look(TRAINER, 1);
await picture("running");
await open();
await look(TRAINER, 1);
await picture("reloaded");
await page.locator(".musubi-samples button").last().click();
await picture("gallery");
await page.keyboard.press("Escape");
await ended();
await wait(3);
await look(CURVE);
await picture("after");
await settings({ "Comfy.Locale": "ja" });
await look(TRAINER, 1);
await picture("japanese");
await settings({ "Comfy.Locale": "en" });
await page.evaluate(() => window.app.extensionManager.command.execute("Comfy.BrowseTemplates"));
await wait(3);
await page.getByText("musubi-nodes", { exact: true }).first().click();
await wait(3);
await picture("templates");
await page.keyboard.press("Escape");
await settings({ "Comfy.VueNodes.Enabled": false });
await browser.close();
