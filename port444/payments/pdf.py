"""Invoices as PDF: one A4 page with the fonts of the site."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

FONTS = ("fonts/instrument-sans.woff2", "fonts/bricolage.woff2")
STYLE = """
@font-face { font-family: "Instrument Sans"; src: url("port444:fonts/instrument-sans.woff2"); }
@font-face { font-family: "Bricolage"; src: url("port444:fonts/bricolage.woff2"); }
@page { size: A4; margin: 20mm 18mm; }
* { margin: 0; padding: 0; }
body { color: #10212b; font: 10pt/1.45 "Instrument Sans", sans-serif; font-variant-numeric: tabular-nums; }
h1 { white-space: nowrap; font: 700 24pt/1.1 "Bricolage", sans-serif; letter-spacing: -.02em; }
h2, dt, thead th { color: #4b626f; font-size: 8.5pt; font-weight: 600; }
address { font-style: normal; }
.vh { display: none; }
.num { color: #4b626f; }
.inv-h { display: flex; justify-content: space-between; }
.inv-logo { padding: 2.5mm 4mm; border-radius: 2mm; background: #0b3a4f; color: #fff; font: 700 13pt/1 "Bricolage", sans-serif; height: 5mm; }
.inv-who { display: flex; justify-content: space-between; margin-top: 14mm; }
.inv-who > div { width: 52mm; }
.mini { width: 58mm; }
.mini div { display: flex; justify-content: space-between; padding: 1.4mm 0; border-top: .2mm solid #d7e1e6; }
.mini div:first-child { border: 0; }
.mini dd { text-align: right; }
.inv-t { width: 100%; margin-top: 14mm; border-collapse: collapse; }
.inv-t th { text-align: left; }
.inv-t thead th { padding-bottom: 2mm; }
.inv-t tbody th, .inv-t td { padding: 3.4mm 0; border-top: .2mm solid #d7e1e6; vertical-align: top; }
.inv-t tbody th { font-weight: 600; }
.inv-t th span { display: block; color: #4b626f; font-weight: 400; font-size: 9pt; }
.inv-t .n { padding-left: 5mm; text-align: right; white-space: nowrap; }
.inv-sum { display: flex; justify-content: space-between; padding-top: 4mm; border-top: .5mm solid #10212b; }
.inv-note { width: 78mm; color: #4b626f; font-size: 8.5pt; }
.lines { width: 72mm; }
.lines div { display: flex; justify-content: space-between; padding: 1mm 0; }
.lines .sum { margin-top: 1.5mm; padding-top: 2.5mm; border-top: .2mm solid #d7e1e6; font-size: 11.5pt; font-weight: 700; }
.lines .sum dt { color: #10212b; font-size: 11.5pt; }
.inv-paid { display: flex; justify-content: space-between; align-items: center;
  margin-top: 12mm; padding: 6mm; border-radius: 2.5mm; background: #edf3f5; }
.inv-paid .mini { width: 118mm; }
.stamp { padding: 2mm 4mm; border: .8mm solid #17603c; border-radius: 2mm; color: #17603c; font-size: 8.5pt; font-weight: 600; text-align: center;
  transform: rotate(-5deg); }
.stamp b { display: block; font: 800 14pt/1.1 "Bricolage", sans-serif; }
.stamp span { display: block; }
.hash { font-family: monospace; font-size: 8pt; }
.inv-f { display: flex; justify-content: space-between; margin-top: 14mm; color: #4b626f; font-size: 8.5pt; }
"""


def render(context: dict[str, Any]) -> bytes:
    """The document as PDF. Nothing is fetched but the site's own fonts."""
    import weasyprint  # takes seconds to load, and only this needs it

    def fetch(url: str, *args: object, **options: object) -> Any:
        prefix, _, name = url.partition(":")
        if prefix != "port444" or name not in FONTS:
            raise ValueError("a document fetches nothing but the site's own fonts")
        return weasyprint.urls.URLFetcherResponse(url, _font(name), {"Content-Type": "font/woff2"})

    html = render_to_string("payments/invoice_pdf.html", context)
    fonts = weasyprint.text.fonts.FontConfiguration()
    style = weasyprint.CSS(string=STYLE, font_config=fonts, url_fetcher=fetch)
    rendered: bytes = weasyprint.HTML(string=html, url_fetcher=fetch).write_pdf(stylesheets=[style], font_config=fonts)
    return rendered


@cache
def _font(name: str) -> bytes:
    path = finders.find(name)
    if not isinstance(path, str):
        raise FileNotFoundError(name)
    return Path(path).read_bytes()
