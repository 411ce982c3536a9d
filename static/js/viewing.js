// Minutes left in a viewing. The server ends it; this only tells. Without JavaScript the end stands there in words.
(() => {
  const bar = document.querySelector(".vbar"), out = bar?.querySelector("[data-left]");
  if (!out) return;
  const until = Date.parse(bar.dataset.until), meter = bar.querySelector("progress");
  meter.hidden = false;
  const tick = () => {
    const s = Math.round((until - Date.now()) / 1000);
    if (s <= 0) return location.reload();
    out.textContent = s > 300 ? Math.ceil(s / 60) + " min left" : Math.floor(s / 60) + ":" + String(s % 60).padStart(2, "0") + " left";
    bar.classList.toggle("soon", s <= 300);
    meter.value = s / 60;
    setTimeout(tick, s > 300 ? 5000 : 1000);
  };
  tick();
})();
