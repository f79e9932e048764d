// The panel's words in the page's language; each {} is filled in order. A text without a translation stays English.
import { app } from "../../../../scripts/app.js";

const JA = {
  running: "実行中",
  done: "完了",
  stopped: "途中で終了",
  cancelled: "中止",
  failed: "失敗",
  unknown: "不明",
  starting: "開始中",
  checking: "確認中",
  loading: "読み込み中",
  encoding: "エンコード中",
  training: "学習中",
  sampling: "サンプル生成中",
  decoding: "デコード中",
  saving: "保存中",
  working: "処理中",
  "waiting for the GPU": "GPUの空き待ち",
  "step {}/{}": "ステップ {}/{}",
  "{} steps": "{} ステップ",
  "epoch {}/{}": "エポック {}/{}",
  "{} left": "残り {}",
  "{} left ({})": "残り {}（{}）",
  "no output for {}": "出力なし {}",
  "GPU memory {} of {} GB": "GPUメモリ {} / {} GB",
  "Stop after save": "保存後に停止",
  "Stops after save": "保存後に停止します",
  "End the training once the next checkpoint is saved": "次のチェックポイントを保存したら学習を終えます",
  "Stop now": "今すぐ停止",
  "Really stop?": "本当に停止？",
  Stopping: "停止中",
  "End the training at once: what is not saved is lost": "学習をすぐに終えます。保存されていない分は失われます",
  "Copy command": "コマンドをコピー",
  "The command of this run, to run it in a terminal": "この実行のコマンド（ターミナル用）",
  "Open log": "ログを開く",
  "Everything that the run printed": "実行中の全出力",
  "The command is not known yet.": "コマンドはまだ決まっていません。",
  "The command is in the clipboard.": "コマンドをクリップボードにコピーしました。",
  "The browser does not allow copying.": "ブラウザーがコピーを許可していません。",
  "The curve begins with the first step.": "最初のステップから曲線が始まります。",
  "This run has no steps.": "この実行にはステップがありません。",
  "Logarithmic or linear scale of the loss": "lossの目盛り（対数・線形）",
  log: "対数",
  linear: "線形",
  "Samples will be here.": "サンプルがここに並びます。",
  "No samples were made.": "サンプルはありません。",
  "{}, prompt {}": "{}、プロンプト {}",
  "{} ({} of {}; arrow keys, Escape closes)": "{}（{} / {}。矢印キーで移動、Escで閉じる）",
  "The browser does not allow notifications of this page. Allow them in the browser's settings of this site.":
    "ブラウザーがこのページの通知を許可していません。ブラウザーのサイト設定で許可してください。",
};

export function say(text, ...values) {
  const japanese = (app.extensionManager?.setting?.get("Comfy.Locale") ?? "").startsWith("ja");
  return values.reduce((told, value) => told.replace("{}", () => value), (japanese && JA[text]) || text);
}
