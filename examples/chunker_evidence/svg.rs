//! Plots as SVG text, legible on light and dark backgrounds.

use std::fmt::Write as _;

/// Size of a panel with its labels, and what is left of it for the plot.
const PANEL: (f64, f64) = (380.0, 250.0);
const INNER: (f64, f64) = (300.0, 170.0);
/// Where the plot begins in its panel.
const ORIGIN: (f64, f64) = (56.0, 30.0);
const LEGEND: f64 = 30.0;
const COLUMNS: usize = 2;

/// Colours that can be told apart on both backgrounds, also by most who see few colours.
const COLOURS: [&str; 6] = ["#e4572e", "#2a9d6f", "#c060a0", "#3b82d6", "#8a8a8a", "#c9a227"];

const STYLE: &str = "<style>text{font:12px sans-serif;fill:#24292f}.t{font-weight:bold}\
.g{stroke:#888;stroke-opacity:.3}.f{stroke:#888;fill:none}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}}</style>";

/// A direction of a plot.
pub(crate) struct Axis {
    pub(crate) label: String,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) logarithmic: bool,
    /// Values that are labelled.
    pub(crate) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From about `from` to about `to`, with round labels.
    pub(crate) fn linear(label: &str, from: f64, to: f64) -> Self {
        let rough = (to - from).max(1e-9) / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let (first, last) = ((from / step).floor() as i64, (to / step).ceil() as i64);
        let digits = if step < 1.0 { (-step.log10()).ceil() as usize } else { 0 };
        let value = |nth: i64| nth as f64 * step;
        let ticks = (first..=last).map(|nth| (value(nth), format!("{:.digits$}", value(nth)))).collect();
        Self { label: label.to_owned(), from: value(first), to: value(last), logarithmic: false, ticks }
    }

    /// With these labels, as logarithms.
    pub(crate) fn logarithmic(label: &str, from: f64, to: f64, ticks: Vec<(f64, String)>) -> Self {
        Self { label: label.to_owned(), from, to, logarithmic: true, ticks }
    }

    /// Where a value lies, from 0 to 1.
    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.ln() } else { value };
        (scale(value) - scale(self.from)) / (scale(self.to) - scale(self.from))
    }
}

/// Points of one colour, joined by a line.
pub(crate) struct Series {
    pub(crate) colour: usize,
    pub(crate) dots: bool,
    pub(crate) points: Vec<(f64, f64)>,
}

/// One plot.
pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
    pub(crate) series: Vec<Series>,
}

/// The panels beside and below each other, under a legend of the colours.
pub(crate) fn figure(panels: &[Panel], legend: &[&str]) -> String {
    let columns = panels.len().min(COLUMNS);
    let (width, rows) = (columns as f64 * PANEL.0, panels.len().div_ceil(COLUMNS) as f64);
    let mut svg = open(width.max(100.0 + 125.0 * legend.len() as f64), LEGEND + rows * PANEL.1);
    for (nth, name) in legend.iter().enumerate() {
        let x = 16.0 + 125.0 * nth as f64;
        add(&mut svg, &format!("<rect x='{x}' y='10' width='12' height='12' fill='{}'/>", COLOURS[nth]));
        add(&mut svg, &text(x + 17.0, 20.0, "start", name));
    }
    for (nth, panel) in panels.iter().enumerate() {
        let (x, y) = ((nth % COLUMNS) as f64 * PANEL.0, LEGEND + (nth / COLUMNS) as f64 * PANEL.1);
        add(&mut svg, &format!("<g transform='translate({},{})'>", x + ORIGIN.0, y + ORIGIN.1));
        draw(&mut svg, panel);
        add(&mut svg, "</g>");
    }
    svg + "</svg>\n"
}

/// Horizontal bars with their values, longest first.
pub(crate) fn bars(title: &str, unit: &str, bars: &[(String, f64)]) -> String {
    let longest = bars.iter().map(|bar| bar.1).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = open(600.0, 40.0 + 20.0 * bars.len() as f64);
    add(&mut svg, &format!("<text class='t' x='10' y='20'>{}</text>", escaped(title)));
    for (nth, (name, value)) in bars.iter().enumerate() {
        let (y, width) = (32.0 + 20.0 * nth as f64, 340.0 * value / longest);
        add(&mut svg, &text(150.0, y + 12.0, "end", name));
        let colour = COLOURS[3];
        add(&mut svg, &format!("<rect x='156' y='{y}' width='{width:.1}' height='14' fill='{colour}'/>"));
        add(&mut svg, &text(162.0 + width, y + 12.0, "start", &format!("{value:.1} {unit}")));
    }
    svg + "</svg>\n"
}

fn open(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' \
         viewBox='0 0 {width} {height}'>\n{STYLE}\n"
    )
}

fn add(svg: &mut String, line: &str) {
    svg.push_str(line);
    svg.push('\n');
}

fn draw(svg: &mut String, panel: &Panel) {
    let (width, height) = INNER;
    add(svg, &format!("<text class='t' x='0' y='-10'>{}</text>", escaped(&panel.title)));
    add(svg, &format!("<rect class='f' width='{width}' height='{height}'/>"));
    for (value, label) in &panel.x.ticks {
        let x = panel.x.place(*value) * width;
        add(svg, &format!("<path class='g' d='M{x:.1} 0V{height}'/>"));
        add(svg, &text(x, height + 16.0, "middle", label));
    }
    for (value, label) in &panel.y.ticks {
        let y = height - panel.y.place(*value) * height;
        add(svg, &format!("<path class='g' d='M0 {y:.1}H{width}'/>"));
        add(svg, &text(-5.0, y + 4.0, "end", label));
    }
    add(svg, &text(width / 2.0, height + 34.0, "middle", &panel.x.label));
    let turned = text(-height / 2.0, -42.0, "middle", &panel.y.label);
    add(svg, &format!("<g transform='rotate(-90)'>{turned}</g>"));
    for series in &panel.series {
        draw_series(svg, panel, series);
    }
}

fn draw_series(svg: &mut String, panel: &Panel, series: &Series) {
    let colour = COLOURS[series.colour];
    let place = |(x, y): &(f64, f64)| (panel.x.place(*x) * INNER.0, (1.0 - panel.y.place(*y)) * INNER.1);
    let points: Vec<_> = series.points.iter().map(place).collect();
    let mut line = String::new();
    for (x, y) in &points {
        let _ = write!(line, "{x:.1},{y:.1} ");
    }
    let line = line.trim_end();
    add(svg, &format!("<polyline fill='none' stroke='{colour}' stroke-width='1.6' points='{line}'/>"));
    for (x, y) in points.iter().filter(|_| series.dots) {
        add(svg, &format!("<circle cx='{x:.1}' cy='{y:.1}' r='3' fill='{colour}'/>"));
    }
}

fn text(x: f64, y: f64, anchor: &str, text: &str) -> String {
    format!("<text x='{x:.1}' y='{y:.1}' text-anchor='{anchor}'>{}</text>", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
