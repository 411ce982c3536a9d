// Painting hours: press on one and draw over others. Without script, or by keyboard, every half hour is a checkbox.
(() => {
  let to = null, last = null;
  const box = e => e.target.closest?.('.hr')?.querySelector('input');
  const over = e => document.elementFromPoint(e.clientX, e.clientY)?.closest('.hr')?.querySelector('input');
  document.addEventListener('pointerdown', e => {
    const cell = e.pointerType === 'mouse' && e.button === 0 && box(e);
    if (cell) to = !cell.checked;
  });
  document.addEventListener('pointermove', e => {
    const cell = to !== null && e.buttons === 1 && over(e);
    if (cell && cell.checked !== to) { cell.checked = to; last = cell; }
  });
  document.addEventListener('click', e => {
    // The click that ends a stroke would turn its last cell back.
    const cell = to !== null && box(e);
    if (cell && e.target === cell) cell.checked = to;
    to = null;
  });
  document.addEventListener('pointerup', () => {
    // A stroke is one change, of which the preview wants to know.
    last?.dispatchEvent(new Event('change', { bubbles: true }));
    last = null;
    setTimeout(() => { to = null; }, 0);
  });
})();
