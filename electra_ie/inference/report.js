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
