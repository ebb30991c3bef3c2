"""The style sheet of the page: light and dark, narrow and wide, on paper."""

from __future__ import annotations

SHEET = """
:root { color-scheme: light dark; --ink: #1c2128; --soft: #57606a; --line: #d8dee4; --page: #f5f6f8; --card:
  #ffffff;
  --plate: #ffffff; --link: #0b5c8f; --good: #17693f; --good-back: #e3f4ea; --warn: #7d4e00; --warn-back:
  #fdf0d2;
  --bad: #a1221a; --bad-back: #fde5e2; --none: #4b545d; --none-back: #e9ecef }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaef; --soft: #9aa5b1; --line: #2f363f; --page: #0f1318; --card: #191e25; --plate: #eef0f2;
    --link: #6cb6e8; --good: #7ee2a8; --good-back: #12301f; --warn: #f2c46d; --warn-back: #35280c; --bad:
  #ff9c92;
    --bad-back: #3d1714; --none: #b4bec8; --none-back: #242a32 }
}
* { box-sizing: border-box }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe
  UI",
  Roboto, "Helvetica Neue", Arial, sans-serif }
main, header.top > div, footer { max-width: 1180px; margin: 0 auto; padding: 0 20px }
header.top { background: var(--card); border-bottom: 1px solid var(--line); padding: 26px 0 22px }
h1 { margin: 0; font-size: 27px; line-height: 1.2; letter-spacing: -0.01em; overflow-wrap: anywhere }
h2 { margin: 38px 0 14px; font-size: 19px; line-height: 1.3; letter-spacing: -0.005em }
h3 { margin: 0; font-size: 15px; line-height: 1.35; font-weight: 650 }
h4 { margin: 0 0 6px; font-size: 12px; font-weight: 650; color: var(--soft) }
p { margin: 0 }
a { color: var(--link) }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 12.5px }
.kind { margin-top: 5px; color: var(--soft); overflow-wrap: anywhere }
.verdict { display: flex; gap: 12px; align-items: baseline; margin-top: 18px; padding: 12px 16px; border-radius:
  10px;
  font-size: 17px; font-weight: 600; line-height: 1.4 }
.verdict b { font-size: 18px; line-height: 1 }
.good { color: var(--good); background: var(--good-back) }
.warn { color: var(--warn); background: var(--warn-back) }
.bad { color: var(--bad); background: var(--bad-back) }
.none { color: var(--none); background: var(--none-back) }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 14px 20px; margin:
  20px 0 0 }
.facts div { min-width: 0 }
.facts dt { font-size: 12.5px; color: var(--soft) }
.facts dd { margin: 1px 0 0; font-size: 17px; font-weight: 600; font-variant-numeric: tabular-nums; line-height:
  1.3 }
.facts small { display: block; font-size: 12.5px; font-weight: 400; color: var(--soft) }
.bar { height: 5px; margin-top: 6px; border-radius: 3px; background: var(--line); overflow: hidden }
.bar i { display: block; height: 100%; background: var(--link) }
nav { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 20px; font-size: 14px }
nav a { text-decoration: none }
nav a:hover { text-decoration: underline }
.notes { margin: 16px 0 0; padding: 0 0 0 18px; color: var(--soft); font-size: 14px }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); gap: 18px }
.card, figure.chart { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 12px;
  padding: 16px; min-width: 0 }
figure.chart { display: flex; flex-direction: column }
.plate { margin: 10px 0 8px; border-radius: 8px; background: var(--plate); padding: 6px 4px 4px 4px }
.plate svg { display: block; width: 100%; height: auto }
.plate svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif !important }
.plate svg * { stroke-linejoin: round; stroke-linecap: butt }
.keys { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 6px 0 0; padding: 0; list-style: none; font-size:
  13px;
  color: var(--soft) }
.keys li { display: flex; align-items: center; gap: 6px }
.keys i { width: 18px; height: 0; border-top: 2.5px solid }
.keys i.dashed { border-top-style: dashed }
.keys i.dotted { border-top-style: dotted }
.keys i.faint { opacity: 0.6 }
.keys i.band { height: 10px; border: 0; opacity: 0.28 }
.reading { margin: auto 0 0; font-size: 13.5px; color: var(--soft) }
.lead { margin: 0 0 14px; color: var(--soft); max-width: 76ch }
.symptom { margin: 0 0 18px; border-left: 5px solid var(--edge) }
.symptom.bad, .symptom.warn, .symptom.none { background: var(--card); color: inherit }
.symptom.bad { --edge: var(--bad) } .symptom.warn { --edge: var(--warn) } .symptom.none { --edge: var(--line) }
.symptom > header { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; margin-bottom: 12px }
.symptom > header h3 { font-size: 17px }
.pill { padding: 1px 10px; border-radius: 999px; font-size: 13px; font-weight: 600; white-space: nowrap }
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 10px 26px }
.sides > div { min-width: 0 }
.sides figure.chart { border: 0; padding: 0; background: none }
.evidence { display: flex; flex-wrap: wrap; gap: 8px 24px; margin: 0 0 14px }
.evidence dt { font-size: 12.5px; color: var(--soft) }
.evidence dd { margin: 0; font-size: 16px; font-weight: 600; font-variant-numeric: tabular-nums }
.causes { margin: 0 0 14px; padding-left: 22px }
.causes li { margin-bottom: 5px }
.try { margin: 0 0 12px }
details { margin: 0 0 10px; background: var(--card); border: 1px solid var(--line); border-radius: 10px }
details > :not(summary) { margin: 0 16px 14px }
details details { margin: 0 16px 14px }
summary { cursor: pointer; padding: 10px 16px; font-weight: 600; font-size: 14.5px }
summary:focus-visible, a:focus-visible, .wide:focus-visible, pre:focus-visible { outline: 2px solid var(--link);
  outline-offset: 2px }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-size: 14px; min-width: 50% }
th, td { padding: 5px 18px 5px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
thead th { font-size: 13px; color: var(--soft); font-weight: 600 }
tbody th { font-weight: 400; color: var(--soft); white-space: nowrap }
tr.marked td { font-weight: 650 }
section > .wide { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 8px 16px
  }
section > .wide tr:last-child > * { border-bottom: 0 }
pre { overflow: auto; max-height: 420px; padding: 12px; border-radius: 8px; background: var(--page);
  white-space: pre-wrap; overflow-wrap: anywhere }
.trio { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); gap: 16px;
  margin-bottom: 18px }
.trio figure { margin: 0; min-width: 0 }
.trio figcaption { font-size: 13.5px; color: var(--soft); margin: 2px 0 6px }
.trio img { display: block; max-width: 100% }
.trio > figure > img { height: auto; image-rendering: pixelated; border-radius: 6px }
.mindl-slider { border-radius: 6px; margin: 0 !important }
footer { padding-top: 30px; padding-bottom: 40px; font-size: 13px; color: var(--soft) }
@media (max-width: 560px) {
  main, header.top > div, footer { padding: 0 14px }
  .card, figure.chart { padding: 12px }
  h1 { font-size: 22px } .verdict { font-size: 15.5px }
  tbody th { white-space: normal }
}
@media print {
  :root { --page: #fff; --card: #fff; --plate: #fff; --ink: #000; --soft: #444; --line: #bbb }
  body { font-size: 11px } nav { display: none } header.top { padding-top: 0 }
  figure, .card, .trio figure { break-inside: avoid } h2, h3 { break-after: avoid }
  .grid { grid-template-columns: 1fr 1fr }
  .verdict, .pill, .bar { print-color-adjust: exact; -webkit-print-color-adjust: exact }
}
"""
