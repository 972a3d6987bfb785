"""The style sheet, the colours and the script of the page of findings (page.py)."""

from __future__ import annotations

LIGHT = ("#0b5fa5", "#a63d00", "#00694b", "#8a2f7c", "#735300", "#006579", "#ad1f45", "#4b5565")
DARK = ("#7cc0ff", "#ffa273", "#5fd3a8", "#eba6dd", "#e6c35c", "#74d4e8", "#ff93a8", "#bcc5d3")
"""Eight hues, told apart with the usual colour blindnesses; every further eight have another line style."""
LINES = ("solid", "dashed", "dotted", "double")
PAPER, NIGHT = "#ffffff", "#1a1f27"

STYLE = """
:root{color-scheme:light dark;--paper:%(paper)s;--back:#f3f5f8;--ink:#1b2430;--soft:#566173;--line:#d5dbe4;
--lit:#fff1b8;%(light)s}
@media (prefers-color-scheme:dark){:root{--paper:%(night)s;--back:#11151b;--ink:#e6eaf0;--soft:#a3adbb;--line:#343c48;
--lit:#3b3410;%(dark)s}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.5 system-ui,"Segoe UI",Roboto,"Noto Sans",sans-serif}
header,.columns{max-width:78rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:1.75rem}
h1{font-size:1.5rem;line-height:1.25;margin:0}
h2{font-size:1.05rem;margin:0;overflow-wrap:anywhere}
h2 a{color:inherit;text-decoration:none}h2 a:hover{text-decoration:underline}
.facts,.id{color:var(--soft);font-size:.875rem;margin:.2rem 0 0;overflow-wrap:anywhere}
.columns{display:grid;grid-template-columns:15.5rem minmax(0,1fr);gap:1.5rem;margin-top:1.25rem;align-items:start}
nav{position:sticky;top:1rem;max-height:calc(100vh - 2rem);overflow:auto;font-size:.875rem}
nav,article{background:var(--paper);border:1px solid var(--line);border-radius:.6rem;padding:1rem 1.15rem}
fieldset{border:0;margin:0 0 1rem;padding:0;min-width:0}
legend{font-weight:600;padding:0;margin-bottom:.3rem;overflow-wrap:anywhere}legend small,.field{color:var(--soft)}
legend small{font-weight:400;font-size:inherit}
legend button{font:inherit;font-weight:400;color:var(--soft);background:none;border:1px solid var(--line);
border-radius:.4rem;padding:0 .5rem;margin-left:.4rem;cursor:pointer}
nav label{display:flex;gap:.5rem;align-items:center;padding:.14rem 0;cursor:pointer}
nav .name{flex:1;min-width:0;overflow-wrap:anywhere}nav .number{color:var(--soft);font-variant-numeric:tabular-nums}
.name>span{border-bottom:3px var(--s) var(--c)}
input{margin:0;width:1rem;height:1rem;flex:none;accent-color:#2b6cb0}
.only{border-top:1px solid var(--line);padding-top:.7rem;margin:0}
[role=status]{color:var(--soft);margin:.4rem 0 0}
article{margin:0 0 1.1rem;padding:1.1rem 1.35rem 1.2rem;scroll-margin-top:1rem;content-visibility:auto;
contain-intrinsic-size:auto 16rem}
article:target{border-color:var(--soft)}article[hidden]{display:none}
.top{display:flex;gap:.2rem 1.5rem;flex-wrap:wrap;justify-content:space-between;align-items:baseline}
.answers{list-style:none;margin:.6rem 0 0;padding:0;display:flex;gap:.45rem;flex-wrap:wrap;align-items:center;
font-size:.875rem}
.field:not(:first-child){margin-left:.6rem}
.chip{display:inline-flex;gap:.45rem;align-items:baseline;padding:.08rem .7rem;border-radius:1rem;font-weight:600;
color:var(--c);border:1.5px var(--s) var(--c);background:color-mix(in srgb,var(--c) 9%%,transparent);
text-decoration:none;overflow-wrap:anywhere}
.chip small{font-weight:400;font-size:.8rem;white-space:nowrap;font-variant-numeric:tabular-nums}
a:focus-visible,input:focus-visible,button:focus-visible{outline:3px solid var(--ink);outline-offset:2px}
.text{margin-top:.8rem;padding-top:.75rem;border-top:1px solid var(--line);white-space:pre-wrap;overflow-wrap:anywhere;
tab-size:4;unicode-bidi:isolate}
mark{color:inherit;background:color-mix(in srgb,var(--c) 11%%,transparent);border-bottom:3px var(--s) var(--c);
border-radius:2px;-webkit-box-decoration-break:clone;box-decoration-break:clone}
mark[data-tag]::after{content:attr(data-tag);color:var(--c);font:600 .6875rem/1 system-ui,"Segoe UI",Roboto,sans-serif;
margin-inline:.45em .2em;white-space:nowrap;unicode-bidi:isolate}
.window{border-radius:2px}.lit,.window:target{background:var(--lit)}
.hidden{unicode-bidi:isolate;white-space:normal;font-size:0}
.hidden::before{content:attr(data-code);font:.6875rem/1 ui-monospace,monospace;color:var(--soft);
border:1px dashed var(--soft);border-radius:3px;padding:0 .2em;margin:0 .1em}
@media (max-width:56rem){.columns{grid-template-columns:minmax(0,1fr)}nav{position:static;max-height:none}
header,.columns{padding-left:1rem;padding-right:1rem}}
@media print{:root{color-scheme:light}body{background:none;font-size:11pt}*{print-color-adjust:exact;
-webkit-print-color-adjust:exact}.columns{display:block}nav{position:static;max-height:none;margin-bottom:1rem}
.only,[role=status],nav input,nav button{display:none}article{content-visibility:visible;break-inside:avoid}}
"""

SCRIPT = """
const boxes = [...document.querySelectorAll('fieldset input')], only = document.querySelector('#only');
const articles = [...document.querySelectorAll('article')];
function filter() {
  const ticked = new Set(boxes.filter(box => box.checked).map(box => box.value));
  for (const box of boxes) document.body.classList.toggle('without' + box.value, !box.checked);
  for (const article of articles)
    article.hidden = only.checked && !article.dataset.labels.split(' ').some(label => ticked.has(label));
  const shown = articles.filter(article => !article.hidden).length;
  document.querySelector('[role=status]').textContent = `Showing ${shown} of ${articles.length} documents`;
}
function light(event, lit) {
  const chip = event.target.closest?.('[data-window]');
  const parts = chip?.closest('article').querySelectorAll('.window' + chip.dataset.window) ?? [];
  for (const part of parts) part.classList.toggle('lit', lit);
}
function toggle(event) {
  const inside = event.target.closest?.('button')?.closest('fieldset').querySelectorAll('input') ?? [];
  const ticked = [...inside].some(box => box.checked);
  for (const box of inside) box.checked = !ticked;
  if (inside.length) filter();
}
document.querySelector('nav').addEventListener('change', filter);
document.querySelector('nav').addEventListener('click', toggle);
for (const name of ['pointerover', 'focusin']) document.addEventListener(name, event => light(event, true));
for (const name of ['pointerout', 'focusout']) document.addEventListener(name, event => light(event, false));
filter();
"""
