//! The plot of the README: a bar a program.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::load::rounds::Figure;

pub(crate) struct Bar {
    pub(crate) name: &'static str,
    pub(crate) ours: bool,
    /// Of what a bare Rocket does when it does nothing.
    pub(crate) share: Figure,
}

const FILE: &str = ".readme/speed.svg";

pub(crate) fn write(bars: &[Bar]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    fs::write(path, svg(bars)).unwrap();
    println!("The plot is in {FILE}.");
}

const LEFT: f64 = 260.0;
const TOP: f64 = 58.0;
const STEP: f64 = 34.0;
const THICKNESS: f64 = 20.0;
/// A hundred per cent.
const FULL: f64 = 420.0;
const WIDTH: f64 = 800.0;

/// With a background of its own, so that it can be read on a light page and on a dark one.
fn svg(bars: &[Bar]) -> String {
    let height = TOP + STEP * bars.len() as f64 + 24.0;
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="14">
<title id="title">Profile requests per second, as a share of what a bare Rocket does when it does nothing</title>
<rect width="{WIDTH}" height="{height}" rx="8" fill="#fbfaf7"/>
<text x="20" y="30" fill="#1f2328" font-weight="600">Profile requests per second; 100 % = a bare Rocket doing nothing</text>
"##
    );
    let bottom = height - 18.0;
    for tenths in [0_u8, 5, 10] {
        let x = LEFT + FULL * f64::from(tenths) / 10.0;
        let _ = writeln!(
            svg,
            r##"<line x1="{x:.1}" y1="{:.1}" x2="{x:.1}" y2="{bottom:.1}" stroke="#c9c5bb"/>"##,
            TOP - 10.0
        );
    }
    for (number, bar) in bars.iter().enumerate() {
        draw(&mut svg, bar, TOP + STEP * number as f64);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The bar ends at the median; the line in it goes from the least to the most.
fn draw(svg: &mut String, bar: &Bar, y: f64) {
    let at = |share: f64| LEFT + FULL * share.clamp(0.0, 1.1);
    let fill = if bar.ours { "#2f6f5e" } else { "#9aa3a8" };
    let Figure {
        median,
        least,
        most,
    } = bar.share;
    let middle = y + THICKNESS / 2.0;
    let text = middle + 5.0;
    let _ = write!(
        svg,
        r##"<text x="{:.1}" y="{text:.1}" text-anchor="end" fill="#1f2328">{}</text>
<rect x="{LEFT:.1}" y="{y:.1}" width="{:.1}" height="{THICKNESS:.1}" rx="2" fill="{fill}"/>
<line x1="{:.1}" y1="{middle:.1}" x2="{:.1}" y2="{middle:.1}" stroke="#1f2328" stroke-width="2"/>
<text x="{:.1}" y="{text:.1}" fill="#1f2328">{:.0} %</text>
"##,
        LEFT - 10.0,
        bar.name,
        at(median) - LEFT,
        at(least),
        at(most),
        at(most.max(median)) + 8.0,
        100.0 * median
    );
}
