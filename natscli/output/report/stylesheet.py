"""How a report looks: in light and dark, on a phone and on paper."""

STYLESHEET = """
:root { color-scheme: light dark; --back: #fff; --card: #f5f6f8; --text: #1b1f24; --faint: #5b6470; --rule: #d5dae0;
  --c0: #0b63c4; --c1: #b35900; --c2: #b3204d; }
@media screen and (prefers-color-scheme: dark) {
  :root { --back: #14171b; --card: #1e2329; --text: #e6e9ed; --faint: #a0a9b4; --rule: #38404a;
    --c0: #6cb2ff; --c1: #ffb45c; --c2: #ff7f9f; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
dl { margin: 0; color: var(--faint); font-size: .9rem; }
dl div { display: flex; gap: .75rem; }
dt { flex: 0 0 5.5rem; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; color: var(--text); font-family: ui-monospace, monospace; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(7rem, 1fr)); gap: .6rem; margin-top: 1.2rem; }
.tile { background: var(--card); border-radius: .4rem; padding: .5rem .75rem; }
.tile span { display: block; color: var(--faint); font-size: .85rem; }
.tile data { font-size: 1.3rem; font-weight: 600; }
data { font-variant-numeric: tabular-nums; white-space: nowrap; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: 0 2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { padding: .25rem .5rem; border-bottom: 1px solid var(--rule); text-align: left; vertical-align: top; }
th { font-weight: 400; }
thead th { color: var(--faint); font-size: .85rem; }
td.number { text-align: right; }
td.text { overflow-wrap: anywhere; min-width: 8rem; }
figure { margin: 0 0 1.2rem; }
figcaption { font-size: .9rem; color: var(--faint); margin-bottom: .3rem; }
figcaption b { color: var(--text); font-weight: 600; margin-right: .75rem; }
.key { white-space: nowrap; margin-right: .75rem; }
.key::before { content: ""; display: inline-block; width: .9em; height: 3px; margin-right: .3em; vertical-align: middle;
  background: currentColor; }
.plot { position: relative; margin: .6rem 0 0 4.2rem; height: 11rem; }
.plot svg { width: 100%; height: 100%; display: block; overflow: visible; }
.tick { position: absolute; right: 100%; padding-right: .5rem; transform: translateY(50%); font-size: .8rem;
  line-height: 1; color: var(--faint); white-space: nowrap; }
.times { display: flex; justify-content: space-between; margin-left: 4.2rem; padding-top: .3rem; font-size: .8rem;
  color: var(--faint); }
.grid { stroke: var(--rule); stroke-width: 1; vector-effect: non-scaling-stroke; }
.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round;
  vector-effect: non-scaling-stroke; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.bars td, .bars th { border: 0; padding: .1rem .4rem; white-space: nowrap; }
.bars td { width: 1%; text-align: right; font-variant-numeric: tabular-nums; }
.bars th { width: 1%; text-align: right; }
.bars td.bar { width: 97%; }
.bars svg { width: 100%; height: 1.1rem; display: block; }
.bars rect { fill: var(--c0); }
@media print {
  body { font-size: 11px; }
  main { max-width: none; padding: 0; }
  .tile { border: 1px solid var(--rule); }
  section, figure, tr { break-inside: avoid; }
  .wide { overflow: visible; }
  .bars rect, .key::before { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
