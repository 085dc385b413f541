// SPDX-License-Identifier: MIT OR Apache-2.0
//! Confusion matrix and reliability diagram as SVG, on a white background.

use std::fmt::Write;

use crate::calibration::Bin;
use crate::confusion::Confusion;

/// Side length of a cell of the matrix, in SVG units.
const CELL: usize = 52;
/// Side length of the plot area of the diagram, in SVG units.
const PLOT: f64 = 320.0;
/// Margin around the plot area, in SVG units.
const MARGIN: f64 = 56.0;

/// The axes of a confusion matrix of true and predicted classes.
pub const TRUTH: &str = "rows: truth; columns: predicted; % of the row";
/// The axes of a confusion matrix of people and the program.
pub const RATERS: &str = "rows: most raters; columns: program; % of the row";

fn start(width: f64, height: f64, title: &str) -> String {
    let style = "text{font:13px sans-serif;fill:#222}.paper{fill:#fff}.weak{fill:#666}.axis{stroke:#888;fill:none}";
    let title = escaped(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n\
         <title>{title}</title>\n<style>{style}</style>\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n\
         <text x=\"12\" y=\"22\" font-weight=\"bold\">{title}</text>\n"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn text(svg: &mut String, [x, y]: [f64; 2], attributes: &str, content: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{}</text>", escaped(content));
}

/// The matrix, whose axes `caption` names: a row for each true class. A cell shows the share of the row's pictures and is darker for
/// a larger share.
pub fn confusion_matrix(confusion: &Confusion, title: &str, caption: &str) -> String {
    let (labels, side) = (confusion.labels(), (confusion.labels().len() * CELL) as f64);
    let (left, top) = (96.0, 78.0);
    let mut svg = start(left + side + 16.0, top + side + 34.0, title);
    text(&mut svg, [left + side / 2.0, top + side + 24.0], "text-anchor=\"middle\" class=\"weak\"", caption);
    for (index, label) in labels.iter().enumerate() {
        let middle = (index * CELL + CELL / 2) as f64;
        text(&mut svg, [left - 8.0, top + middle + 4.0], "text-anchor=\"end\"", label);
        // Names are wider than cells, so they alternate between two lines.
        let position = [left + middle, if index % 2 == 0 { top - 10.0 } else { top - 26.0 }];
        text(&mut svg, position, "text-anchor=\"middle\"", label);
    }
    for (truth, counts) in confusion.counts().iter().enumerate() {
        let total = counts.iter().sum::<u64>().max(1);
        for (predicted, &count) in counts.iter().enumerate() {
            let (x, y, share) = (left + (predicted * CELL) as f64, top + (truth * CELL) as f64, count as f64 / total as f64);
            let hue = if truth == predicted { "#2a6f97" } else { "#c1440e" };
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"{hue}\" fill-opacity=\"{share:.3}\" stroke=\"#ddd\"/>"
            );
            let ink = if share > 0.5 { "text-anchor=\"middle\" style=\"fill:#fff\"" } else { "text-anchor=\"middle\"" };
            text(&mut svg, [x + CELL as f64 / 2.0, y + CELL as f64 / 2.0 + 5.0], ink, &format!("{:.0}", 100.0 * share));
        }
    }
    svg + "</svg>\n"
}

/// The diagram: accuracy of each bin over its confidence, and bars for the share of answers in each bin.
pub fn reliability(bins: &[Bin], error: f64, title: &str) -> String {
    let mut svg = start(PLOT + 2.0 * MARGIN, PLOT + 2.0 * MARGIN, title);
    let position = |confidence: f64, accuracy: f64| [MARGIN + confidence * PLOT, MARGIN + (1.0 - accuracy) * PLOT];
    let ([left, bottom], [right, top]) = (position(0.0, 0.0), position(1.0, 1.0));
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{left} {top}V{bottom}H{right}\"/>");
    let _ = writeln!(svg, "<path class=\"axis\" stroke-dasharray=\"5 4\" d=\"M{left} {bottom}L{right} {top}\"/>");
    for tick in 0..=5 {
        let share = f64::from(tick) / 5.0;
        let ([x, _], [_, y]) = (position(share, 0.0), position(0.0, share));
        text(&mut svg, [x, bottom + 18.0], "text-anchor=\"middle\"", &format!("{share:.1}"));
        text(&mut svg, [left - 8.0, y + 4.0], "text-anchor=\"end\"", &format!("{share:.1}"));
    }
    let total = bins.iter().map(|bin| bin.count).sum::<usize>().max(1) as f64;
    for bin in bins.iter().filter(|bin| bin.count > 0) {
        let ([x, _], [end, _], share) = (position(bin.from, 0.0), position(bin.to, 0.0), bin.count as f64 / total);
        let (height, width) = (share * PLOT, end - x - 2.0);
        let _ =
            writeln!(svg, "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"#bbb\"/>", bottom - height);
    }
    let points: Vec<_> = bins.iter().filter(|bin| bin.count > 0).map(|bin| position(bin.confidence, bin.accuracy)).collect();
    let line: Vec<_> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
    let _ = writeln!(svg, "<polyline points=\"{}\" fill=\"none\" stroke=\"#2a6f97\" stroke-width=\"2\"/>", line.join(" "));
    for [x, y] in points {
        let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"#2a6f97\"/>");
    }
    let caption = format!("confidence (bars: share of answers); calibration error {:.1} %", 100.0 * error);
    text(&mut svg, [MARGIN + PLOT / 2.0, bottom + 40.0], "text-anchor=\"middle\" class=\"weak\"", &caption);
    text(&mut svg, [left, top - 12.0], "class=\"weak\"", "share of right answers");
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibration::{Answer, bins};

    #[test]
    fn figures_contain_all_numbers_and_escape_labels() {
        let mut confusion = Confusion::new(&["a<b".to_string(), "c".to_string()]);
        [(0, 0), (0, 1), (0, 1), (0, 1), (1, 1)].iter().for_each(|&(truth, predicted)| confusion.add(truth, predicted));
        let svg = confusion_matrix(&confusion, "two & two", TRUTH);
        assert!(svg.contains(">25</text>") && svg.contains(">75</text>") && svg.contains(">100</text>"), "{svg}");
        assert!(svg.contains("a&lt;b") && svg.contains("two &amp; two"));
        let diagram = reliability(&bins(&[Answer { confidence: 0.75, right: true }], 2), 0.25, "one");
        assert!(diagram.contains("<circle cx=\"296.0\" cy=\"56.0\""), "{diagram}");
        assert!(diagram.contains("calibration error 25.0 %"));
    }
}
