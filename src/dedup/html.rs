//! The report as one page for people: everything is in the file, nothing is loaded, nothing in it runs.
//!
//! Names and samples come from the corpus: every character that means something to HTML is escaped, and the page forbids scripts and requests by
//! its own policy.

use std::fmt::Write as _;

use super::report::{Loss, Report};

/// Most rows of a table of losses.
const LOSSES_MAX: usize = 50;
/// Width and height of a drawing, in pixels.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 160.0;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222;background:#fff}\
h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em}table{border-collapse:collapse}td,th{padding:.2em .8em;text-align:right;\
border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}.alarm{color:#b00020;font-weight:bold}\
.pair{display:grid;grid-template-columns:1fr 1fr;gap:1em}.pair pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f6f6f6;padding:.8em;margin:0}\
svg{background:#fafafa}.dim{color:#777}";

/// Writes the page.
pub(super) fn page(report: &Report) -> String {
    let mut out = String::with_capacity(32 << 10);
    let share = 100.0 * report.removed.rows as f64 / report.documents.rows.max(1) as f64;
    let _ = write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>Dedup report</title><style>{STYLE}</style></head><body><h1>Removed {} of {} documents ({share:.1} %)</h1>\
         <p>{} of {} bytes of text. {} pairs were compared exactly, {} were ruled out before; {} groups of candidates, the largest of \
         {} rows.</p>",
        report.removed.rows,
        report.documents.rows,
        report.removed.bytes,
        report.documents.bytes,
        report.pairs.compared,
        report.pairs.ruled_out,
        report.pairs.groups,
        report.pairs.largest_group,
    );
    if let Some(functions) = &report.functions {
        let _ = write!(
            out,
            "<p>{} definitions were cut out of {} rows that stay, {} bytes of text.</p>",
            functions.places, functions.cut.rows, functions.cut.bytes
        );
    }
    if let Some(passages) = &report.passages {
        let _ = write!(
            out,
            "<p>{} passages were cut out of {} rows that stay, {} bytes of text; nothing is left of {} rows.</p>",
            passages.places, passages.cut.rows, passages.cut.bytes, passages.emptied
        );
    }
    rules(&mut out, report);
    losses(&mut out, "Sources", &report.origins);
    losses(&mut out, "Licences", &report.licenses);
    sizes(&mut out, report);
    clusters(&mut out, report);
    curve(&mut out, report);
    skipped(&mut out, report);
    out.push_str("<h2>Seconds of work</h2><table>");
    for (stage, seconds) in &report.seconds {
        let _ = write!(out, "<tr><td>{stage}</td><td>{seconds:.2}</td></tr>");
    }
    let _ = writeln!(out, "</table><p class=\"dim\">Recipe {}</p></body></html>", report.recipe);
    out
}

fn rules(out: &mut String, report: &Report) {
    let rules = serde_json::to_value(&report.rules).unwrap_or_default();
    out.push_str("<h2>Rules</h2><table>");
    for (name, value) in rules.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        let _ = write!(out, "<tr><td>{}</td><td>{}</td></tr>", escaped(name), escaped(&value.to_string()));
    }
    out.push_str("</table>");
}

fn losses(out: &mut String, title: &str, losses: &[Loss]) {
    let _ = write!(out, "<h2>{title}</h2><table><tr><th>name</th><th>rows</th><th>removed</th><th>share</th></tr>");
    for loss in losses.iter().take(LOSSES_MAX) {
        let share = 100.0 * loss.removed.rows as f64 / loss.before.rows.max(1) as f64;
        let name = if loss.name.is_empty() { "(none given)" } else { &loss.name };
        let class = if loss.is_alarm { " class=\"alarm\"" } else { "" };
        let _ = write!(
            out,
            "<tr{class}><td>{}</td><td>{}</td><td>{}</td><td>{share:.1} %</td></tr>",
            escaped(name),
            loss.before.rows,
            loss.removed.rows
        );
    }
    let n_more = losses.len().saturating_sub(LOSSES_MAX);
    let _ = write!(
        out,
        "</table>{}",
        if n_more > 0 { format!("<p class=\"dim\">and {n_more} more</p>") } else { String::new() }
    );
}

/// Clusters by size, in powers of two.
fn sizes(out: &mut String, report: &Report) {
    let mut bins: Vec<(u64, u64)> = Vec::new();
    for (&size, &n) in &report.cluster_sizes {
        let low = 1 << size.max(1).ilog2();
        match bins.last_mut() {
            Some((known, count)) if *known == low => *count += n,
            _ => bins.push((low, n)),
        }
    }
    out.push_str("<h2>Clusters by size</h2><table><tr><th>rows</th><th>clusters</th></tr>");
    for (low, n) in bins {
        let range = if low < 4 { low.to_string() } else { format!("{low} to {}", 2 * low - 1) };
        let range = if low == 2 { "2 to 3".to_owned() } else { range };
        let _ = write!(out, "<tr><td>{range}</td><td>{n}</td></tr>");
    }
    out.push_str("</table>");
}

fn clusters(out: &mut String, report: &Report) {
    out.push_str("<h2>Largest clusters</h2><p>Left what is kept, right the removed row that is least like it.</p>");
    for cluster in &report.largest_clusters {
        let _ = write!(
            out,
            "<h3>{} rows</h3><div class=\"pair\"><div>{}</div><div>{}</div><pre>{}</pre><pre>{}</pre></div>",
            cluster.rows,
            escaped(&cluster.kept_id),
            escaped(&cluster.farthest_id),
            escaped(&cluster.kept_sample),
            escaped(&cluster.farthest_sample)
        );
    }
}

fn curve(out: &mut String, report: &Report) {
    let points: Vec<String> = report
        .curve
        .iter()
        .map(|point| format!("{:.1},{:.1}", point.jaccard * WIDTH, HEIGHT - point.found * HEIGHT))
        .collect();
    let threshold = report.rules.threshold * WIDTH;
    let _ = write!(
        out,
        "<h2>Share of pairs that become candidates, by their Jaccard index</h2><svg width=\"{WIDTH}\" height=\"{HEIGHT}\" role=\"img\">\
         <polyline points=\"{}\" fill=\"none\" stroke=\"#0b66c3\" stroke-width=\"2\"/><line x1=\"{threshold:.1}\" x2=\"{threshold:.1}\" \
         y1=\"0\" y2=\"{HEIGHT}\" stroke=\"#b00020\"/></svg><table><tr><th>index</th><th>found</th></tr>",
        points.join(" ")
    );
    for point in report.curve.iter().filter(|point| point.jaccard >= 0.5) {
        let _ = write!(out, "<tr><td>{:.2}</td><td>{:.2} %</td></tr>", point.jaccard, 100.0 * point.found);
    }
    out.push_str("</table>");
}

fn skipped(out: &mut String, report: &Report) {
    if report.skipped.is_empty() {
        return;
    }
    out.push_str("<h2>Rows without a document; they stay</h2><table>");
    for (reason, skipped) in &report.skipped {
        let examples = skipped.examples.join("; ");
        let _ = write!(
            out,
            "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
            escaped(reason),
            skipped.rows,
            escaped(&examples)
        );
    }
    out.push_str("</table>");
}

/// Makes foreign text inert: what means something to HTML is named, what steers a terminal or the direction of writing is left out.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_inert() {
        let hostile = "</pre><script>alert('1')</script>\" onload=x &amp; \u{202e}\u{1b}[2J\0";
        let shown = escaped(hostile);
        assert!(!shown.contains(['<', '>', '"', '\'', '\u{202e}', '\u{1b}', '\0']), "{shown}");
        assert!(shown.contains("&amp;amp;"));
    }
}
